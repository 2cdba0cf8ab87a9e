"""Midjourney gateways sign nothing: the address itself is the secret, one for each order.

Nothing is stored for it: the token is the order's id and a MAC of it under the run's salt, which nobody is ever shown.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from jobs.webhooks.delivery import Delivery, News, NotBelieved, identifier, parse, word

_TOKEN = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})", re.ASCII)


def token_of(order_id: str, salt: str) -> str:
    return f"{order_id}.{hmac.digest(salt.encode(), f'midjourney:{order_id}'.encode(), hashlib.sha256).hex()}"


def order_of(token: str) -> str:
    """Whose token it claims to be. Raises NotBelieved for what is none."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise NotBelieved("malformed")
    return found[1]


def verify(token: str, salt: str | None) -> None:
    """`salt` of the order's run, None for an order that there is not. Raises NotBelieved."""
    expected = token_of(order_of(token), salt or "")
    if not hmac.compare_digest(token.encode(), expected.encode()) or salt is None:
        raise NotBelieved("forged")


def read(token: str, delivery: Delivery) -> News:
    """A gateway numbers its reports not: the same bytes are the same event."""
    task = parse(delivery.body)
    event_id = hashlib.sha256(order_of(token).encode() + delivery.body).hexdigest()
    return News(event_id, identifier(task.get("id")), word(task.get("status")))
