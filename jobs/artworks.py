"""From an upload to an artwork: what arrived is looked at, its sizes are made, and everything is kept, or nothing."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
import structlog

from canvas.errors import Conflict, Invalid, TooLarge, Unavailable
from canvas.ids import new_id
from canvas.values import check_json
from jobs.artwork import Artwork, KeptArtwork, PictureKind, Place, Words
from jobs.errors import ImageInvalid, ProcessingFailed, StorageFailed
from jobs.images.decode import Facts
from jobs.images.variants import Variant
from jobs.metrics import processing
from jobs.objects.links import Links
from jobs.objects.port import ObjectStore
from jobs.renders import EXTENSIONS, FOLDERS, KeptObject
from jobs.store.artworks import ArtworkStore
from jobs.store.uploads import UploadStore

log = structlog.get_logger(__name__)

UPLOAD_LASTS = timedelta(hours=1)  # the largest picture over a line of 0.2 Mbit/s
DEADLINE_S = 240.0  # less than the claim's lease: who is later than that has lost the key
AT_ONCE = 4  # each is held in memory, up to EASEL_MAX_UPLOAD_BYTES
_AT_ONCE = 200
ANY_TYPE = "application/octet-stream"
MAX_FILENAME_CHARACTERS = 1_000
SIZES: frozenset[PictureKind] = frozenset({"display", "thumbnail", "icon"})


class NewUpload(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    filename: str
    content_type: str = ANY_TYPE
    size_bytes: int | None = None


class UploadUrl(msgspec.Struct, frozen=True, rename="camel"):
    """CONTRACT §4: send the file there, then its `key` to POST /api/artworks."""

    upload_url: str
    method: str
    headers: dict[str, str]
    key: str
    expires_at: datetime


class Pictures(Protocol):
    """`jobs.images.sandbox.PictureWorkers`."""

    async def inspect(self, content: bytes) -> Facts: ...

    async def variants(self, content: bytes, watermark: str, *, generated: bool) -> list[Variant]: ...


class Artworks:
    def __init__(
        self,
        store: ArtworkStore,
        uploads: UploadStore,
        objects: ObjectStore,
        pictures: Pictures,
        links: Links,
        max_bytes: int,
    ) -> None:
        self.store = store
        self._uploads = uploads
        self._objects = objects
        self._pictures = pictures
        self._links = links
        self._max_bytes = max_bytes
        self._places = asyncio.Semaphore(AT_ONCE)

    async def upload_url(self, new: NewUpload, account_id: str, origin: str) -> UploadUrl:
        """A key of the account's and how to write under it (AW1). Raises Invalid, TooLarge, LimitReached."""
        content_type = new.content_type.partition(";")[0].strip().lower()
        check_json(new.filename)
        if not 1 <= len(new.filename) <= MAX_FILENAME_CHARACTERS:
            raise Invalid("filename is the name of the file.")
        if content_type not in (*EXTENSIONS, ANY_TYPE):
            raise Invalid(f"contentType is one of {', '.join((*EXTENSIONS, ANY_TYPE))}.", code="IMAGE_INVALID")
        if new.size_bytes is not None and new.size_bytes < 1:
            raise Invalid("The file is empty.", code="IMAGE_INVALID")
        if new.size_bytes is not None and new.size_bytes > self._max_bytes:
            raise self._too_large()
        key, expires_at = await self._uploads.create(account_id, UPLOAD_LASTS)
        signed = await self._links.for_upload(key, content_type, self._max_bytes, expires_at, origin)
        return UploadUrl(signed.url, signed.method, signed.headers, key, signed.expires_at)

    async def take_in(self, key: str, max_bytes: int, chunks: AsyncIterator[bytes]) -> None:
        """An upload through us (AW2). Raises TooLarge at the first byte too many, Conflict, StorageFailed."""
        if not await self._uploads.is_open(key):
            raise Conflict("This upload has been used or has expired. Ask for a new address.", code="UPLOAD_USED")
        await self._objects.take_in(key, self._bounded(chunks, max_bytes))

    async def create(
        self, key: str, words: Words, place: Place | None, account_id: str, watermark: str, *, is_limited: bool = True
    ) -> Artwork:
        """All of it or nothing (AW4).

        Raises NotFound, Conflict for the key; Invalid when what arrived is no picture that is taken; ProcessingFailed,
        StorageFailed, ArtworkLimitReached, Unavailable.
        """
        async with self._places:
            if is_limited:
                await self.store.check_limit(account_id)
            claim = await self._uploads.claim(key, account_id)
            try:
                with processing():
                    async with asyncio.timeout(DEADLINE_S):
                        artwork = await self._create(
                            key, claim, words, place, account_id, watermark, is_limited=is_limited
                        )
            except BaseException as error:
                await self._let_go(key, claim)
                if isinstance(error, TimeoutError):
                    raise ProcessingFailed("Image processing failed. Please try again.") from error
                raise
        await self._discard([key])  # the verified bytes are the original's; whoever still writes here changes nothing
        return artwork

    async def expire(self) -> int:
        """Take away uploads that became nothing (AW12). Raises Unavailable, StorageFailed."""
        count = 0
        while keys := await self._uploads.expire(_AT_ONCE):
            for key in keys:
                await self._objects.delete(key)
            count += len(keys)
        return count

    async def retire(self, keep_days: int) -> int:
        """Take away what has been in the trash for so long, bytes included. Raises Unavailable, StorageFailed."""
        count = 0
        while keys := await self.store.retire(keep_days):
            for key in keys:
                await self._objects.delete(key)
            count += len(keys)
        return count

    async def _create(
        self,
        key: str,
        claim: str,
        words: Words,
        place: Place | None,
        account_id: str,
        watermark: str,
        *,
        is_limited: bool,
    ) -> Artwork:
        content = await self._arrived(key)
        try:
            facts = await self._pictures.inspect(content)
        except ImageInvalid as error:
            raise Invalid(error.detail, code=error.code) from error
        pictures = [_original(account_id, facts)]
        contents = [content]
        for variant in await self._variants(content, watermark):
            pictures.append(_variant(account_id, variant))
            contents.append(variant.content)
        kept = KeptArtwork(new_id("art"), account_id, words, place, dict(pictures))
        try:
            await self._put_all([one for _, one in pictures], contents)
            return await self.store.insert(kept, key, claim, is_limited=is_limited)
        except Unavailable:
            # Nobody knows whether it was committed. If it was, these are its pictures; if not, the sweep finds them.
            raise
        except BaseException:
            await self._discard([one.key for _, one in pictures])
            raise

    async def _put_all(self, objects: list[KeptObject], contents: list[bytes]) -> None:
        """At once. When one fails the others are waited for: a write that is given up halfway may still arrive."""
        writes = (
            self._objects.put(one.key, content, one.content_type)
            for one, content in zip(objects, contents, strict=True)
        )
        for outcome in await asyncio.gather(*writes, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _arrived(self, key: str) -> bytes:
        """What was put under the key. Raises Invalid when it is nothing, or too much."""
        size = await self._objects.size(key)
        chunks = await self._objects.open(key) if size is not None else None
        if chunks is None:
            raise Invalid("Nothing has been uploaded under this originalKey yet.", code="UPLOAD_MISSING")
        if size is not None and size > self._max_bytes:
            raise Invalid(self._too_large().detail, code="IMAGE_TOO_LARGE")
        try:
            return b"".join([chunk async for chunk in self._bounded(chunks, self._max_bytes)])
        except TooLarge as error:  # overwritten since
            raise Invalid(error.detail, code=error.code) from error

    async def _variants(self, content: bytes, watermark: str) -> list[Variant]:
        try:
            variants = await self._pictures.variants(content, watermark, generated=False)
        except (ImageInvalid, RuntimeError) as error:  # it was decoded a moment ago: ours to mend
            log.exception("artwork.variants_failed")
            raise ProcessingFailed("Image processing failed. Please try again.") from error
        if {variant.kind for variant in variants} != SIZES:
            raise ProcessingFailed("Image processing failed. Please try again.")
        return variants

    async def _bounded(self, chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
        count = 0
        async for chunk in chunks:
            count += len(chunk)
            if count > max_bytes:
                raise self._too_large()
            yield chunk

    def _too_large(self) -> TooLarge:
        return TooLarge(f"At most {self._max_bytes / 2**20:.4g} MiB are taken.", code="IMAGE_TOO_LARGE")

    async def _let_go(self, key: str, claim: str) -> None:
        try:
            await self._uploads.release(key, claim)
        except Unavailable as error:  # its lease ends by itself
            log.warning("upload.not_released", reason=error.detail)

    async def _discard(self, keys: list[str]) -> None:
        """As far as the store lets us; what stays is the sweep's."""
        for key in keys:
            try:
                await self._objects.delete(key)
            except StorageFailed as error:
                log.warning("object.not_deleted", key=key, reason=error.detail)


def _original(account_id: str, facts: Facts) -> tuple[PictureKind, KeptObject]:
    sha256 = bytes.fromhex(facts.sha256)
    key = _key("original", account_id, sha256, facts.content_type)
    return "original", KeptObject(key, facts.content_type, facts.size_bytes, sha256, facts.width_px, facts.height_px)


def _variant(account_id: str, variant: Variant) -> tuple[PictureKind, KeptObject]:
    sha256 = hashlib.sha256(variant.content).digest()
    key = _key(variant.kind, account_id, sha256, variant.content_type)
    return variant.kind, KeptObject(
        key, variant.content_type, len(variant.content), sha256, variant.width_px, variant.height_px, variant.blur
    )


def _key(kind: PictureKind, account_id: str, sha256: bytes, content_type: str) -> str:
    """Each size has its own unguessable part, as in JB16."""
    name = f"{secrets.token_hex(16)}-{sha256.hex()[:16]}.{EXTENSIONS[content_type]}"
    return f"{FOLDERS[kind]}/{account_id}/{name}"
