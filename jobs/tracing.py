"""Spans, if anybody wants them: one trace from the request that starts a run, through its worker, to its node.

Nothing here knows a tracer: `app.observe.otlp` puts one in when it is switched on. Until then a span is one shared
object that does nothing. No attribute takes a prompt, an address or anybody's name.
"""

from __future__ import annotations

from typing import Literal, Protocol

Value = str | int | float | bool
Kind = Literal["internal", "server", "consumer"]


class Span(Protocol):
    """A context manager: it lasts as long as the block, and an exception that leaves the block marks it as failed."""

    def __enter__(self) -> Span: ...

    def __exit__(self, *exc: object) -> None: ...

    def name(self, name: str, /) -> None:
        """A better one than was known at its beginning."""

    def note(self, **attributes: Value) -> None: ...

    def fail(self, reason: str, /) -> None:
        """`reason` is a code, never a sentence."""


class Tracer(Protocol):
    def span(
        self, name: str, kind: Kind, parent: str | None, link: str | None, attributes: dict[str, Value]
    ) -> Span: ...

    def record(self, name: str, seconds: float, attributes: dict[str, Value]) -> None: ...

    def traceparent(self) -> str | None: ...


class _NoSpan:
    def __enter__(self) -> _NoSpan:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def name(self, _: str) -> None:
        return None

    def note(self, **_: Value) -> None:
        return None

    def fail(self, _: str) -> None:
        return None


_NOTHING: Span = _NoSpan()
_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """For the whole process, as metrics are."""
    global _tracer  # noqa: PLW0603 - what is measured is measured everywhere
    _tracer = tracer


def span(
    name: str, *, kind: Kind = "internal", parent: str | None = None, link: str | None = None, **attributes: Value
) -> Span:
    """`parent`: a `traceparent` (W3C Trace Context) of our own from elsewhere; None: the span around this one.

    `link`: a stranger's, which is named beside and decides nothing; one that is malformed is left out.
    """
    if _tracer is None:
        return _NOTHING
    return _tracer.span(name, kind, parent, link, attributes)


def record(name: str, seconds: float, **attributes: Value) -> None:
    """A span that has just ended and took so long."""
    if _tracer is not None:
        _tracer.record(name, seconds, attributes)


def traceparent() -> str | None:
    """To carry along to where the trace goes on; None: there is no span, or nobody traces."""
    return _tracer.traceparent() if _tracer is not None else None
