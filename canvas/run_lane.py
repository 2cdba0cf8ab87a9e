"""The runs of a workflow as its frames tell them: newest wins per run, told once a tick, never stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

MAX_ENDED = 256  # hints of one run come from two processes, and seconds apart at most


class RunLane:
    def __init__(self) -> None:
        self._live: dict[str, dict[str, Any]] = {}
        self._changed: dict[str, dict[str, Any]] = {}
        self._ended: deque[str] = deque(maxlen=MAX_ENDED)

    @property
    def is_dirty(self) -> bool:
        return bool(self._changed)

    def live(self) -> list[dict[str, Any]]:
        return list(self._live.values())

    def show(self, runs: Iterable[dict[str, Any]]) -> None:
        """An ended run is told once more; what comes late of it is not believed.

        A place in line comes from somebody who looks on, and is believed of runs that wait. Whatever else is told of a
        run takes its place away.
        """
        for run in runs:
            job_id = run["jobId"]
            if job_id in self._ended:
                continue
            known = self._live.get(job_id, {})
            if "inLine" not in run:
                known = {key: value for key, value in known.items() if key != "inLine"}
            elif run.get("status", known.get("status")) != "pending":
                continue
            merged = self._changed[job_id] = known | run
            if merged.get("status") in {"completed", "failed", "cancelled"}:
                self._live.pop(job_id, None)
                self._ended.append(job_id)
            else:
                self._live[job_id] = merged

    def take(self) -> list[dict[str, Any]]:
        """What changed since this was last asked."""
        changed, self._changed = self._changed, {}
        return list(changed.values())
