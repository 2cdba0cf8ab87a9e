"""What nobody's client would say, by the thousand: it is answered as documented, and nothing of it is written down."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from canvas import protocol
from tests.app.running import ADMIN_TOKEN, Person, Server, Worker

SEED = int(os.environ.get("EASEL_FUZZ_SEED", "20261127"))
TYPES = {"welcome", "snapshot", "result", "ops", "frame", "pong", "error", "role"}
CLOSES = {
    *(protocol.GOING_AWAY, protocol.TOO_SLOW, protocol.RESYNC, protocol.REPLACED, protocol.SIGN_IN),
    *(protocol.WRONG_PROTOCOL, protocol.FORBIDDEN, protocol.DELETED, protocol.TOO_LARGE, protocol.ABUSE),
}
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 0.5, 1e308, 2**53, 2**64, -(2**70), "", "a", "\0", "é\u202e", "__proto__", "x" * 300),
    *([], {}, [[[[]]]], {"x": 1}, {"x": "1", "y": None}, {"__proto__": {}}, "data:image/png;base64," + "A" * 200),
)
IDS = ("a", "b", "e", "nowhere", "", "..", "a/b", "\ud800")
PATHS = ("/position", "/data/x", "/data", "/parentId", "/id", "/selected", "position", "/data/~2", "/style/x", "/type")


class Babble:
    """Messages: bytes, JSON, and those that are nearly right."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._number = 0

    def message(self) -> str | bytes:
        kind = self._dice.random()
        if kind < 0.05:
            return self._dice.randbytes(self._dice.randrange(60))
        if kind < 0.15:
            return "".join(chr(self._dice.randrange(1, 0xD7FF)) for _ in range(self._dice.randrange(40)))
        if kind < 0.25:
            return json.dumps(self._value(3))
        message = self._nearly()
        text = json.dumps(message)
        if kind > 0.93 and text:
            cut = self._dice.randrange(len(text))
            return text[:cut] + self._dice.choice(["", "]", "}", ",", '"', "1e999", "NaN"]) + text[cut + 1 :]
        return text

    def _nearly(self) -> dict[str, Any]:
        self._number += 1
        pick = self._dice.choice
        ops = [self._op() for _ in range(self._dice.randrange(1, 4))]
        push = {"type": "push", "clientSeq": self._number, "ops": ops}
        keys = ["cursor", "drag", "selection", "editing", "viewport"]
        message: dict[str, Any] = pick(
            [
                push,
                push,
                push,
                {"type": "presence", "set": {pick(keys): self._value(2)}},
                {"type": "ping", "t": self._value(2)},
                {"type": pick(["resync", "hello", "welcome", "x"]), "protocol": 1, "clientId": "c"},
            ]
        )
        if self._dice.random() < 0.3:
            message[self._dice.choice([*message, "extra"])] = self._value(2)
        return message

    def _op(self) -> Any:
        pick = self._dice.choice
        op: dict[str, Any] = pick(
            [
                {"op": "add", "kind": "node", "record": {"id": pick(IDS), "position": {"x": 1, "y": 1}, "data": {}}},
                {"op": "add", "kind": "edge", "record": {"id": pick(IDS), "source": pick(IDS), "target": pick(IDS)}},
                {"op": "update", "kind": pick(["node", "edge"]), "id": pick(IDS), "set": {pick(PATHS): self._value(2)}},
                {"op": "update", "kind": "node", "id": pick(IDS), "set": {}, "unset": [pick(PATHS)]},
                {"op": "remove", "kind": pick(["node", "edge"]), "ids": [pick(IDS), pick(IDS)]},
                {"op": "restore", "seq": self._value(0)},
                {"op": "workflow", "set": {pick(["/name", "/viewport", "/x"]): self._value(1)}},
            ]
        )
        if self._dice.random() < 0.25:
            op[pick([*op, "extra"])] = self._value(2)
        return op

    def _value(self, depth: int) -> Any:
        if depth and self._dice.random() < 0.3:
            keys = (self._dice.choice([*IDS, "x", "y", "constructor"]) for _ in range(self._dice.randrange(4)))
            return {key: self._value(depth - 1) for key in keys}
        return self._dice.choice(ODD)


class Listener:
    """One socket that comes back whenever it is sent away, and what it was told."""

    def __init__(self, server: Server, workflow_id: str, number: int) -> None:
        self._url = f"{server.url.replace('http', 'ws')}/ws/workflows/{workflow_id}"
        self._number = number
        self.types: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.closes: Counter[int] = Counter()
        self.leaks = 0
        self._stack = ExitStack()
        self._socket = self._come()

    def _come(self) -> ClientConnection:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        self._stack.close()
        socket = self._stack.enter_context(connect(self._url, additional_headers=headers, proxy=None, max_size=None))
        self._number += 1_000
        socket.send(json.dumps({"type": "hello", "protocol": 1, "clientId": f"fuzz{self._number}", "resume": None}))
        return socket

    def says(self, messages: list[str | bytes], secret: bytes) -> None:
        """Until all of them were heard: a ping after them is answered, or the socket is closed."""
        try:
            for message in messages:
                self._socket.send(message)
            self._socket.send(json.dumps({"type": "ping", "t": "end"}))
            while not self._hears(secret):
                pass
        except ConnectionClosed as closed:
            self.closes[closed.rcvd.code if closed.rcvd is not None else 0] += 1
            self._socket = self._come()

    def _hears(self, secret: bytes) -> bool:
        text = self._socket.recv(timeout=30, decode=False)
        self.leaks += secret in text
        message = json.loads(text)
        self.types[message["type"]] += 1
        if message["type"] == "error":
            self.codes[message["code"]] += 1
        return bool(message["type"] == "pong" and message["t"] == "end")

    def leave(self) -> None:
        self._stack.close()


@pytest.mark.parametrize(
    "count", [4_000, pytest.param(200_000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)], id="200 000")]
)
def test_whatever_a_socket_says_it_is_answered_as_documented(
    server: Server, person: Person, nobody: httpx.Client, count: int
) -> None:
    """Nothing of another room comes along, and memory stays what it was."""
    print(f"seed {SEED}")
    babble = Babble(random.Random(SEED))
    secret = "the-other-room's-own-word"
    person.workflow(name=secret)
    admin = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    made = nobody.post("/api/workflows", headers=admin, json={"name": "Fuzz", "nodes": [], "edges": []})
    listeners = [Listener(server, made.json()["id"], number) for number in range(4)]
    before = resident_mib(server)
    for number in range(count // 50):
        listeners[number % 4].says([babble.message() for _ in range(50)], secret.encode())
    grown = resident_mib(server) - before

    types, codes, closes = Counter[str](), Counter[str](), Counter[int]()
    for listener in listeners:
        types, codes, closes = types + listener.types, codes + listener.codes, closes + listener.closes
        listener.leave()
    print(f"{count} messages: {dict(types)}, errors {dict(codes)}, closed {dict(closes)}, {grown:+.1f} MiB")
    assert set(types) <= TYPES
    assert set(closes) <= CLOSES
    assert codes.keys() <= {"BAD_MESSAGE", "VALIDATION_FAILED", "MESSAGE_TOO_LARGE", "TOO_LARGE"}, codes
    assert types["result"] > count / 10, "most of what is nearly right is a push"
    assert sum(listener.leaks for listener in listeners) == 0
    assert grown < 64
    assert nobody.get("/health/live").status_code == 200


def resident_mib(server: Server) -> float:
    status = Path(f"/proc/{server._process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


SECRETS = {
    "EASEL_ADMIN_TOKEN": "planted-admin-token-7f3a91",
    "OPENAI_API_KEY": "planted-openai-key-51c0de",
    "STABILITY_API_KEY": "planted-stability-key-aa17",
    "REPLICATE_API_TOKEN": "planted-replicate-token-90b",
    "WEBHOOK_SECRET": "planted-webhook-secret-of-24-bytes-e1",
    "EASEL_JWT_SECRET": "planted-jwt-secret-of-thirty-two-bytes",
    "EASEL_JWT_ISSUER": "https://auth.example/",
}


def test_no_secret_is_written_down(own_environment: dict[str, str]) -> None:
    """In no log and no answer, whatever goes wrong: keys of settings, and what people sign in with."""
    unreachable = {
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "EASEL_RETRY_SECONDS": "0.05",
        "EASEL_LOG_LEVEL": "debug",
    }
    settings = own_environment | SECRETS | unreachable | {"EASEL_ALLOW_PRIVATE_HOSTS": "127.0.0.1:9"}
    server, worker = Server(settings), Worker(settings)
    said: list[str] = []
    try:
        person = Person(server, own_environment["EASEL_DATABASE_URL"], "Keeps secrets")
        planted = {name: value for name, value in SECRETS.items() if name != "EASEL_JWT_ISSUER"} | {
            "token": person.token
        }
        workflow_id = person.workflow()
        http = person.http
        with closing(http), httpx.Client(base_url=server.url, trust_env=False) as nobody:
            ticket = http.post("/api/tickets").json()["ticket"]
            link = person.login_link()
            planted |= {"ticket": ticket, "login": link.partition("token=")[2]}
            prompt: Any = {"basePrompt": "A fox"}
            started = person.starts(workflow_id, provider="openai", model="gpt-image-2", promptSpec=prompt)
            job_id = started["jobId"]
            paths = ("/health", "/api/providers", "/api/me", "/schema/openapi.json", f"/api/runs/{job_id}")
            said += [http.get(path).text for path in paths]
            for _ in person.watches(f"/api/runs/{job_id}/events"):
                pass
            said.append(http.get(f"/api/runs/{job_id}").text)
            said.append(nobody.get(f"/ws/workflows/{workflow_id}?ticket={ticket}").text)
            said.append(nobody.get("/api/me", headers={"Authorization": f"Bearer {person.token}x"}).text)
            said.append(nobody.get(link).text)
            said.append(nobody.get(link).text)
            said.append(nobody.post("/api/webhooks/replicate", content=b"{", headers={"webhook-id": "x"}).text)
    finally:
        assert worker.stop(within_s=10) == 0
        assert server.stop(within_s=10) == 0
    written = "\n".join([*said, server.text, worker.text])
    assert "PROVIDER_UNAVAILABLE" in written  # the run has failed, and said so
    assert {name for name, value in planted.items() if value in written} == set()
