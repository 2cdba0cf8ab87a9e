"""Standard Webhooks 1.0.0, held against the specification's own vector and an independent recomputation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.webhooks.delivery import Delivery, NotBelieved
from jobs.webhooks.standard import ID, SIGNATURE, TIMESTAMP, StandardSender, key_of, keys_of, sign, verify

pytestmark = pytest.mark.anyio

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
GOOD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
KEYS = keys_of(SECRET)


def delivery(headers: dict[str, str | None] | None = None, body: bytes = BODY) -> Delivery:
    given = {ID: EVENT, TIMESTAMP: str(AT), SIGNATURE: GOOD, **(headers or {})}
    return Delivery({name: value for name, value in given.items() if value is not None}, body)


def doubt(one: Delivery, keys: tuple[bytes, ...] = KEYS, now_s: float = AT) -> str:
    with pytest.raises(NotBelieved) as caught:
        verify(one, keys, now_s)
    return caught.value.reason


def test_the_specifications_own_vector_passes() -> None:
    assert verify(delivery(), KEYS, AT) == EVENT


def test_what_we_sign_is_what_anybody_computes() -> None:
    secret = base64.b64encode(bytes(range(32))).decode()

    headers = sign(key_of("whsec_" + secret), "msg_1", b"\x00\xff body", 17.9)

    expected = hmac.new(base64.b64decode(secret), b"msg_1.17.\x00\xff body", hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "17",
        "webhook-signature": "v1," + base64.b64encode(expected).decode(),
    }


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_")])
def test_prefix_of_a_secret_may_be_left_out(secret: str) -> None:
    assert verify(delivery(), keys_of(secret), AT) == EVENT


def test_secret_that_is_no_base64_is_taken_as_it_stands() -> None:
    assert keys_of("not base64!") == (b"not base64!",)


@pytest.mark.parametrize("setting", [f"whsec_bmV3, {SECRET}", f"{SECRET},whsec_bmV3"])
def test_every_secret_of_a_rotation_is_believed(setting: str) -> None:
    assert verify(delivery(), keys_of(setting), AT) == EVENT


@pytest.mark.parametrize("signatures", [f"v1,AAAA {GOOD}", f"{GOOD} v1,AAAA", f"v1a,c2ln {GOOD} v2,x"])
def test_one_good_signature_among_several_is_enough(signatures: str) -> None:
    assert verify(delivery({SIGNATURE: signatures}), KEYS, AT) == EVENT


@pytest.mark.parametrize("name", [ID, TIMESTAMP, SIGNATURE])
@pytest.mark.parametrize("value", [None, ""])
def test_without_one_of_the_three_headers_it_is_unsigned(name: str, value: str | None) -> None:
    assert doubt(delivery({name: value})) == "unsigned"


@pytest.mark.parametrize(("off_s", "is_good"), [(300, True), (-300, True), (301, False), (-301, False)])
def test_clock_may_be_five_minutes_off_both_ways(off_s: int, is_good: bool) -> None:
    """CONTRACT §7."""
    if is_good:
        assert verify(delivery(), KEYS, AT + off_s) == EVENT
    else:
        assert doubt(delivery(), now_s=AT + off_s) == "stale"


@pytest.mark.parametrize("timestamp", ["now", "-1", "1e9", "1614265330.0", " 1614265330", "٣", "9" * 13, "0x1"])
def test_timestamp_that_is_no_number_is_malformed(timestamp: str) -> None:
    assert doubt(delivery({TIMESTAMP: timestamp})) == "malformed"


@pytest.mark.parametrize("signatures", ["v1", "v1a,AAAA", "V1,AAAA", ",", "AAAA"])
def test_signature_of_no_version_of_ours_is_malformed(signatures: str) -> None:
    """The reference library answers some of these with an exception of its own."""
    assert doubt(delivery({SIGNATURE: signatures})) == "malformed"


@pytest.mark.parametrize("signatures", ["v1,", "v1,a,b", "v1,é", "v1," + "A" * 10_000, GOOD[:-1], GOOD + "="])
def test_signature_that_is_not_the_one_is_forged(signatures: str) -> None:
    assert doubt(delivery({SIGNATURE: signatures})) == "forged"


@pytest.mark.parametrize("event", ["é", "a b", "x" * 201, "\x7f"])
def test_id_that_no_sender_makes_is_malformed(event: str) -> None:
    assert doubt(delivery({ID: event})) == "malformed"


@pytest.mark.parametrize(
    "one", [delivery({ID: "msg_2"}), delivery({TIMESTAMP: str(AT + 1)}), delivery(body=BODY + b" ")]
)
def test_id_time_and_body_are_all_signed(one: Delivery) -> None:
    assert doubt(one) == "forged"


def test_without_a_secret_nobody_is_believed() -> None:
    assert doubt(delivery(), keys=()) == "unconfigured"


@given(st.text(), st.text(), st.text(), st.binary())
def test_junk_is_never_more_than_not_believed(event: str, timestamp: str, signatures: str, body: bytes) -> None:
    with pytest.raises(NotBelieved):
        verify(Delivery({ID: event, TIMESTAMP: timestamp, SIGNATURE: "v1," + signatures}, body), KEYS, AT)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b'{"a":"\\ud800"}', b"[" * 100_000])
async def test_well_signed_body_that_is_no_object_is_malformed(body: bytes) -> None:
    sender = StandardSender(KEYS, lambda found: (found.get("id"), found.get("status")), lambda: AT)

    with pytest.raises(NotBelieved) as caught:
        await sender.read(Delivery(sign(KEYS[0], EVENT, body, AT), body))

    assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    ("body", "job_id", "word"),
    [
        ({"id": "gm3q", "status": "succeeded"}, "gm3q", "succeeded"),
        ({"id": "a\0b", "status": "x\n"}, None, "news"),
        ({"id": ["gm3q"], "status": None}, None, "news"),
        ({"id": "x" * 201}, None, "news"),
    ],
)
async def test_only_ids_and_words_that_could_be_some_are_taken(body: object, job_id: str | None, word: str) -> None:
    sender = StandardSender(KEYS, lambda found: (found.get("id"), found.get("status")), lambda: AT)
    raw = json.dumps(body).encode()

    news = await sender.read(Delivery(sign(KEYS[0], EVENT, raw, AT), raw))

    assert (news.event_id, news.job_id, news.word) == (EVENT, job_id, word)
