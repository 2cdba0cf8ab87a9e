"""/objects/{key}: stored pictures, with ranges and a cache that never has to ask again."""

import re
import unicodedata
from collections.abc import AsyncIterator
from urllib.parse import quote

from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from app.auth.callers import Caller
from app.compose import Services
from app.routes.access import OPEN, OpenRequest, TheServices
from canvas.errors import NotFound
from jobs.renders import EXTENSIONS, StoredObject

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
# What no file system takes, and what could deceive: marks that turn the direction of what follows.
_UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"*/:<>?\\|%;]')
MAX_NAME_CHARACTERS = 100
_NONE = "There is no such picture."


class ObjectsController(Controller):
    path = "/objects"
    tags = ("pictures",)

    @get("/{key:path}", opt=OPEN, operation_id="getObject")
    async def read(
        self, services: TheServices, request: OpenRequest, key: FromPath[str], download: FromQuery[str | None] = None
    ) -> Response[bytes | None] | Stream:
        """A stored picture. Its address cannot be guessed; unless pictures are public, sign in as well.

        `download`: what the file is to be called, without its ending; it is then saved and not shown.
        """
        stored = await services.renders.stored_object(key.lstrip("/"))
        if stored is None or not await _may_see(services, request, stored):
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
        content = await services.objects.open(stored.key, start, end)
        if content is None:
            raise NotFound(_NONE)
        is_part = (start, end) != (0, stored.size_bytes)
        headers["Content-Length"] = str(end - start)
        if is_part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{stored.size_bytes}"
        body: AsyncIterator[bytes] = content
        return Stream(body, status_code=206 if is_part else 200, media_type=stored.content_type, headers=headers)


async def _may_see(services: Services, request: OpenRequest, stored: StoredObject) -> bool:
    if services.settings.objects_public and not stored.is_private:
        return True
    caller: Caller | None = await services.callers.of_request(request.headers, request.cookies, "GET")
    if caller is None:
        return False
    return caller.account_id == stored.account_id or not stored.is_private


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
