"""The object store over obstore: a local folder, S3 and what speaks it (R2, Supabase, MinIO), Google, Azure."""

from __future__ import annotations

import asyncio
import heapq
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import AzureStore, GCSStore, LocalStore, S3Store

from canvas.errors import Invalid
from jobs.errors import StorageFailed
from jobs.metrics import STORAGE_WRITES
from jobs.objects.port import Listed

if TYPE_CHECKING:  # obstore keeps these types in its stubs only
    from obstore import GetResult
    from obstore.store import ClientConfig, RetryConfig, S3Config

CHUNK_BYTES = 256 * 1024
PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes for a part
PARTS_AT_ONCE = 2  # one is filled while the other one is on its way: what an upload holds in memory
# obstore's own tries end before the run's next heartbeat; the longer patience is the runner's.
_RETRY: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=5)}
_CLIENT: ClientConfig = {"connect_timeout": timedelta(seconds=3), "timeout": timedelta(seconds=60), "allow_http": True}
_CACHE_CONTROL = "public, max-age=31536000, immutable"  # a key names its content


class Objects:
    """Use `open_objects`."""

    def __init__(self, store: LocalStore | S3Store | GCSStore | AzureStore) -> None:
        self._store = store

    @property
    def signs(self) -> bool:
        """Whether it takes and gives bytes by itself, at addresses that we sign. A folder cannot."""
        return not isinstance(self._store, LocalStore)

    @property
    def upload_headers(self) -> dict[str, str]:
        """What the store wants to be told besides, when somebody puts bytes at an address that it signed."""
        return {"x-ms-blob-type": "BlockBlob"} if isinstance(self._store, AzureStore) else {}

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        with _translated("write"):
            if isinstance(self._store, LocalStore):  # a folder keeps no attributes; our `objects` table does
                await obstore.put_async(self._store, key, content)
            else:
                attributes = {"Content-Type": content_type, "Cache-Control": _CACHE_CONTROL}
                await obstore.put_async(self._store, key, content, attributes=attributes)

    async def take_in(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        with _translated("write"):
            await obstore.put_async(
                self._store, key, chunks, use_multipart=True, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
            )

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes] | None:
        with _translated("read"):
            try:
                if start == 0 and end is None:
                    found = await obstore.get_async(self._store, key)
                elif end is None:
                    found = await obstore.get_async(self._store, key, options={"range": {"offset": start}})
                else:
                    found = await obstore.get_async(self._store, key, options={"range": (start, end)})
            except (NotFoundError, FileNotFoundError):
                return None
        return _chunks(found)

    async def size(self, key: str) -> int | None:
        with _translated("read"):
            try:
                return (await obstore.head_async(self._store, key))["size"]
            except (NotFoundError, FileNotFoundError):
                return None

    async def delete(self, key: str) -> None:
        with _translated("delete from"):
            if isinstance(self._store, LocalStore):
                _folder_of(self._store).joinpath(key).unlink(missing_ok=True)
                return
            try:
                await obstore.delete_async(self._store, key)
            except (NotFoundError, FileNotFoundError):
                return

    async def page(self, after: str, limit: int) -> list[Listed]:
        with _translated("list"):
            if isinstance(self._store, LocalStore):
                return await asyncio.to_thread(_files_after, _folder_of(self._store), after, limit)
            found: list[Listed] = []
            async for page in obstore.list(self._store, offset=after or None, chunk_size=min(limit, 1000)):
                found += [Listed(one["path"], one["last_modified"]) for one in page]
                if len(found) >= limit:
                    break
            return found[:limit]

    async def sign(self, method: Literal["GET", "PUT"], key: str, lasts: timedelta) -> str:
        assert not isinstance(self._store, LocalStore)
        with _translated("sign for"):
            return await obstore.sign_async(self._store, method, key, lasts)

    async def check(self) -> None:
        await self.size("health")


def _folder_of(store: LocalStore) -> Path:
    assert store.prefix is not None  # `_local` gives one
    return Path(store.prefix)


def _files_after(folder: Path, after: str, limit: int) -> list[Listed]:
    """Uploads that a crash cut off as well (`key#1`): obstore's own list passes over them."""
    files = (Path(where, name).relative_to(folder).as_posix() for where, _, names in os.walk(folder) for name in names)
    keys = heapq.nsmallest(limit, (key for key in files if key > after))
    found = []
    for key in keys:
        try:
            changed_s = folder.joinpath(key).stat().st_mtime
        except FileNotFoundError:  # deleted meanwhile
            continue
        found.append(Listed(key, datetime.fromtimestamp(changed_s, UTC)))
    return found


async def _chunks(found: GetResult) -> AsyncIterator[bytes]:
    with _translated("read"):
        async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
            yield bytes(chunk)


@contextmanager
def _translated(verb: str) -> Iterator[None]:
    """Its errors into ours; writes are counted."""
    try:
        yield
    except (BaseError, OSError) as error:
        if verb == "write":
            STORAGE_WRITES.labels("failure").inc()
        raise StorageFailed(f"Easel could not {verb} the picture store. Check EASEL_STORAGE_URL.") from error
    if verb == "write":
        STORAGE_WRITES.labels("success").inc()


def open_objects(url: str) -> Objects:
    """`url` is EASEL_STORAGE_URL, or a folder's path. Raises Invalid for one that names no store we know."""
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    match parts.scheme:
        case "" | "file":
            return Objects(_local(unquote(parts.path)))
        case "s3":
            return Objects(_s3(parts.netloc, parts.path.strip("/"), options))
        case "gs":
            return Objects(GCSStore(parts.netloc, prefix=parts.path.strip("/") or None, retry_config=_RETRY))
        case "az":
            return Objects(AzureStore(parts.netloc, prefix=parts.path.strip("/") or None, retry_config=_RETRY))
        case scheme:
            raise Invalid(f"EASEL_STORAGE_URL begins with {scheme}://; use a folder, file://, s3://, gs:// or az://.")


def _local(path: str) -> LocalStore:
    folder = Path(path)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return LocalStore(folder)


def _s3(bucket: str, prefix: str, options: dict[str, str]) -> S3Store:
    unknown = options.keys() - {"endpoint", "region"}
    if not bucket or unknown:
        raise Invalid("EASEL_STORAGE_URL for S3 reads s3://bucket/folder?endpoint=https://…&region=…")
    config: S3Config = {"bucket": bucket, "region": options.get("region", "us-east-1")}
    if "endpoint" in options:
        config["endpoint"] = options["endpoint"]
        config["virtual_hosted_style_request"] = False  # every look-alike takes the bucket in the path; few as a host
    return S3Store(prefix=prefix or None, config=config, client_options=_CLIENT, retry_config=_RETRY)
