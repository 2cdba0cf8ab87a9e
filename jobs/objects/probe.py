"""Tries a store as Easel and its pages use it, and says what does not work with the cure."""

from __future__ import annotations

import secrets
from datetime import timedelta

import httpx

from jobs.errors import StorageFailed
from jobs.objects.store import Objects, reason_of

TYPE = "application/octet-stream"
LASTS = timedelta(minutes=1)


async def probe(objects: Objects, page_origin: str, http: httpx.AsyncClient) -> str:
    """What works, in a sentence. `page_origin`: whose pages send uploads. Raises StorageFailed."""
    key = f"doctor-{secrets.token_hex(8)}"  # several may look at once; the sweep knows the name
    await _keeps(objects, key)
    if not objects.signs:
        return "takes, gives, lists and deletes; uploads go through the server."
    try:
        await _takes_at_a_signed_address(objects, key, http)
    finally:
        await objects.delete(key)
    await _lets_pages_send(objects, key, page_origin, http)
    return f"takes, gives, lists and deletes; uploads go straight to it, from pages of {page_origin}."


async def _keeps(objects: Objects, key: str) -> None:
    content = secrets.token_bytes(64)
    try:
        await objects.put(key, content, TYPE)
        found = await objects.open(key)
        is_there = found is not None and b"".join([chunk async for chunk in found]) == content
        async for _ in objects.pages():
            break
        await objects.delete(key)
        is_gone = await objects.size(key) is None
    except StorageFailed as error:
        reason = f": {reason_of(error.__cause__)}" if error.__cause__ is not None else ""
        raise StorageFailed(f"{error.detail.rstrip('.')}{reason}.") from error
    if not is_there or not is_gone:
        raise StorageFailed("It does not give back what was put, or does not delete it: look at its permissions.")


async def _takes_at_a_signed_address(objects: Objects, key: str, http: httpx.AsyncClient) -> None:
    content, headers = secrets.token_bytes(64), {"Content-Type": TYPE} | objects.upload_headers
    try:
        put = await http.put(await objects.sign("PUT", key, LASTS), content=content, headers=headers)
        got = await http.get(await objects.sign("GET", key, LASTS))
    except httpx.HTTPError as error:
        raise StorageFailed(
            f"Its signed addresses lead nowhere ({type(error).__name__}): look at `endpoint`."
        ) from error
    if not put.is_success or got.content != content:
        raise StorageFailed(
            f"It refuses the addresses that were signed for it ({put.status_code}, {got.status_code}): look at the "
            "credentials' permissions, and at this machine's clock."
        )


async def _lets_pages_send(objects: Objects, key: str, origin: str, http: httpx.AsyncClient) -> None:
    """Asks as a browser asks before it sends (Fetch, CORS preflight)."""
    names = ",".join(sorted(name.lower() for name in ("content-type", *objects.upload_headers)))
    asked = {"Origin": origin, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": names}
    answer = await http.options(await objects.sign("PUT", key, LASTS), headers=asked)
    may = (
        answer.is_success
        and answer.headers.get("access-control-allow-origin") in {"*", origin}
        and _lists(answer, "methods", "put")
        and all(_lists(answer, "headers", name) for name in names.split(","))
    )
    if not may:
        raise StorageFailed(
            f"Pages of {origin} may not send uploads to it: let its CORS rules allow PUT with {names} from there. "
            "docs/storage.md has them to copy."
        )


def _lists(answer: httpx.Response, what: str, wanted: str) -> bool:
    listed = {one.strip().lower() for one in answer.headers.get(f"access-control-allow-{what}", "").split(",")}
    return bool(listed & {"*", wanted})
