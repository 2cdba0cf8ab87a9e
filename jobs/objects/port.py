"""Bytes by key. Whatever stands behind it fails with StorageFailed, and a repeated write changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Protocol


class Listed(NamedTuple):
    key: str
    modified_at: datetime
    size_bytes: int


class ObjectStore(Protocol):
    async def put(self, key: str, content: bytes, content_type: str) -> None: ...

    async def take_in(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """What `chunks` gives, without holding all of it. When it raises, that is raised and nothing is stored."""

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes] | None:
        """The bytes from `start` to before `end`, in chunks. None: there is no such object."""

    async def size(self, key: str) -> int | None:
        """In bytes. None: there is no such object."""

    async def modified_at(self, key: str) -> datetime | None:
        """When it was put last. None: there is no such object."""

    async def delete(self, key: str) -> None:
        """Deleting what is not there is fine."""

    def pages(self) -> AsyncIterator[list[Listed]]:
        """All objects, in the order of their keys' bytes, some at a time."""

    async def sign(self, method: Literal["GET", "PUT"], key: str, lasts: timedelta) -> str:
        """An address at the store itself, good for a while. Only where `signs`."""

    async def check(self) -> None:
        """Raise StorageFailed when the store cannot be reached."""
