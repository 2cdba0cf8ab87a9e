"""The frames of a room: the same bytes for everybody, and one for those who lag that makes up for all they missed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from canvas import protocol

Changes = dict[str, dict[str, Any]]
Telling = tuple[tuple[str, ...], bytes]
"""Who is told, and what."""


class Frames:
    """Who reads slowly is passed over: a frame is news, and old news is worth nothing. Ops are not told here."""

    def __init__(self) -> None:
        self._behind: set[str] = set()
        self._changed: Changes = {}
        self._left: dict[str, None] = {}
        self._runs: dict[str, dict[str, Any]] = {}

    @property
    def is_owed(self) -> bool:
        """Somebody has missed a frame."""
        return bool(self._behind)

    def tell(
        self,
        changed: Changes,
        left: list[str],
        runs: list[dict[str, Any]],
        sessions: Iterable[str],
        slow: Collection[str],
    ) -> list[Telling]:
        has_news = bool(changed or left or runs)
        if not slow and not self._behind:
            everybody = tuple(sessions)
            return [(everybody, protocol.frame_message(changed, left, runs))] if has_news and everybody else []
        here = tuple(sessions)
        self._behind.intersection_update(here)
        if has_news:
            return self._tell_apart(changed, left, runs, here, slow)
        return self._make_up(here, slow)

    def _tell_apart(
        self,
        changed: Changes,
        left: list[str],
        runs: list[dict[str, Any]],
        here: tuple[str, ...],
        slow: Collection[str],
    ) -> list[Telling]:
        on_time = tuple(sid for sid in here if sid not in slow and sid not in self._behind)
        tellings = [(on_time, protocol.frame_message(changed, left, runs))] if on_time else []
        self._miss(changed, left, runs)
        self._behind.update(sid for sid in here if sid in slow)
        return tellings + self._make_up(here, slow)

    def _miss(self, changed: Changes, left: list[str], runs: list[dict[str, Any]]) -> None:
        for session_id, keys in changed.items():
            self._changed.setdefault(session_id, {}).update(keys)
        for session_id in left:
            self._changed.pop(session_id, None)
            self._left[session_id] = None
        for run in runs:
            self._runs[run["jobId"]] = run

    def _make_up(self, here: tuple[str, ...], slow: Collection[str]) -> list[Telling]:
        """What was missed, to those who read again. It may tell somebody twice, which says nothing new."""
        caught_up = tuple(sid for sid in here if sid in self._behind and sid not in slow)
        tellings = []
        if caught_up:
            missed = protocol.frame_message(self._changed, list(self._left), list(self._runs.values()))
            tellings.append((caught_up, missed))
            self._behind.difference_update(caught_up)
        if not self._behind:
            self._changed, self._left, self._runs = {}, {}, {}
        return tellings
