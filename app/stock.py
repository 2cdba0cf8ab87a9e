"""`easel objects sweep`: what is stored and what is written down, side by side, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from canvas.errors import Conflict
from jobs.sweep import Stock, Sweep

SHOWN = 100
"""Lines of a kind, at most."""


async def take_stock(sweep: Sweep, hours: int, *, delete: bool) -> list[str]:
    """Raises StorageFailed, Unavailable; Conflict, having deleted nothing, when this is surely the wrong store."""
    stock = await sweep.look(timedelta(hours=hours))
    if stock.is_of_another_store and delete:
        raise Conflict(f"{_elsewhere(stock)} Nothing was deleted.")
    lines = list(_told(stock))
    if delete:
        objects, rows = await sweep.delete(stock.unnamed), await sweep.forget(stock.unused)
        lines.append(f"Deleted {_count(objects, 'object')} and {_count(rows, 'row')}.")
    elif stock.unnamed or stock.unused:
        lines.append("Nothing was deleted. Give --delete to delete what is unnamed or unused.")
    return lines


def _told(stock: Stock) -> Iterator[str]:
    size = sum(one.size_bytes for one in stock.unnamed)
    yield from _kind("unnamed", [f"{one.key}  {one.modified_at:%Y-%m-%d %H:%M}" for one in stock.unnamed])
    yield from _kind("unused", stock.unused)
    yield from _kind("missing", stock.missing)
    yield f"{_count(stock.objects, 'object')}, {_count(stock.rows, 'row')}."
    yield f"{_count(len(stock.unnamed), 'object')} that no row names ({size / 2**20:.1f} MiB)."
    yield f"{_count(len(stock.unused), 'row')} whose object is gone, of no picture."
    if stock.missing:
        lost = _count(len(stock.missing), "row")
        yield f"{lost} whose object is gone, of pictures: bring the objects back from a backup of the store."
    if stock.foreign:
        yield f"{_count(len(stock.foreign), 'object')} not of this Easel, such as {stock.foreign[0]}: left alone."
    if stock.is_of_another_store:
        yield _elsewhere(stock)


def _kind(name: str, keys: list[str]) -> Iterator[str]:
    yield from (f"{name:8} {key}" for key in keys[:SHOWN])
    if len(keys) > SHOWN:
        yield f"{name:8} … and {len(keys) - SHOWN:,} more"


def _elsewhere(stock: Stock) -> str:
    gone = len(stock.missing) + len(stock.unused)
    return f"Of {_count(stock.rows, 'row')}, {gone:,} have no object in this store: is EASEL_STORAGE_URL right?"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
