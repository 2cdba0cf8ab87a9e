"""/objects/{key}: stored pictures, with ranges and a cache that never has to ask again."""

import re
import unicodedata
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import quote, urlsplit

from litestar import Controller, Response, get, post, put
from litestar.exceptions import ClientException, InternalServerException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import Meta, Struct

from app.auth.callers import Caller
from app.compose import Services
from app.routes.access import OPEN, READS, CallerRequest, OpenRequest, TheServices
from app.routes.artworks import origin_of
from canvas.errors import NotFound, TooLarge
from jobs.objects.links import Signature
from jobs.renders import EXTENSIONS, StoredObject

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
MAX_LINK_S = 7 * 24 * 3600  # S3 signs for no longer
# What no file system takes, and what could deceive: marks that turn the direction of what follows.
_UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"*/:<>?\\|%;]')
MAX_NAME_CHARACTERS = 100
_NONE = "There is no such picture."


class NewLink(Struct, rename="camel", forbid_unknown_fields=True):
    url: Annotated[str, Meta(description="`/objects/…`, or its key alone.")]
    expires_in_s: Annotated[int, Meta(ge=1, le=MAX_LINK_S)] = 3600


class Link(Struct, rename="camel"):
    url: str
    expires_at: datetime


class LinksController(Controller):
    path = "/api/objects/links"
    tags = ("pictures",)

    @post(opt=READS, operation_id="createLink", status_code=201)
    async def create(self, services: TheServices, request: CallerRequest, data: JSONBody[NewLink]) -> Link:
        """An address at which anybody sees one picture that you may see, for a while: for a page that has no cookie."""
        stored = await services.renders.stored_object(key_of(data.url))
        if stored is None or not _is_for(request.user, stored):
            raise NotFound(_NONE)
        lasts = timedelta(seconds=data.expires_in_s)
        signed = await services.links.for_reading(stored.key, lasts, origin_of(services, request))
        return Link(signed.url, signed.expires_at)


class ObjectsController(Controller):
    path = "/objects"
    tags = ("pictures",)

    @get("/{key:path}", opt=OPEN, operation_id="getObject")
    async def read(
        self,
        services: TheServices,
        request: OpenRequest,
        key: FromPath[str],
        download: FromQuery[str | None] = None,
        expires: FromQuery[int | None] = None,
        signature: FromQuery[str | None] = None,
    ) -> Response[bytes | None] | Stream:
        """A stored picture. Its address cannot be guessed; unless pictures are public, sign in or have a link as well.

        An uploaded original is shown to its owner alone, and to who has a link of theirs. `download`: what the file is
        to be called, without its ending; it is then saved and not shown.
        """
        stored = await services.renders.stored_object(key.lstrip("/"))
        signed = _signature(expires, signature)
        if stored is None or not await _may_see(services, request, stored, signed):
            raise NotFound(_NONE)
        headers = _headers(stored, is_public=services.settings.objects_public and not stored.is_private)
        if download is not None:
            headers["Content-Disposition"] = attachment(download, stored)
        if headers["ETag"] in (request.headers.get("if-none-match") or ""):
            return Response(None, status_code=304, headers=headers)
        span = range_of(request.headers.get("range"), stored.size_bytes)
        if span is None:
            unsatisfiable = {**headers, "Content-Range": f"bytes */{stored.size_bytes}"}
            return Response(None, status_code=416, headers=unsatisfiable)
        start, end = span
        is_part = (start, end) != (0, stored.size_bytes)
        content = await services.objects.open(stored.key, start, end if is_part else None)
        if content is None:
            raise NotFound(_NONE)
        headers["Content-Length"] = str(end - start)
        if is_part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{stored.size_bytes}"
        body: AsyncIterator[bytes] = content
        return Stream(body, status_code=206 if is_part else 200, media_type=stored.content_type, headers=headers)

    @put("/{key:path}", opt=OPEN, operation_id="putUpload", status_code=204, request_max_body_size=None)
    async def upload(
        self,
        services: TheServices,
        request: OpenRequest,
        key: FromPath[str],
        expires: FromQuery[int | None] = None,
        max_bytes: Annotated[int | None, QueryParameter(name="max")] = None,
        signature: FromQuery[str | None] = None,
    ) -> None:
        """Put a file at the address that POST /api/artworks/upload-url gave you."""
        key = key.lstrip("/")
        signed = _signature(expires, signature, max_bytes)
        services.links.check("PUT", key, signed, request.headers.get("content-type", ""))
        bound = max_bytes or 0  # a signed address to write to always has one
        if (request.content_length or 0) > bound:
            raise TooLarge(f"At most {bound / 2**20:.4g} MiB are taken.", code="IMAGE_TOO_LARGE")
        await services.artworks.take_in(key, bound, _body(request))


async def _body(request: OpenRequest) -> AsyncIterator[bytes]:
    """As it comes. Raises ClientException when its sender has gone."""
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except InternalServerException as error:  # what Litestar makes of it
        raise ClientException("The upload broke off.") from error


async def _may_see(services: Services, request: OpenRequest, stored: StoredObject, signed: Signature | None) -> bool:
    """Raises Forbidden for a signature that is none, or has expired."""
    if services.settings.objects_public and not stored.is_private:
        return True
    if signed is not None:
        services.links.check("GET", stored.key, signed)
        return True
    caller: Caller | None = await services.callers.of_request(request.headers, request.cookies, "GET")
    return caller is not None and _is_for(caller, stored)


def _is_for(caller: Caller, stored: StoredObject) -> bool:
    return caller.account_id == stored.account_id or not stored.is_private


def _signature(expires: int | None, signature: str | None, max_bytes: int | None = None) -> Signature | None:
    return Signature(expires, signature, max_bytes) if expires is not None and signature is not None else None


def key_of(url: str) -> str:
    """Of an address of ours, with or without host and query; a key is its own."""
    path = urlsplit(url).path
    return path.rpartition("/objects/")[2].lstrip("/")


def _headers(stored: StoredObject, *, is_public: bool) -> dict[str, str]:
    return {
        "ETag": f'"{stored.sha256.hex()[:32]}"',
        "Cache-Control": f"{'public' if is_public else 'private'}, max-age=31536000, immutable",
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin" if is_public else "same-site",
    }


def attachment(name: str, stored: StoredObject) -> str:
    """MR6. RFC 6266: what is asked for, made fit for every file system, with the ending of what it really is."""
    ending = EXTENSIONS[stored.content_type]
    plain = f"easel-{stored.sha256.hex()[:8]}"
    cleaned = " ".join(_UNFIT.sub(" ", unicodedata.normalize("NFC", name)).split())
    base = cleaned[:MAX_NAME_CHARACTERS].strip(". ") or plain
    fallback = base if base.isascii() else plain
    return f"attachment; filename=\"{fallback}.{ending}\"; filename*=UTF-8''{quote(f'{base}.{ending}', safe='')}"


def range_of(header: str | None, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of what is asked for; all of it without a usable header; None: not satisfiable."""
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or not any(found.groups()):
        return 0, size
    first, last = found.groups()
    if not first:
        return (max(size - int(last), 0), size) if int(last) else None
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None
