#!/bin/sh
# Starts the single executable with the young generation that thousands of changes per second need (README.md, "Start"). Nothing that runs
# within it can set that: V8 reads the size before the program begins.
NODE_OPTIONS="--max-semi-space-size=32${NODE_OPTIONS:+ $NODE_OPTIONS}"
export NODE_OPTIONS
exec "$(dirname "$(readlink -f "$0")")/../lib/rosterd/rosterd" "$@"
