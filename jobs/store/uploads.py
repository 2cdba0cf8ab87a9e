"""Rows of `uploads`: keys that were given out, and who is making an artwork of which."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from canvas.errors import Conflict, LimitReached, NotFound
from canvas.store.postgres import Connection, Pool, reaching_the_database

MAX_OPEN = 100  # of an account: what comes and is never used costs its room for two hours
LEASE = timedelta(minutes=5)  # a server that died with a claim leaves the key to the next one after that
USABLE_FOR = timedelta(hours=1)  # beyond the address's end: an upload that began in time may still be verified
USED_FOR = timedelta(days=1)  # so long a key that was used is told from one that never was


class UploadStore:
    def __init__(self, database: Pool) -> None:
        self._database = database

    async def create(self, account_id: str, lasts: timedelta) -> tuple[str, datetime]:
        """A new key and until when it may be written to. Raises LimitReached."""
        key = f"uploads/{account_id}/{secrets.token_hex(16)}"
        async with reaching_the_database():
            expires_at = await self._database.fetchval(_CREATE, key, account_id, lasts, MAX_OPEN)
        if expires_at is None:
            raise LimitReached(f"{MAX_OPEN} uploads of yours wait to become artworks. Finish some first.")
        return key, expires_at

    async def is_open(self, key: str) -> bool:
        """Whether bytes may still come in under it."""
        async with reaching_the_database():
            return bool(await self._database.fetchval(_IS_OPEN, key, LEASE))

    async def claim(self, key: str, account_id: str) -> str:
        """The claim of whoever is first (AW3). Raises NotFound for a key of somebody else, Conflict for a used one."""
        claim = secrets.token_hex(16)
        async with reaching_the_database():
            row = await self._database.fetchrow(_CLAIM, key, account_id, claim, LEASE, USABLE_FOR)
            if row is None:
                row = await self._database.fetchrow(_FIND, key, account_id, USABLE_FOR)
        if row is None:
            raise NotFound(
                "Nothing was to be uploaded under this originalKey, or it has expired. Ask for an address at "
                "POST /api/artworks/upload-url and upload again."
            )
        if row["artwork_id"] is not None:
            detail = "This upload has become an artwork already. Upload again for another one."
            raise Conflict(detail, code="UPLOAD_USED", artworkId=row["artwork_id"])
        if row["claim"] != claim:
            raise Conflict("This upload is just becoming an artwork.", code="UPLOAD_USED")
        return claim

    async def release(self, key: str, claim: str) -> None:
        """It did not become an artwork: somebody may try again."""
        async with reaching_the_database():
            await self._database.execute(_RELEASE, key, claim)

    async def expire(self, limit: int) -> list[str]:
        """Take away rows nobody may use any more, and answer their keys: whatever is stored there is to go."""
        async with reaching_the_database():
            rows = await self._database.fetch(_EXPIRE, USABLE_FOR, USED_FOR, LEASE, limit)
        return [row["key"] for row in rows]


async def use_up(connection: Connection, key: str, claim: str, artwork_id: str) -> None:
    """In the transaction that writes the artwork down. Raises Conflict for a claim that was lost (AW3)."""
    if await connection.fetchval(_USE_UP, key, claim, artwork_id) is None:
        raise Conflict("This upload took too long to be worked on. Try again.", code="UPLOAD_USED")


_CREATE = """
    INSERT INTO uploads (key, account_id, expires_at)
    SELECT $1, $2, now() + $3::interval
    WHERE (SELECT count(*) FROM uploads WHERE account_id = $2 AND artwork_id IS NULL) < $4
    RETURNING expires_at"""
_IS_OPEN = """
    SELECT EXISTS (SELECT FROM uploads WHERE key = $1 AND artwork_id IS NULL AND expires_at > now()
      AND (claimed_at IS NULL OR claimed_at < now() - $2::interval))"""
_CLAIM = """
    UPDATE uploads SET claim = $3, claimed_at = now()
    WHERE key = $1 AND account_id = $2 AND artwork_id IS NULL AND expires_at > now() - $5::interval
      AND (claimed_at IS NULL OR claimed_at < now() - $4::interval)
    RETURNING claim, artwork_id"""
_FIND = """
    SELECT claim, artwork_id FROM uploads
    WHERE key = $1 AND account_id = $2 AND (artwork_id IS NOT NULL OR expires_at > now() - $3::interval)"""
_RELEASE = "UPDATE uploads SET claim = NULL, claimed_at = NULL WHERE key = $1 AND claim = $2 AND artwork_id IS NULL"
_USE_UP = "UPDATE uploads SET artwork_id = $3 WHERE key = $1 AND claim = $2 AND artwork_id IS NULL RETURNING key"
_EXPIRE = """
    DELETE FROM uploads WHERE key = ANY(ARRAY(
      SELECT key FROM uploads
      WHERE expires_at < now() - CASE WHEN artwork_id IS NULL THEN $1::interval ELSE $2::interval END
        AND (artwork_id IS NOT NULL OR claimed_at IS NULL OR claimed_at < now() - $3::interval)
      ORDER BY expires_at LIMIT $4 FOR UPDATE SKIP LOCKED))
    RETURNING key"""
