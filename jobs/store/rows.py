"""A row of `runs` as the struct that everybody else works with."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from jobs.run import Cost, Failure, Payload, Run, StartImageJobRequest

_request = msgspec.json.Decoder(StartImageJobRequest)
_payload = msgspec.json.Decoder(Payload)
_failure = msgspec.json.Decoder(Failure)


def json_of(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def failure_of(text: str | None) -> Failure | None:
    return _failure.decode(text) if text else None


def run_of(row: asyncpg.Record | None) -> Run:
    assert row is not None
    return Run(
        id=row["id"],
        workflow_id=row["subject_id"],
        node_id=row["node_id"],
        account_id=row["account_id"],
        status=row["status"],
        request=_request.decode(row["request"]),
        payload=_payload.decode(row["payload"]),
        model=row["model"],
        attempt=row["attempt"],
        fence=row["fence"],
        cancel_requested=row["cancel_requested"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        progress=row["progress"],
        error=failure_of(row["error"]),
        takeovers=row["takeovers"],
        waited_s=row["waited_s"],
        waits_for=row["waits_for"] if row["status"] == "pending" else None,
        cost=_cost(row),
        replayed_as=row["replayed_as"],
        late_images=tuple(row["late_images"]),
        batch_id=row["batch_id"],
    )


def _cost(row: asyncpg.Record) -> Cost | None:
    if row["estimate_usd"] is None and row["cost_usd"] is None and not row["cost_unknown"]:
        return None
    return Cost(row["cost_unknown"], row["estimate_usd"], row["cost_usd"])
