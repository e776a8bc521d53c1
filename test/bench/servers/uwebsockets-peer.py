"""uWebSockets, the C++ server, as a peer: takes the body that rosterd takes, and publishes one event per user to everyone.

No tokens, no validation, no disk. Python makes each event once; all that is done per socket is done by uWebSockets. Needs socketify.
"""

import json
from datetime import datetime, timezone

from socketify import App, CompressOptions, OpCode

EVERYONE = "all"
users = {}
seq = 0


def publish(body):
    for user in json.loads(body)["users"].values():
        publish_one(user)


def publish_one(user):
    global seq
    seq += 1
    users[user["id"]] = user
    at = datetime.now(timezone.utc).isoformat()
    shown = {**user, "rev": seq, "created_at": at, "updated_at": at, "online": False, "banned": False, "invisible": False}
    event = {"type": "user.updated", "seq": seq, "created_at": at, "user": shown, "sub": ["s"]}
    app.publish(EVERYONE, json.dumps(event, separators=(",", ":")), OpCode.TEXT)


def take_users(response, request):
    chunks = []

    def take(response, chunk, is_last, *_):
        chunks.append(bytes(chunk))
        if is_last:
            response.end("{}")
            # Not before the answer has left: as long as its buffer is in use, each event would be a write of its own.
            app.loop.loop.call_soon(publish, b"".join(chunks))

    response.on_aborted(lambda *_: None)
    response.on_data(take)


app = App()
app.ws(
    "/*",
    {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": 64 * 1024,
        "idle_timeout": 0,
        "max_backpressure": 64 * 1024 * 1024,
        "open": lambda ws: ws.subscribe(EVERYONE),
    },
)
app.post("/users", take_users)
app.listen({"port": 0, "host": "127.0.0.1"}, lambda config: print(f"listens on http://127.0.0.1:{config.port}", flush=True))
app.run()
