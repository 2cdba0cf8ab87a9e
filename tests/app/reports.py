"""Reports as providers would send them, signed here and not by what is tested; and as others would who are none."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.app.running import Person

OLD, NEW = b"an old secret of 24 bytes", b"the new secret of 24 byte"
FAL = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
SALT = "a salt"

Headers = dict[bytes, bytes]


class Victim(Protocol):
    """Whose job the reports are about."""

    @property
    def order_id(self) -> str: ...

    @property
    def job_id(self) -> str: ...


class Job(NamedTuple):
    order_id: str
    job_id: str


class Call(NamedTuple):
    """A run with one call under way."""

    person: Person
    workflow_id: str
    run_id: str
    order_id: str
    job_id: str

    def told(self) -> list[str]:
        answer = self.person.http.get(f"/api/runs/{self.run_id}/events", headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.text
        return [event["message"] for event in answer.json()["items"] if event["kind"] == "webhook"]

    def until_told(self, count: int = 1) -> list[str]:
        """Waits for the events on the run's stream."""
        found: list[str] = []
        for event in self.person.watches(f"/api/runs/{self.run_id}/events"):
            found += [json.loads(event["data"])["message"]] if event["event"] == "webhook" else []
            if len(found) == count:
                break
        return found


def signed(body: bytes, *, secret: bytes = NEW, event_id: str | None = None, at: float | None = None) -> dict[str, str]:
    """Computed here, not by what is tested."""
    event, timestamp = event_id or f"msg_{uuid.uuid4().hex}", str(int(time.time() if at is None else at))
    mac = hmac.new(secret, b".".join((event.encode(), timestamp.encode(), body)), hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(mac).decode()
    return {"webhook-id": event, "webhook-timestamp": timestamp, "webhook-signature": signature}


def fal_signed(
    body: bytes, request_id: str, *, key: Ed25519PrivateKey = FAL, at: float | None = None
) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    message = "\n".join((request_id, "user", timestamp, hashlib.sha256(body).hexdigest())).encode()
    values = (request_id, "user", timestamp, key.sign(message).hex())
    names = ("request-id", "user-id", "timestamp", "signature")
    return {f"x-fal-webhook-{name}": value for name, value in zip(names, values, strict=True)}


def token_of(one: Victim) -> str:
    return (
        f"{one.order_id}.{hmac.new(SALT.encode(), b'midjourney:' + one.order_id.encode(), hashlib.sha256).hexdigest()}"
    )


def prediction(one: Victim, status: str = "succeeded") -> bytes:
    return json.dumps({"id": one.job_id, "status": status, "output": ["https://evil.example/x.png"]}).encode()


class Attack(NamedTuple):
    path: str
    body: bytes
    headers: Headers


def attacks(one: Victim, count: int, seed: int) -> Iterator[Attack]:
    """Forged, stale and malformed reports about a job that there is."""
    dice = random.Random(seed)
    paths = ("/replicate", "/replicate", f"/replicate?order={one.order_id}", "/generic", "/openai")
    for _ in range(count):
        body, headers = dice.choice(_KINDS)(dice, prediction(one))
        yield Attack(dice.choice(paths), body, headers)


def other_attacks(one: Victim, count: int, seed: int) -> Iterator[Attack]:
    """On those who do not sign by Standard Webhooks."""
    dice, body = random.Random(seed), prediction(one)
    for number in range(count // 2):
        forged = fal_signed(body, one.job_id, key=Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big")))
        yield Attack("/fal", body, _encoded(forged))
        yield Attack(f"/midjourney/{one.order_id}.{dice.getrandbits(256):064x}", body, {})


_Forgery = tuple[bytes, Headers]
# Header values that HTTP lets pass: printable Latin-1.
_PRINTABLE = bytes(byte if 0x21 <= byte <= 0x7E or byte >= 0xA1 else 0x41 for byte in range(256))
_SIGNATURES = ("v1", "v1,", "v1,a,b", "v2,AAAA", "v1,%" * 50, ", ,")
_TIMES = ("", "now", "1e9", "-5", "9" * 400, "NaN")
_BODIES = (b"", b"[]", b"{", b"null", b'"x"', b"[" * 50_000, b"\xff\xfe", b'{"id":"\\ud800"}')


def _unsigned(dice: random.Random, body: bytes) -> _Forgery:
    headers = _encoded(signed(body))
    for name in dice.sample(list(headers), dice.randint(1, 3)):
        del headers[name]
    return body, headers


def _by_another_secret(dice: random.Random, body: bytes) -> _Forgery:
    return body, _encoded(signed(body, secret=dice.randbytes(24)))


def _stale(dice: random.Random, body: bytes) -> _Forgery:
    return body, _encoded(signed(body, at=time.time() + dice.choice((-1, 1)) * dice.randint(310, 10**9)))


def _changed(dice: random.Random, body: bytes) -> _Forgery:
    place = dice.randrange(len(body))
    other = bytes([(body[place] + dice.randint(1, 255)) % 256])
    return body[:place] + other + body[place + 1 :], _encoded(signed(body))


def _renamed(_: random.Random, body: bytes) -> _Forgery:
    headers = _encoded(signed(body))
    return body, headers | {b"webhook-id": headers[b"webhook-id"] + b"x"}


def _odd_signature(dice: random.Random, body: bytes) -> _Forgery:
    return body, _encoded(signed(body) | {"webhook-signature": dice.choice(_SIGNATURES)})


def _odd_time(dice: random.Random, body: bytes) -> _Forgery:
    return body, _encoded(signed(body) | {"webhook-timestamp": dice.choice(_TIMES)})


def _signed_nonsense(dice: random.Random, _: bytes) -> _Forgery:
    body = dice.choice(_BODIES)
    return body, _encoded(signed(body))


def _noise(dice: random.Random, _: bytes) -> _Forgery:
    names = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
    return dice.randbytes(100), {name: dice.randbytes(20).translate(_PRINTABLE) for name in names}


_KINDS: tuple[Callable[[random.Random, bytes], _Forgery], ...] = (
    _unsigned,
    _by_another_secret,
    _stale,
    _changed,
    _renamed,
    _odd_signature,
    _odd_time,
    _signed_nonsense,
    _noise,
)


def _encoded(headers: dict[str, str]) -> Headers:
    return {name.encode(): value.encode("latin-1") for name, value in headers.items()}
