"""Where providers are to send their reports."""

from __future__ import annotations

from urllib.parse import urlsplit

from jobs.webhooks.midjourney import token_of

_HOSTED = frozenset({"replicate", "fal"})  # they take no address but https
_NEARBY = frozenset({"generic"})  # often stands beside Easel, and reaches it where people do


class Addresses:
    def __init__(self, public_url: str | None, own_url: str, takes: frozenset[str]) -> None:
        """`public_url` as it was set, None when it was not; `own_url` the one that people open. `takes`: whose reports
        can be verified here."""
        self._public_url = public_url
        self._own_url = own_url
        self._takes = takes

    def of(self, provider: str, order_id: str, salt: str, moved_to: str | None = None) -> str | None:
        """An order's address, or None when there is only polling. `moved_to`: a run's `webhookUrl`, already checked."""
        base = self._base(provider, moved_to)
        if base is None or provider not in self._takes:
            return None
        if provider == "midjourney":
            return f"{base}/api/webhooks/midjourney/{token_of(order_id, salt)}"
        return f"{base}/api/webhooks/{provider}?order={order_id}"

    def _base(self, provider: str, moved_to: str | None) -> str | None:
        if moved_to is not None:
            parts = urlsplit(moved_to)
            base: str | None = f"{parts.scheme}://{parts.netloc}"
        else:
            base = self._public_url or (self._own_url if provider in _NEARBY else None)
        if base is None or (provider in _HOSTED and not base.startswith("https://")):
            return None
        return base.rstrip("/")
