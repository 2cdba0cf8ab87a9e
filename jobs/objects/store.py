"""The object store over obstore: a local folder, S3 and what speaks it (R2, Supabase, MinIO), Google, Azure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import AzureStore, GCSStore, LocalStore, S3Store

from canvas.errors import Invalid
from jobs.errors import StorageFailed

if TYPE_CHECKING:  # obstore keeps these types in its stubs only
    from obstore import GetResult
    from obstore.store import ClientConfig, RetryConfig, S3Config

CHUNK_BYTES = 256 * 1024
# obstore's own tries end before the run's next heartbeat; the longer patience is the runner's.
_RETRY: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=5)}
_CLIENT: ClientConfig = {"connect_timeout": timedelta(seconds=3), "timeout": timedelta(seconds=60), "allow_http": True}
_CACHE_CONTROL = "public, max-age=31536000, immutable"  # a key names its content


class Objects:
    """Use `open_objects`."""

    def __init__(self, store: LocalStore | S3Store | GCSStore | AzureStore) -> None:
        self._store = store

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        with _translated("write"):
            if isinstance(self._store, LocalStore):  # a folder keeps no attributes; our `objects` table does
                await obstore.put_async(self._store, key, content)
            else:
                attributes = {"Content-Type": content_type, "Cache-Control": _CACHE_CONTROL}
                await obstore.put_async(self._store, key, content, attributes=attributes)

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

    async def exists(self, key: str) -> bool:
        with _translated("read"):
            try:
                await obstore.head_async(self._store, key)
            except (NotFoundError, FileNotFoundError):
                return False
        return True

    async def delete(self, key: str) -> None:
        with _translated("delete from"):
            try:
                await obstore.delete_async(self._store, key)
            except (NotFoundError, FileNotFoundError):
                return

    async def check(self) -> None:
        await self.exists("health")


async def _chunks(found: GetResult) -> AsyncIterator[bytes]:
    with _translated("read"):
        async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
            yield bytes(chunk)


@contextmanager
def _translated(verb: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise StorageFailed(f"Easel could not {verb} the picture store. Check EASEL_STORAGE_URL.") from error


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
