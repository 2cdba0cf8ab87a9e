"""Lists, newest first, a page at a time. A cursor is the last item's place, so that new items never shift a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

import msgspec

from canvas.errors import BadRequest

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Page(msgspec.Struct, Generic[T], frozen=True, rename="camel"):
    items: list[T]
    next_cursor: str | None


class Place(NamedTuple):
    at: datetime
    id: str


def page_of(items: list[T], limit: int, place: Place | None) -> Page[T]:
    """`place` is the last item's; a page that is not full is the last one."""
    return Page(items, cursor_of(place) if place is not None and len(items) == limit else None)


def cursor_of(place: Place) -> str:
    return f"{(place.at - _EPOCH) // timedelta(microseconds=1)}.{place.id}"


def place_of(cursor: str | None) -> Place | None:
    """Raises BadRequest for a cursor that we have not given out."""
    if cursor is None:
        return None
    microseconds, _, id_ = cursor.partition(".")
    try:
        return Place(_EPOCH + timedelta(microseconds=int(microseconds)), id_)
    except (ValueError, OverflowError) as error:
        raise BadRequest("This cursor is not one of ours. Start the list again without it.") from error


def number_of(cursor: str | None) -> int | None:
    """Of a list whose items are numbered. Raises BadRequest as `place_of`."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise BadRequest("This cursor is not one of ours. Start the list again without it.")
    return int(cursor)


def checked_limit(limit: int) -> int:
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequest(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    return limit
