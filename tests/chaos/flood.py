"""`python -m tests.chaos.flood URL SESSION COUNT SIZE`: pushes without waiting for an answer, in a process of its own.

It says "ready", and begins when it is told a line.

Two in one process would share an event loop, and whoever measures beside a flood would measure the flooder's.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from canvas.protocol import ABUSE, TOO_SLOW


def flood(url: str, session: str, count: int, size: int) -> None:
    """`count` 0: until the server has had enough, or somebody ends this process."""
    headers = {"Cookie": f"easel_session={session}", "Origin": url.replace("ws", "http", 1).partition("/ws/")[0]}
    with connect(url, additional_headers=headers, max_size=None, ping_interval=None, close_timeout=60) as socket:
        socket.send(json.dumps({"type": "hello", "protocol": 1, "clientId": "flood", "resume": None}))
        threading.Thread(target=read_on, args=(socket,), daemon=True).start()
        print("ready", flush=True)
        sys.stdin.readline()  # what it takes to start a Python is no flood
        for number in itertools.count(1) if count == 0 else range(1, count + 1):
            record = {"id": f"f{number % 50}", "position": {"x": number, "y": 0}, "data": {"text": "x" * size}}
            remove = {"op": "remove", "kind": "node", "ids": [record["id"]]}
            add = {"op": "add", "kind": "node", "record": record}
            socket.send(json.dumps({"type": "push", "clientSeq": number, "ops": [remove, add]}))


def read_on(socket: ClientConnection) -> None:
    for _ in socket:
        pass


if __name__ == "__main__":
    try:
        flood(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    except ConnectionClosed as closed:
        if closed.rcvd is None or closed.rcvd.code not in {ABUSE, TOO_SLOW}:
            raise
