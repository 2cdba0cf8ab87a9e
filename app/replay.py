"""`easel runs replay`: dead runs get their second chance."""

from __future__ import annotations

import structlog

from canvas.errors import EaselError
from jobs.runs import Runs

log = structlog.get_logger(__name__)

AT_MOST = 1_000  # one by one, they are a minute's work


async def replay(runs: Runs, run_id: str | None) -> list[tuple[str, str]]:
    """Pairs of old and new run; None: every dead one. Raises as `Runs.retry`.

    Of all of them, one that cannot start stays dead, and one whose picture came late is not paid for again (JB35).
    """
    if run_id is not None:
        return [(run_id, await _again(runs, run_id))]
    pairs = []
    for run in await runs.dead(AT_MOST):
        if run.late_images:
            continue
        try:
            pairs.append((run.job_id, await _again(runs, run.job_id)))
        except EaselError as error:
            log.warning("run.not_replayed", run=run.job_id, reason=error.detail)
    return pairs


async def _again(runs: Runs, run_id: str) -> str:
    return (await runs.retry(run_id, await runs.account_of(run_id))).job_id
