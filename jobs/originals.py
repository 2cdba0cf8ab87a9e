"""Pictures that came with something else, such as an imported document: kept as they are, byte for byte."""

from __future__ import annotations

import secrets

from jobs.images.decode import Facts
from jobs.objects.port import ObjectStore
from jobs.renders import EXTENSIONS, FOLDERS, KeptObject
from jobs.store.objects import ObjectRows


class Originals:
    def __init__(self, rows: ObjectRows, objects: ObjectStore) -> None:
        self._rows = rows
        self._objects = objects

    async def keep(self, account_id: str, content: bytes, facts: Facts) -> str:
        """The key under which an inspected picture is kept. Raises StorageFailed, Unavailable."""
        name = f"{secrets.token_hex(16)}-{facts.sha256[:16]}.{EXTENSIONS[facts.content_type]}"
        kept = KeptObject(
            key=f"{FOLDERS['original']}/{account_id}/{name}",
            content_type=facts.content_type,
            size_bytes=len(content),
            sha256=bytes.fromhex(facts.sha256),
            width_px=facts.width_px,
            height_px=facts.height_px,
        )
        # Bytes before row: a crash between the two leaves an object that a sweep can find, never a broken URL.
        await self._objects.put(kept.key, content, kept.content_type)
        await self._rows.insert(account_id, kept)
        return kept.key
