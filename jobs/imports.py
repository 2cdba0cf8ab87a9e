"""Pictures kept from addresses that end soon: what may be asked for, checked whole and stored before it is answered."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable

import msgspec

from canvas.errors import EaselError, Forbidden, Invalid, NotFound, Unavailable
from canvas.ids import new_id
from canvas.values import check_json
from jobs.addresses import read_address
from jobs.batch import check_size, refusal
from jobs.errors import DownloadBlocked
from jobs.store.imports import ImportStore, Item

MAX_ITEMS = 500
MAX_ID_CHARACTERS = 256

MayWrite = Callable[[str], Awaitable[object]]
"""Whether the caller may edit a workflow. Raises NotFound, Forbidden."""


class ImportItem(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    url: str
    design_id: str | int | None = None
    """What the sender calls the picture. One that is already stored under it is not fetched again."""
    node_id: str | None = None
    """The node that is to show it; needs `workflowId`."""
    workflow_id: str | None = None


class StartImport(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    items: list[ImportItem]
    concurrency: int = 3


class StartedImport(msgspec.Struct, frozen=True, rename="camel"):
    batch_id: str


class Imports:
    def __init__(self, store: ImportStore) -> None:
        self._store = store

    async def start(
        self, wanted: StartImport, account_id: str, may_write: MayWrite, *, is_guest: bool = False
    ) -> StartedImport:
        """BA6. Raises Invalid with `items`; NotFound, Forbidden when true of each; LimitReached, Unavailable."""
        check_size("items", len(wanted.items), MAX_ITEMS, wanted.concurrency)
        batch_id = new_id("batch")
        reasons: dict[int, EaselError] = {}
        items: list[Item] = []
        for index, one in enumerate(wanted.items):
            try:
                items.append(await _checked(one, Item.numbered(batch_id, index, account_id), may_write, is_guest))
            except Unavailable:
                raise
            except EaselError as error:
                reasons[index] = error
        if len(reasons) == len(wanted.items) and all(isinstance(r, NotFound | Forbidden) for r in reasons.values()):
            raise reasons[0]
        missing = await self._store.missing_nodes(items)
        reasons |= {item.number: NotFound("There is no such node on this workflow.") for item in missing}
        if reasons:
            raise refusal("items", len(wanted.items), reasons)
        await self._store.start(batch_id, account_id, wanted.concurrency, items)
        return StartedImport(batch_id)


async def _checked(one: ImportItem, item: Item, may_write: MayWrite, is_guest: bool) -> Item:
    design_id = str(one.design_id) if one.design_id is not None else None
    check_json([one.url, design_id, one.node_id, one.workflow_id])
    try:
        address = read_address(one.url)
    except DownloadBlocked as error:
        raise Invalid(error.detail, code=error.code) from error
    if design_id is not None and not 1 <= len(design_id) <= MAX_ID_CHARACTERS:
        raise Invalid(f"designId has 1 to {MAX_ID_CHARACTERS} characters.")
    if one.node_id is not None and one.workflow_id is None:
        raise Invalid("nodeId needs the workflowId that it is in.")
    if one.workflow_id is not None:
        await may_write(one.workflow_id)
    elif is_guest:
        raise Forbidden("A guest's pictures belong on a canvas: name its workflowId.")
    return msgspec.structs.replace(
        item,
        url=one.url,
        source_hash=hashlib.sha256(address.url.encode()).digest(),
        design_id=design_id,
        workflow_id=one.workflow_id,
        node_id=one.node_id,
        salt=secrets.token_hex(16),
    )
