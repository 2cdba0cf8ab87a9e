"""From a provider's picture to bytes that are ours: fetched, checked, and in the object store under derived keys."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from canvas.errors import EaselError
from jobs.call import MadePicture
from jobs.errors import DownloadFailed, ImageInvalid, StorageFailed
from jobs.images.decode import Facts
from jobs.images.variants import Variant
from jobs.metrics import processing
from jobs.objects.port import ObjectStore
from jobs.patience import Patience, Sleep, patiently
from jobs.providers.port import Picture, Provider
from jobs.renders import KeptObject, KeptPicture, Salted, VariantKind, object_key
from jobs.run import Run

VARIANT_PAUSES_S = (0.5, 1.0)

T = TypeVar("T")


class Pictures(Protocol):
    """`jobs.images.sandbox.PictureWorkers`."""

    async def inspect(self, content: bytes) -> Facts: ...

    async def variants(self, content: bytes, watermark: str, *, generated: bool) -> list[Variant]: ...

    async def quarters(self, content: bytes) -> list[bytes]: ...


class Fetch(Protocol):
    """`jobs.downloads.Downloads`."""

    async def fetch(self, url: str, *, hosts: frozenset[str] | None, own_origin: str | None = None) -> bytes: ...


class Keeper:
    def __init__(
        self,
        pictures: Pictures,
        objects: ObjectStore,
        downloads: Fetch,
        patience: Patience,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._pictures = pictures
        self._objects = objects
        self._downloads = downloads
        self._patience = patience
        self._sleep = sleep

    async def keep(self, run: Run, number: int, first: int, picture: Picture, provider: Provider) -> list[MadePicture]:
        """The original (of a grid: its four) into the object store.

        `number` is the order's, `first` the picture's in it. Raises DownloadFailed, DownloadBlocked, ImageInvalid,
        StorageFailed; each was tried as often as it makes sense.
        """
        with processing():
            content, facts = await self._inspected(picture, provider.result_hosts, provider.own_origin)
            if not picture.is_grid:
                return [await self._put_original(run, f"{number}.{first}", content, facts, picture.seed)]
            made = []
            for place, quarter in enumerate(await self._pictures.quarters(content)):
                facts = await self._pictures.inspect(quarter)
                made.append(await self._put_original(run, f"{number}.{first}.{place}", quarter, facts, picture.seed))
            return made

    async def keep_from(self, of: Salted, url: str) -> MadePicture:
        """The original of an import, from any public address. Raises as `keep`."""
        with processing():
            content, facts = await self._inspected(Picture(url=url), None, None)
            return await self._put_original(of, "0", content, facts, None)

    async def discard(self, key: str) -> None:
        """Raises StorageFailed."""
        await self._objects.delete(key)

    async def finish(self, of: Salted, made: MadePicture, watermark: str, *, generated: bool = True) -> KeptPicture:
        """With its variants. Raises ImageInvalid when they cannot be made, three times, and StorageFailed."""
        content = await self.read(made.key)
        variants = await patiently(
            lambda: self._pictures.variants(content, watermark, generated=generated),
            lambda error: isinstance(error, ImageInvalid),
            VARIANT_PAUSES_S,
            self._sleep,
        )
        kept: dict[VariantKind, KeptObject] = {}
        for variant in variants:
            kept[variant.kind] = stored = _variant_object(of, made, variant)
            await self._put(stored.key, variant.content, stored.content_type)
        return KeptPicture(_original(made), kept, made.seed)

    async def finish_or_bare(
        self, of: Salted, made: MadePicture, watermark: str, *, generated: bool = True
    ) -> tuple[KeptPicture, ImageInvalid | None]:
        """A picture without its small sizes is a picture all the same, and they may be made later (JB36).

        And why they could not be made. Raises StorageFailed.
        """
        try:
            return await self.finish(of, made, watermark, generated=generated), None
        except ImageInvalid as error:
            return KeptPicture(_original(made), {}, made.seed), error

    async def read(self, key: str) -> bytes:
        """Raises StorageFailed, also when it is not there."""

        async def read() -> bytes:
            chunks = await self._objects.open(key)
            if chunks is None:
                raise StorageFailed("A picture that was stored is not in the picture store any more.")
            return b"".join([chunk async for chunk in chunks])

        return await self._patiently(read)

    async def fetch(self, url: str, hosts: frozenset[str] | None, own_origin: str | None = None) -> bytes:
        """`hosts`: where it may come from; None: any public one. Raises DownloadFailed, DownloadBlocked."""
        return await self._patiently(lambda: self._downloads.fetch(url, hosts=hosts, own_origin=own_origin))

    async def _inspected(
        self, picture: Picture, hosts: frozenset[str] | None, own_origin: str | None
    ) -> tuple[bytes, Facts]:
        """A download that arrives broken is fetched once more: it may have been cut on the way."""
        if picture.url is None:
            content = picture.content or b""
            return content, await self._pictures.inspect(content)
        content = await self.fetch(picture.url, hosts, own_origin)
        try:
            return content, await self._pictures.inspect(content)
        except ImageInvalid:
            content = await self.fetch(picture.url, hosts, own_origin)
            return content, await self._pictures.inspect(content)

    async def _put_original(self, of: Salted, name: str, content: bytes, facts: Facts, seed: int | None) -> MadePicture:
        sha256 = bytes.fromhex(facts.sha256)
        made = MadePicture(
            key=object_key(of, name, "original", sha256, facts.content_type),
            content_type=facts.content_type,
            size_bytes=len(content),
            sha256=facts.sha256,
            width_px=facts.width_px,
            height_px=facts.height_px,
            seed=seed if seed is not None and abs(seed) < 2**63 else None,  # a provider may say anything
        )
        await self._put(made.key, content, made.content_type)
        return made

    async def _put(self, key: str, content: bytes, content_type: str) -> None:
        await self._patiently(lambda: self._objects.put(key, content, content_type))

    async def _patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        pauses_s = [self._patience.pause_s(tries) for tries in range(1, self._patience.steps)]
        return await patiently(act, _passes, pauses_s, self._sleep)


def _passes(error: EaselError) -> bool:
    return isinstance(error, DownloadFailed | StorageFailed) and error.code != "OUTPUT_EXPIRED"


def _original(made: MadePicture) -> KeptObject:
    return KeptObject(
        key=made.key,
        content_type=made.content_type,
        size_bytes=made.size_bytes,
        sha256=bytes.fromhex(made.sha256),
        width_px=made.width_px,
        height_px=made.height_px,
    )


def _variant_object(of: Salted, made: MadePicture, variant: Variant) -> KeptObject:
    sha256 = hashlib.sha256(variant.content).digest()
    return KeptObject(
        key=object_key(of, made.key, variant.kind, sha256, variant.content_type),
        content_type=variant.content_type,
        size_bytes=len(variant.content),
        sha256=sha256,
        width_px=variant.width_px,
        height_px=variant.height_px,
        blur=variant.blur,
    )
