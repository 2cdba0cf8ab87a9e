"""What operators see of runs and pictures (CONTRACT §9): counted where it happens, shown by `app.observe.metrics`.

Names and labels are outward: dashboards and alerts in `docs/ops` query them. No label takes a caller's own words.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram

from jobs.tracing import record, span

_WAITS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)
_SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30)

PROCESSED = Counter(
    "image_processing", "Pictures that were fetched or uploaded, checked and stored: success or failure.", ["status"]
)
PROCESSING_SECONDS = Histogram(
    "image_processing_duration_seconds",
    "How long a picture took from its address or upload until it was stored.",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30),
)
RUNS = Counter(
    "easel_runs", "Runs that came into a status: pending, running, completed, failed or cancelled.", ["status"]
)
RUN_FAILURES = Counter("easel_run_failures", "Runs that failed, by provider and error code.", ["provider", "code"])
QUEUE_WAIT_SECONDS = Histogram(
    "easel_queue_wait_seconds", "How long a run that was due waited for a worker.", buckets=_WAITS
)
STAGE_SECONDS = Histogram(
    "easel_run_stage_seconds",
    "What a run's time went into: generation (at the provider), upload (original fetched, checked, stored), variants "
    "(small sizes made and stored), node (the result written to run and node).",
    ["stage"],
    buckets=(*_SHORT[:-1], *_WAITS[6:]),
)
CALL_SECONDS = Histogram(
    "easel_provider_call_seconds",
    "Orders at providers, from sending to answer. Outcome: answered, or the error's code.",
    ["provider", "outcome"],
    buckets=_WAITS,
)
COST_USD = Counter("easel_cost_usd", "What answered orders cost, where their cost is known.", ["provider", "model"])
POLL_TIMEOUTS = Counter("easel_poll_timeouts", "Orders that were not done by their deadline.", ["provider"])
WEBHOOKS = Counter(
    "easel_webhooks",
    "Reports of providers. Outcome: known, unknown, duplicate, or why one was not believed.",
    ["provider", "outcome"],
)
STORAGE_WRITES = Counter("easel_storage_writes", "Writes to the picture store: success or failure.", ["outcome"])
NOTICES = Counter(
    "easel_notices",
    "Attempts to tell of a failed run. To: operator, owner. Outcome: delivered, failed (tried again), dead (given up).",
    ["to", "outcome"],
)
EVENT_LAG_SECONDS = Histogram(
    "easel_event_lag_seconds", "From when a run's event was stored until a live stream passed it on.", buckets=_SHORT
)


def expect(providers: Iterable[str]) -> None:
    """Show at 0 what may be counted: to Prometheus, a series that is born at 1 has not increased."""
    for provider in providers:
        POLL_TIMEOUTS.labels(provider)
    for status in ("success", "failure"):
        PROCESSED.labels(status)
        STORAGE_WRITES.labels(status)
    for to in ("operator", "owner"):
        for outcome in ("delivered", "failed", "dead"):
            NOTICES.labels(to, outcome)
    for status in ("pending", "running", "completed", "failed", "cancelled"):
        RUNS.labels(status)


@contextmanager
def processing() -> Iterator[None]:
    """Around all that is done to one picture."""
    began = time.perf_counter()
    status = "failure"
    try:
        yield
        status = "success"
    finally:
        PROCESSED.labels(status).inc()
        PROCESSING_SECONDS.observe(time.perf_counter() - began)


def call_ended(provider: str, model: str, outcome: str, seconds: float) -> None:
    """`outcome`: answered, or the error's code."""
    CALL_SECONDS.labels(provider, outcome).observe(seconds)
    record("run.generation", seconds, provider=provider, model=model, outcome=outcome)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Around a stage of a run; one that fails is not counted."""
    began = time.perf_counter()
    with span(f"run.{name}"):
        yield
    STAGE_SECONDS.labels(name).observe(time.perf_counter() - began)
