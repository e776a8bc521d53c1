"""Keeps python-socketio, with its default options, connected over restarts of the daemon. Started by ../run.ts."""
import os
import threading

import requests
import socketio

URL = os.environ["ROSTERD_URL"]
CONTROL = os.environ["ROSTERD_CONTROL_URL"]
KEY = os.environ["ROSTERD_API_KEY"]
TOKEN = os.environ["ROSTERD_SERVER_TOKEN"]

PATIENCE_S = 40


def control(path):
    answer = requests.post(f"{CONTROL}{path}", timeout=PATIENCE_S)
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
    return answer.json()


class Subscriber:
    """Everything that the application has to do is in `auth`, which the client asks before each connect."""

    def __init__(self, transport):
        self.position = None
        self.ids = []
        self.seqs = []
        self.connects = 0
        self.changed = threading.Condition()
        self.client = socketio.Client()
        self.client.on("event", self.take)
        self.client.connect(URL, auth=self.auth, transports=[transport])

    def auth(self):
        subs = [{"sub": "all", "all": True, "snapshot": False}]
        resume = {} if self.position is None else {"resume": self.position}
        return {"api_key": KEY, "token": TOKEN, "subs": subs, **resume}

    def take(self, frame):
        with self.changed:
            kind = frame.get("type")
            if kind == "connection.ok":
                self.connects += 1
                self.position = {"epoch": frame["epoch"], "seq": frame["seq"]}
            elif kind == "user.updated":
                self.ids.append(frame["user"]["id"])
                self.seqs.append(frame["seq"])
                self.position = {**self.position, "seq": frame["seq"]}
            self.changed.notify_all()

    def until(self, is_so, what):
        with self.changed:
            assert self.changed.wait_for(is_so, PATIENCE_S), f"{what}: {self.connects} connects, {self.ids}"


def over(transport, signal):
    subscriber = Subscriber(transport)
    try:
        subscriber.until(lambda: subscriber.connects == 1, "the first connect")
        written = control("/write?users=3")
        subscriber.until(lambda: len(subscriber.ids) == 3, "the first changes")
        written += control(f"/restart?signal={signal}&users=3")
        subscriber.until(lambda: subscriber.connects == 2, "the connect after the restart")
        written += control("/write?users=3")
        subscriber.until(lambda: len(subscriber.ids) >= len(written), "all changes")
        assert subscriber.ids == written, f"{subscriber.ids} is not {written}"
        assert subscriber.seqs == sorted(set(subscriber.seqs)), f"{subscriber.seqs} is not in order"
    finally:
        subscriber.client.disconnect()


if __name__ == "__main__":
    for transport in ("websocket", "polling"):
        for signal in ("SIGTERM", "SIGKILL"):
            operation = f"comes back after {signal} over {transport}"
            try:
                over(transport, signal)
            except Exception as error:  # the other cases are still to be checked
                print(f"not ok {operation} # {type(error).__name__}: {' '.join(str(error).split())}", flush=True)
            else:
                print(f"ok {operation}", flush=True)
    print("done")
