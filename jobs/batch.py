"""Many things asked for at once: how a batch looks from outside. Pure; the rules are BA1 and on in SPEC.md."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from canvas.errors import EaselError, Invalid
from jobs.run import ImageJobRecord, StartImageJobRequest

MAX_RUNS = 100  # they start in one transaction, under the locks of their workflows
SHOWN_REASONS = 3  # of a refusal, in its sentence; all of them are in `items`

BatchKind = Literal["runs", "import"]
BatchStatus = Literal["running", "completed", "failed"]
ItemStatus = Literal["pending", "running", "completed", "skipped", "failed", "cancelled"]


class StartBatch(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    runs: list[StartImageJobRequest]
    concurrency: int | None = None
    """How many of them go on at a time; left out: as many as the workers carry."""


class StartedBatch(msgspec.Struct, frozen=True, rename="camel"):
    batch_id: str
    runs: list[ImageJobRecord]


class BatchItem(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Absent keys are not known (yet), or do not belong to this kind of batch."""

    index: int
    """Its place in the request, from 0."""
    status: ItemStatus
    job_id: str | None = None
    render_id: str | None = None
    workflow_id: str | None = None
    node_id: str | None = None
    url: str | None = None
    design_id: str | None = None
    image_url: str | None = None
    images: tuple[str, ...] = ()
    code: str | None = None
    detail: str | None = None


class Batch(msgspec.Struct, frozen=True, rename="camel"):
    """`GET /api/batches/{id}`. Each item is in one of the three lists, in the order of the request."""

    batch_id: str
    kind: BatchKind
    status: BatchStatus
    """`running` as long as an item is; then `failed` if none of them came to anything, else `completed`."""
    concurrency: int
    counts: dict[ItemStatus, int]
    live: list[BatchItem]
    """Those that wait or are under way."""
    results: list[BatchItem]
    """Those that came to something."""
    errors: list[BatchItem]
    """Those that failed or were cancelled, each with its code and a sentence."""
    created_at: datetime
    finished_at: datetime | None
    cancelled_at: datetime | None


class BatchRow(msgspec.Struct, frozen=True):
    """A row of `batches`."""

    id: str
    kind: BatchKind
    concurrency: int
    created_at: datetime
    finished_at: datetime | None
    cancelled_at: datetime | None


def batch_of(row: BatchRow, items: Iterable[BatchItem]) -> Batch:
    counts: dict[ItemStatus, int] = dict.fromkeys(
        ("pending", "running", "completed", "skipped", "failed", "cancelled"), 0
    )
    live, results, errors = [], [], []
    for item in items:
        counts[item.status] += 1
        match item.status:
            case "pending" | "running":
                live.append(item)
            case "completed" | "skipped":
                results.append(item)
            case _:
                errors.append(item)
    status: BatchStatus = "running" if live else "completed" if results else "failed"
    return Batch(
        row.id,
        row.kind,
        status,
        row.concurrency,
        counts,
        live,
        results,
        errors,
        row.created_at,
        row.finished_at,
        row.cancelled_at,
    )


def item_of(index: int, record: ImageJobRecord) -> BatchItem:
    code = detail = None
    if record.error is not None:
        code, detail = record.error.code, record.error.detail
    elif record.status == "cancelled":
        code, detail = "CANCELLED", "This run was cancelled."
    return BatchItem(
        index=index,
        status=record.status,
        job_id=record.job_id,
        workflow_id=record.workflow_id,
        node_id=record.node_id,
        image_url=record.image_url,
        images=record.images,
        code=code,
        detail=detail,
    )


def check_size(what: str, count: int, most: int, concurrency: int | None) -> None:
    """Raises Invalid."""
    if not 1 <= count <= most:
        raise Invalid(f"{what} holds 1 to {most} items; it holds {count}. Send the rest in another batch.")
    if concurrency is not None and not 1 <= concurrency <= most:
        raise Invalid(f"concurrency is a whole number from 1 to {most}.")


def nodes_twice(runs: list[StartImageJobRequest]) -> dict[int, EaselError]:
    """BA1. A node has one live run, so of a batch's runs no two are for the same node."""
    first: dict[tuple[str, str], int] = {}
    found: dict[int, EaselError] = {}
    for index, run in enumerate(runs):
        before = first.setdefault((run.workflow_id, run.node_id), index)
        if before != index:
            found[index] = Invalid(
                f"runs[{before}] is for the same node, which has one live run at a time. "
                "promptSpec.n makes several pictures; or send this one in another batch."
            )
    return found


def refusal(what: str, count: int, reasons: dict[int, EaselError]) -> Invalid:
    """Why nothing of a batch starts: each item that cannot, with its code and its sentence."""
    items = [
        {"index": index, "code": reason.code, "detail": reason.detail, **reason.facts}
        for index, reason in sorted(reasons.items())
    ]
    told = " ".join(f"{what}[{item['index']}]: {item['detail']}" for item in items[:SHOWN_REASONS])
    more = f" And {len(items) - SHOWN_REASONS} more, in `items`." if len(items) > SHOWN_REASONS else ""
    return Invalid(f"Nothing was started: {len(items)} of {count} cannot be. {told}{more}", items=items)
