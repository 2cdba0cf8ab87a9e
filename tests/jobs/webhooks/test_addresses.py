from __future__ import annotations

import pytest

from jobs.webhooks import midjourney
from jobs.webhooks.addresses import Addresses
from jobs.webhooks.delivery import Delivery, NotBelieved

ORDER, SALT = "0123456789abcdef" * 2, "salt"
ALL = frozenset({"replicate", "fal", "midjourney", "generic"})


def addresses(public_url: str | None, takes: frozenset[str] = ALL) -> Addresses:
    return Addresses(public_url, "http://127.0.0.1:8000", takes)


@pytest.mark.parametrize("provider", ["replicate", "fal", "generic"])
def test_order_is_in_the_address(provider: str) -> None:
    found = addresses("https://easel.example/").of(provider, ORDER, SALT)

    assert found == f"https://easel.example/api/webhooks/{provider}?order={ORDER}"


@pytest.mark.parametrize("public_url", [None, "http://easel.example"])
def test_hosted_providers_take_no_address_but_https(public_url: str | None) -> None:
    found = addresses(public_url)

    assert [found.of(provider, ORDER, SALT) for provider in ("replicate", "fal")] == [None, None]
    assert found.of("generic", ORDER, SALT) is not None


def test_provider_whose_reports_cannot_be_verified_is_polled() -> None:
    assert addresses("https://easel.example", frozenset({"fal"})).of("replicate", ORDER, SALT) is None


def test_run_may_move_the_report_to_another_name_of_this_easel() -> None:
    found = addresses(None).of("replicate", ORDER, SALT, "https://tunnel.example/anything?x=1")

    assert found == f"https://tunnel.example/api/webhooks/replicate?order={ORDER}"


def test_midjourneys_address_is_a_secret_of_the_order() -> None:
    """CONTRACT §7: one token per run, the body only a hint."""
    found = addresses("https://easel.example").of("midjourney", ORDER, SALT)
    assert found is not None
    token = found.removeprefix("https://easel.example/api/webhooks/midjourney/")

    midjourney.verify(token, SALT)
    assert midjourney.order_of(token) == ORDER
    other_order, other_mac = "f" + token[1:], token[:33] + "0" * 64
    for wrong, salt in [(token, "other"), (token, None), (other_order, SALT), (other_mac, SALT)]:
        with pytest.raises(NotBelieved):
            midjourney.verify(wrong, salt)


def test_token_of_an_order_that_there_is_not_is_forged_whatever_it_was_made_with() -> None:
    with pytest.raises(NotBelieved) as caught:
        midjourney.verify(midjourney.token_of(ORDER, ""), None)

    assert caught.value.reason == "forged"


@pytest.mark.parametrize("token", ["", ORDER, f"{ORDER}.", f"{ORDER}.{'g' * 64}", f"{ORDER}.{'0' * 64}\n", "٣" * 97])
def test_token_that_is_none_is_malformed(token: str) -> None:
    with pytest.raises(NotBelieved) as caught:
        midjourney.verify(token, SALT)

    assert caught.value.reason == "malformed"


def test_same_bytes_are_the_same_event() -> None:
    token = midjourney.token_of(ORDER, SALT)
    first, again, later = (
        midjourney.read(token, Delivery({}, body))
        for body in (b'{"id":"17","status":"SUBMITTED"}', b'{"id":"17","status":"SUBMITTED"}', b'{"id":"17"}')
    )

    assert first == again
    assert first.event_id != later.event_id
    assert (first.job_id, first.word, first.rank, later.rank) == ("17", "SUBMITTED", 0, 1)
