"""A notice: one failed run, told to one webhook. What it says, and when it is tried again. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from jobs.run import Run

OPERATOR: Final = "operator"
"""The webhook of whoever keeps this Easel running; every other one has the id of its account."""
PAUSES_S: Final = (5, 60, 300, 1800, 7200, 18_000, 36_000)
"""Before the second to the eighth attempt: most of a day, in which a receiver comes back or somebody is woken."""
ATTEMPTS: Final = 1 + len(PAUSES_S)
MAX_ASKED_S: Final = 3600.0  # of a receiver's Retry-After

NoticeState = Literal["waiting", "delivered", "dead"]


class FailureWebhook(msgspec.Struct, frozen=True, rename="camel"):
    url: str | None
    """None: you have none."""
    created_at: datetime | None


class NewFailureWebhook(msgspec.Struct, frozen=True, rename="camel"):
    url: str
    secret: str
    """What its notices are signed with. It is shown this once."""
    created_at: datetime


class NoticeRecord(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    """Also its `webhook-id`, the same in each attempt."""
    job_id: str
    workflow_id: str
    code: str
    """The run's error."""
    state: NoticeState
    created_at: datetime
    attempts: int
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    reason: str | None
    """Why the last attempt failed."""


def next_pause_s(attempts: int, asked_s: float | None) -> float | None:
    """After so many attempts; None: there is none left. A receiver may ask for more time than we would give it."""
    if attempts >= ATTEMPTS:
        return None
    return max(PAUSES_S[attempts - 1], min(asked_s or 0.0, MAX_ASKED_S))


def body_of(run: Run, *, is_dead: bool, workflow_name: str, at: datetime, base_url: str) -> bytes:
    """NO2: what is needed to find the run and to know what it cost. Neither its prompt nor anybody's name."""
    assert run.error is not None
    data: dict[str, Any] = {
        "jobId": run.id,
        "workflowId": run.workflow_id,
        "workflowName": workflow_name,
        "nodeId": run.node_id,
        "provider": run.request.provider,
        "model": run.model,
        "attempt": run.attempt,
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "mayBeReplayed": is_dead,
        "error": {
            "code": run.error.code,
            "detail": run.error.detail,
            "retryable": run.error.retryable,
            "charged": run.error.charged,
        },
        "url": f"{base_url}/w/{run.workflow_id}",
    }
    return msgspec.json.encode({"type": "run.failed", "timestamp": at, "data": data})
