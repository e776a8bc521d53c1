@rem The script "start" begins with exec, so that a signal to npm reaches the daemon. Shells know that word; here it is for Windows.
@%*
