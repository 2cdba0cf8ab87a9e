"""What is in the picture store and in no row, and in a row and not in the store: found, and taken away.

Bytes are put before the row that names them and deleted after it, so a crash leaves objects and never a broken picture.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

import msgspec

from jobs.objects.port import Listed, ObjectStore
from jobs.renders import FOLDERS
from jobs.store.objects import ObjectRow, ObjectRows

# No key is written again a day after it was first written: whatever made it has ended, or has begun anew under another.
GRACE = timedelta(days=1)
_AT_ONCE = 200
_HEADS_AT_ONCE = 16
# `#1`: what a crash cut off in a folder. `doctor-`: what `easel doctor` could not take back.
_KEY = re.compile(rf"(?:{'|'.join((*FOLDERS.values(), 'uploads'))})/([^/]+)/[^/]+|doctor-[0-9a-f]{{16}}")

T = TypeVar("T")


class Stock(msgspec.Struct, frozen=True):
    """What a look has found; only what is older than the grace."""

    objects: int
    """All that there are, also younger ones."""
    rows: int
    unnamed: list[Listed]
    """Objects of ours that no row names."""
    foreign: list[str]
    """Objects that are not ours, or of an account that this database does not know: they are left alone."""
    missing: list[str]
    """Rows whose object is gone, and a picture is made of them."""
    unused: list[str]
    """Rows whose object is gone, and no picture is made of them."""

    @property
    def is_of_another_store(self) -> bool:
        """More is missing than crashes explain: a wrong address, or a backup of the database alone."""
        return 2 * (len(self.missing) + len(self.unused)) > self.rows


class Sweep:
    def __init__(
        self, objects: ObjectStore, rows: ObjectRows, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._objects = objects
        self._rows = rows
        self._now = now

    async def look(self, grace: timedelta = GRACE) -> Stock:
        """Raises StorageFailed, Unavailable."""
        before = self._now() - grace
        objects = rows = 0
        nameless: list[Listed] = []
        empty: list[str] = []
        async for listed, row in _side_by_side(_each(self._objects.pages()), _each(self._rows.pages())):
            objects += listed is not None
            rows += row is not None
            if row is None and listed is not None and listed.modified_at < before:
                nameless.append(listed)
            elif listed is None and row is not None and row.created_at < before:
                empty.append(row.key)
        unnamed, foreign = await self._owned(nameless)
        gone = await self._gone(empty) if 2 * len(empty) <= rows else empty  # else all is wrong: nothing more is asked
        missing, unused = await self._shown(gone)
        return Stock(objects, rows, unnamed, foreign, missing, unused)

    async def delete(self, found: list[Listed]) -> int:
        """Those that still are as they were found; answers how many. Raises StorageFailed, Unavailable."""
        deleted = 0
        for some in _by(_AT_ONCE, found):
            unnamed = await self._rows.unnamed({one.key: _owner(one.key) or "" for one in some})
            for one in some:
                if one.key in unnamed and await self._is_as_old(one):
                    await self._objects.delete(one.key)
                    deleted += 1
        return deleted

    async def _is_as_old(self, found: Listed) -> bool:
        """To the second: that is what a store says of a single object."""
        modified_at = await self._objects.modified_at(found.key)
        return modified_at is not None and modified_at < found.modified_at + timedelta(seconds=1)

    async def forget(self, unused: list[str]) -> int:
        """Rows of nothing; answers how many. Raises Unavailable."""
        return sum([len(await self._rows.forget(some)) for some in _by(_AT_ONCE, unused)])

    async def _owned(self, nameless: list[Listed]) -> tuple[list[Listed], list[str]]:
        unnamed, foreign = [], []
        for some in _by(_AT_ONCE, nameless):
            answer = await self._rows.unnamed({one.key: _owner(one.key) or "" for one in some})
            for one in some:
                if one.key in answer:
                    is_ours = _owner(one.key) == "" or answer[one.key]
                    unnamed.append(one) if is_ours else foreign.append(one.key)
        return unnamed, foreign

    async def _gone(self, keys: list[str]) -> list[str]:
        """A list may be out of order, or old: each is asked for."""
        gone = []
        for some in _by(_HEADS_AT_ONCE, keys):
            sizes = await asyncio.gather(*(self._objects.size(key) for key in some))
            gone += [key for key, size in zip(some, sizes, strict=True) if size is None]
        return gone

    async def _shown(self, keys: list[str]) -> tuple[list[str], list[str]]:
        missing, unused = [], []
        for some in _by(_AT_ONCE, keys):
            shown = await self._rows.shown(some)
            missing += [key for key, is_shown in shown.items() if is_shown]
            unused += [key for key, is_shown in shown.items() if not is_shown]
        return missing, unused


def _owner(key: str) -> str | None:
    """The account in a key of ours; none has "", and what is no key of ours None."""
    found = _KEY.fullmatch(key)
    return None if found is None else found[1] or ""


async def _side_by_side(
    listed: AsyncIterator[Listed], rows: AsyncIterator[ObjectRow]
) -> AsyncIterator[tuple[Listed | None, ObjectRow | None]]:
    """Both in the order of their keys; what has the same key comes together."""
    one, row = await anext(listed, None), await anext(rows, None)
    while one is not None or row is not None:
        if row is None or (one is not None and one.key < row.key):
            yield one, None
            one = await anext(listed, None)
        elif one is None or row.key < one.key:
            yield None, row
            row = await anext(rows, None)
        else:
            yield one, row
            one, row = await anext(listed, None), await anext(rows, None)


async def _each(pages: AsyncIterator[list[T]]) -> AsyncIterator[T]:
    async for page in pages:
        for one in page:
            yield one


def _by(count: int, every: Iterable[T]) -> Iterable[list[T]]:
    left = iter(every)
    while some := list(islice(left, count)):
        yield some
