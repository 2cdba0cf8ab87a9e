"""The object store over obstore: a local folder, S3 and what speaks it (R2, Supabase, MinIO), Google, Azure."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, GenericError, NotFoundError
from obstore.store import AzureStore, GCSStore, LocalStore, S3Store

from canvas.errors import Invalid
from jobs.errors import StorageFailed
from jobs.metrics import STORAGE_WRITES
from jobs.objects.port import Listed

if TYPE_CHECKING:  # obstore keeps these types in its stubs only
    from obstore import GetOptions, GetResult
    from obstore.store import ClientConfig, RetryConfig, S3Config

CHUNK_BYTES = 256 * 1024
PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes for a part
PARTS_AT_ONCE = 2  # one is filled while the other one is on its way: what an upload holds in memory
LISTED_AT_ONCE = 1000  # what S3 gives in a page
_NO_RANGES = "non-partial response"  # what obstore says of a look-alike that answers a range with the whole (rclone)
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
                    return _chunks(await obstore.get_async(self._store, key))
                options: GetOptions = {"range": {"offset": start} if end is None else (start, end)}
                return _chunks(await obstore.get_async(self._store, key, options=options))
            except (NotFoundError, FileNotFoundError):
                return None
            except GenericError as error:
                if _NO_RANGES not in str(error):
                    raise
                return _part(_chunks(await obstore.get_async(self._store, key)), start, end)

    async def size(self, key: str) -> int | None:
        with _translated("read"):
            try:
                return (await obstore.head_async(self._store, key))["size"]
            except (NotFoundError, FileNotFoundError):
                return None

    async def modified_at(self, key: str) -> datetime | None:
        with _translated("read"):
            try:
                if isinstance(self._store, LocalStore):
                    return _modified_at(_folder_of(self._store) / key)
                return (await obstore.head_async(self._store, key))["last_modified"]
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

    async def pages(self) -> AsyncIterator[list[Listed]]:
        with _translated("list"):
            if isinstance(self._store, LocalStore):
                files = _files(_folder_of(self._store))
                while page := await asyncio.to_thread(lambda: list(islice(files, LISTED_AT_ONCE))):
                    yield page
            else:
                async for found in obstore.list(self._store, chunk_size=LISTED_AT_ONCE):
                    yield [Listed(one["path"], one["last_modified"], one["size"]) for one in found]

    async def sign(self, method: Literal["GET", "PUT"], key: str, lasts: timedelta) -> str:
        assert not isinstance(self._store, LocalStore)
        with _translated("sign for"):
            return await obstore.sign_async(self._store, method, key, lasts)

    async def signed_beginning(self) -> str | None:
        """What every address that it signs begins with, up to a slash. None: it signs none."""
        if not self.signs:
            return None
        name = "a"
        url = await self.sign("GET", name, timedelta(minutes=1))
        return url.partition("?")[0].removesuffix(name)

    async def check(self) -> None:
        await self.size("health")


def _folder_of(store: LocalStore) -> Path:
    assert store.prefix is not None  # `_local` gives one
    return Path(store.prefix)


def _files(folder: Path, under: str = "") -> Iterator[Listed]:
    """In the order of their keys, and with those that a crash cut off (`key#1`): obstore's own list has neither."""
    with suppress(FileNotFoundError):  # deleted meanwhile
        for entry in sorted(os.scandir(folder / under), key=lambda entry: entry.name + "/" * entry.is_dir()):
            if entry.is_dir():
                yield from _files(folder, f"{under}{entry.name}/")
            else:
                with suppress(FileNotFoundError):
                    yield Listed(under + entry.name, _modified_at(Path(entry)), entry.stat().st_size)


def _modified_at(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


async def _chunks(found: GetResult) -> AsyncIterator[bytes]:
    with _translated("read"):
        async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
            yield bytes(chunk)


async def _part(chunks: AsyncIterator[bytes], start: int, end: int | None) -> AsyncIterator[bytes]:
    """What lies from `start` to before `end`; the rest is thrown away as it comes."""
    at = 0
    async for chunk in chunks:
        piece = chunk[max(start - at, 0) : None if end is None else max(end - at, 0)]
        if piece:
            yield piece
        at += len(chunk)
        if end is not None and at >= end:
            return


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
    """`url` is EASEL_STORAGE_URL, or a folder's path. Raises Invalid, with the cure, for one that opens no store."""
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    bucket, prefix = parts.netloc, parts.path.strip("/") or None
    match parts.scheme:
        case "" | "file":
            return Objects(_local(unquote(parts.path)))
        case "s3":
            return Objects(_s3(bucket, prefix, options))
        case "gs":
            return Objects(_google(bucket, prefix, options))
        case "az":
            return Objects(_azure(bucket, prefix, options))
        case scheme:
            raise Invalid(f"EASEL_STORAGE_URL begins with {scheme}://; use a folder, file://, s3://, gs:// or az://.")


def folder_of(url: str) -> Path | None:
    """The folder in which a store of files is; None for a bucket. `url` is EASEL_STORAGE_URL, or a folder's path."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme in {"", "file"} else None


def _local(path: str) -> LocalStore:
    folder = Path(path)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return LocalStore(folder)


def _s3(bucket: str, prefix: str | None, options: dict[str, str]) -> S3Store:
    unknown = options.keys() - {"endpoint", "region"}
    if not bucket or unknown:
        raise Invalid("EASEL_STORAGE_URL for S3 reads s3://bucket/folder?endpoint=https://…&region=…")
    config: S3Config = {"bucket": bucket, "region": options.get("region", "us-east-1")}
    if "endpoint" in options:
        endpoint = urlsplit(options["endpoint"])
        if endpoint.scheme not in {"http", "https"} or not endpoint.hostname:
            raise Invalid("The endpoint in EASEL_STORAGE_URL is an address: endpoint=https://…")
        config["endpoint"] = options["endpoint"]
        config["virtual_hosted_style_request"] = False  # every look-alike takes the bucket in the path; few as a host
    with _refused("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."):
        return S3Store(prefix=prefix, config=config, client_options=_CLIENT, retry_config=_RETRY)


def _google(bucket: str, prefix: str | None, options: dict[str, str]) -> GCSStore:
    if not bucket or options:
        raise Invalid("EASEL_STORAGE_URL for Google reads gs://bucket/folder")
    with _refused("Set GOOGLE_SERVICE_ACCOUNT to the path of a service account's key file."):
        return GCSStore(bucket, prefix=prefix, client_options=_CLIENT, retry_config=_RETRY)


def _azure(container: str, prefix: str | None, options: dict[str, str]) -> AzureStore:
    if not container or options:
        raise Invalid("EASEL_STORAGE_URL for Azure reads az://container/folder")
    with _refused("Set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY."):
        return AzureStore(container, prefix=prefix, client_options=_CLIENT, retry_config=_RETRY)


@contextmanager
def _refused(cure: str) -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        raise Invalid(f"EASEL_STORAGE_URL cannot be opened: {reason_of(error)}. {cure}") from error


def reason_of(error: BaseException) -> str:
    """The first line of what obstore says: below it are Rust's own notes."""
    return str(error).partition("\n")[0].rstrip(". ")
