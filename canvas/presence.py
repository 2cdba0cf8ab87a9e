"""Who is here and what they are doing: newest value per session and key, told once a tick, never stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from canvas.protocol import DRAG_SILENCE_S, PresenceChange, shortened

REMOTE_EXPIRY_S = 15.0  # three keyframes of another process that did not come


class Present:
    """One session as everybody sees it."""

    __slots__ = ("dragged_at", "process", "seen_at", "state")

    def __init__(self, state: dict[str, Any], *, process: str | None, now: float) -> None:
        self.state = state
        self.process = process
        """The process that holds its socket; None: this one."""
        self.seen_at = now
        self.dragged_at = 0.0


class Presences:
    """Everyone in a room, in this process and in others. `take` gives what changed since it was last asked."""

    def __init__(self) -> None:
        self._present: dict[str, Present] = {}
        self._changed: dict[str, dict[str, Any]] = {}
        self._left: list[str] = []
        self._dragging: set[str] = set()
        """Sessions whose state holds a drag: a room full of people who only look costs a commit nothing."""

    @property
    def is_dirty(self) -> bool:
        return bool(self._changed or self._left)

    def everyone(self) -> dict[str, dict[str, Any]]:
        return {session_id: present.state for session_id, present in self._present.items()}

    def local(self) -> dict[str, dict[str, Any]]:
        return {sid: present.state for sid, present in self._present.items() if present.process is None}

    def join(self, session_id: str, user: dict[str, Any], now: float) -> None:
        self._present[session_id] = Present({"user": user}, process=None, now=now)
        self._changed[session_id] = {"user": user}

    def change(self, session_id: str, change: PresenceChange, now: float, *, may_drag: bool) -> None:
        present = self._present.get(session_id)
        if present is None:
            return
        for key, value in change.items():
            if key == "drag":
                if not may_drag:
                    continue
                present.dragged_at = now
            self._set(session_id, present, key, value)

    def _set(self, session_id: str, present: Present, key: str, value: Any) -> None:
        if value is None:
            present.state.pop(key, None)
        else:
            present.state[key] = value
        if key == "drag":
            (self._dragging.add if value else self._dragging.discard)(session_id)
        changed = self._changed.get(session_id)
        if changed is None:
            self._changed[session_id] = {key: value}
        else:
            changed[key] = value

    def drop_drag(self, session_id: str) -> None:
        present = self._present.get(session_id)
        if present is not None and "drag" in present.state:
            self._set(session_id, present, "drag", None)

    def end_drags(self, node_ids: set[str], *, session_id: str | None = None) -> None:
        """A drag ends when its commit is told (of one session), or when the node is gone (of everybody)."""
        dragging: Iterable[str] = sorted(self._dragging) if session_id is None else self._dragging & {session_id}
        for sid in dragging:
            drag = self._present[sid].state["drag"]
            if node_ids.isdisjoint(drag):
                continue
            left = {node_id: point for node_id, point in drag.items() if node_id not in node_ids}
            self._set(sid, self._present[sid], "drag", left or None)

    def leave(self, session_id: str) -> None:
        if self._present.pop(session_id, None) is not None:
            self._changed.pop(session_id, None)
            self._dragging.discard(session_id)
            self._left.append(session_id)

    def hear(
        self, process: str, sessions: dict[str, dict[str, Any]], left: tuple[str, ...], now: float, *, whole: bool
    ) -> None:
        """What another process told of its sessions; `whole`: these are all it has."""
        for session_id, keys in sessions.items():
            present = self._present.get(session_id)
            if present is None:
                if "user" not in keys:  # its first hint was lost: the next keyframe says who it is
                    continue
                present = self._present[session_id] = Present({}, process=process, now=now)
            if present.process != process:
                continue
            present.seen_at = now
            # A keyframe takes away what it does not name: the hint that did may have been lost.
            told = dict.fromkeys(present.state) | keys if whole else keys
            for key, value in told.items():
                if present.state.get(key) != value:
                    self._set(session_id, present, key, value)
        gone = [sid for sid, p in self._present.items() if whole and p.process == process and sid not in sessions]
        for session_id in (*left, *gone):
            if session_id in self._present and self._present[session_id].process == process:
                self.leave(session_id)

    def expire(self, now: float) -> None:
        for session_id, present in tuple(self._present.items()):
            if present.process is not None and now - present.seen_at > REMOTE_EXPIRY_S:
                self.leave(session_id)
            elif "drag" in present.state and present.process is None and now - present.dragged_at > DRAG_SILENCE_S:
                self._set(session_id, present, "drag", None)

    def take(self) -> tuple[dict[str, dict[str, Any]], list[str]]:
        changed, left = self._changed, self._left
        self._changed, self._left = {}, []
        return {session_id: shortened(keys) for session_id, keys in changed.items()}, left

    def local_part(self, changed: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Of what `take` gave, the sessions of this process: other processes have to hear of them."""
        present = self._present
        return {sid: keys for sid, keys in changed.items() if sid in present and present[sid].process is None}
