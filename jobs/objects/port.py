"""Bytes by key. Whatever stands behind it fails with StorageFailed, and a repeated write changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class ObjectStore(Protocol):
    async def put(self, key: str, content: bytes, content_type: str) -> None: ...

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes] | None:
        """The bytes from `start` to before `end`, in chunks. None: there is no such object."""

    async def exists(self, key: str) -> bool: ...

    async def delete(self, key: str) -> None:
        """Deleting what is not there is fine."""

    async def check(self) -> None:
        """Raise StorageFailed when the store cannot be reached."""
