"""fal's ED25519 signatures and its published keys."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jobs.errors import ProviderUnavailable
from jobs.webhooks.delivery import Delivery, NotBelieved
from jobs.webhooks.fal import JWKS_URL, KEPT_S, PAUSE_S, FalSender, KeyRing, jwks_url, public_keys

pytestmark = pytest.mark.anyio

AT = 1_800_000_000
OLD, NEW = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
BODY = json.dumps({"request_id": "764c", "status": "OK", "payload": {}}).encode()


def jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "x": x}


class Fal:
    """Publishes keys, and counts who asks."""

    def __init__(self, *keys: Ed25519PrivateKey) -> None:
        self.document: Any = {"keys": [jwk(key) for key in keys]}
        self.asked = 0
        self.now_s = 0.0
        self.is_away = False
        self.ring = KeyRing(self.fetch, lambda: self.now_s)
        self.sender = FalSender(self.ring, lambda: AT)

    async def fetch(self) -> object:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise ProviderUnavailable("fal cannot be reached at the moment.")
        return self.document

    async def doubt(self, one: Delivery) -> str:
        with pytest.raises(NotBelieved) as caught:
            await self.sender.read(one)
        return caught.value.reason


def signed(
    key: Ed25519PrivateKey = OLD, body: bytes = BODY, at: int = AT, headers: dict[str, str | None] | None = None
) -> Delivery:
    message = f"764c\nuser_1\n{at}\n{hashlib.sha256(body).hexdigest()}".encode()
    given: dict[str, str | None] = {
        "x-fal-webhook-request-id": "764c",
        "x-fal-webhook-user-id": "user_1",
        "x-fal-webhook-timestamp": str(at),
        "x-fal-webhook-signature": key.sign(message).hex(),
    }
    given |= {f"x-fal-webhook-{name}": value for name, value in (headers or {}).items()}
    return Delivery({name: value for name, value in given.items() if value is not None}, body)


async def test_report_signed_by_a_published_key_is_read() -> None:
    news = await Fal(NEW, OLD).sender.read(signed())

    assert (news.event_id, news.job_id, news.word, news.rank) == ("764c", "764c", "OK", 2)


@pytest.mark.parametrize("name", ["request-id", "user-id", "timestamp", "signature"])
async def test_without_one_of_the_four_headers_it_is_unsigned(name: str) -> None:
    fal = Fal(OLD)

    assert await fal.doubt(signed(headers={name: None})) == "unsigned"
    assert fal.asked == 0


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (signed(NEW), "forged"),
        (signed(headers={"signature": "00" * 64}), "forged"),
        (signed(headers={"signature": "00"}), "forged"),
        (signed(headers={"signature": "zz"}), "malformed"),
        (signed(headers={"user-id": "user_2"}), "forged"),
        (signed(headers={"request-id": "765c"}), "forged"),
        (signed(headers={"request-id": "é\n"}), "malformed"),
        (signed(headers={"timestamp": "soon"}), "malformed"),
        (signed(at=AT + 301), "stale"),
        (signed(at=AT - 301), "stale"),
        (signed(body=b"[]"), "malformed"),
    ],
)
async def test_what_is_not_signed_as_it_should_be_is_not_believed(one: Delivery, reason: str) -> None:
    assert await Fal(OLD).doubt(one) == reason


async def test_body_is_signed() -> None:
    one = signed()

    assert await Fal(OLD).doubt(Delivery(one.headers, BODY + b" ")) == "forged"


async def test_key_that_is_new_is_fetched_and_believed() -> None:
    fal = Fal(OLD)
    await fal.sender.read(signed(OLD))
    fal.document = {"keys": [jwk(NEW)]}
    fal.now_s += PAUSE_S

    await fal.sender.read(signed(NEW))

    assert fal.asked == 2


async def test_flood_of_forgeries_asks_for_keys_once_a_minute() -> None:
    fal = Fal(OLD)

    await asyncio.gather(*(fal.doubt(signed(NEW)) for _ in range(100)))
    assert fal.asked == 1
    fal.now_s += PAUSE_S
    await asyncio.gather(*(fal.doubt(signed(NEW)) for _ in range(100)))
    assert fal.asked == 2


async def test_reports_that_come_together_at_the_start_are_all_believed() -> None:
    fal = Fal(OLD)

    await asyncio.gather(*(fal.sender.read(signed()) for _ in range(20)))

    assert fal.asked == 1


async def test_keys_are_kept_for_a_day_and_not_longer() -> None:
    fal = Fal(OLD)
    await fal.sender.read(signed())
    fal.now_s += KEPT_S
    await fal.sender.read(signed())
    assert fal.asked == 1

    fal.now_s += 1
    fal.document = {"keys": []}
    assert await fal.doubt(signed()) == "forged"
    assert fal.asked == 2


async def test_fal_away_leaves_the_keys_there_are() -> None:
    fal = Fal(OLD)
    await fal.sender.read(signed())
    fal.is_away = True
    fal.now_s += PAUSE_S
    assert await fal.doubt(signed(NEW)) == "forged"

    await fal.sender.read(signed())


@pytest.mark.parametrize(
    "document", [None, [], {"keys": 1}, {"keys": [1, None, {"x": 5}, {"x": "AAAA"}, {"x": "!"}, {"y": 1}]}]
)
def test_document_without_a_key_holds_none(document: object) -> None:
    assert public_keys(document) == ()


def test_queue_that_is_not_fals_has_keys_of_its_own() -> None:
    assert jwks_url("https://queue.fal.run") == JWKS_URL
    assert jwks_url("http://127.0.0.1:9/queue") == "http://127.0.0.1:9/.well-known/jwks.json"
