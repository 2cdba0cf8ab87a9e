"""One program's copy of a workflow: what the server has confirmed, kept in step message by message. No I/O.

Nothing is shown before it is stored: a program that edits wants to know what is, not what it hopes for.
"""

from __future__ import annotations

from typing import Any

import msgspec

from canvas.graph import Graph, Record
from canvas.ops import Op, replay
from canvas.protocol import Result, Transaction


class Welcome(msgspec.Struct, frozen=True, rename="camel"):
    session_id: str
    role: str
    epoch: str
    seq: int
    mode: str
    last_client_seq: int = 0
    results: list[Result] = []
    presence: dict[str, dict[str, Any]] = {}
    runs: list[dict[str, Any]] = []
    name: str = ""
    viewport: Any = None


class Gap(Exception):
    """A transaction is missing; ask the server for a fresh copy."""


class Replica:
    def __init__(self) -> None:
        self.graph = Graph()
        self.epoch: str | None = None
        self.seq = 0
        self.acked = 0
        """The highest `clientSeq` that has been answered."""
        self.sessions: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self._parts: list[dict[str, Any]] = []
        self._arriving: Welcome | None = None

    @property
    def is_whole(self) -> bool:
        """False until the last part of the snapshot is here."""
        return self.epoch is not None and self._arriving is None

    def welcome(self, welcome: Welcome) -> None:
        self.sessions = dict(welcome.presence)
        self.runs = {run["jobId"]: run for run in welcome.runs}
        if welcome.mode == "snapshot":
            self._arriving, self._parts = welcome, []

    def snapshot(self, part: dict[str, Any]) -> bool:
        """Whether this was the last part."""
        if self._arriving is None:
            return False
        self._parts.append(part)
        if part["part"] < part["parts"]:
            return False
        welcome, self._arriving = self._arriving, None
        self.graph = Graph(name=welcome.name, viewport=welcome.viewport)
        self._place("node", [node for one in self._parts for node in one["nodes"]])
        self._place("edge", [edge for one in self._parts for edge in one["edges"]])
        self.graph.settle()
        self.epoch, self.seq, self._parts = welcome.epoch, welcome.seq, []
        return True

    def _place(self, kind: Any, records: list[Record]) -> None:
        # Any places do that keep the order and lie below every seq: what comes later is placed by its seq.
        for number, record in enumerate(records):
            self.graph.put(kind, record, float(number - len(records)))

    def transaction(self, transaction: Transaction) -> bool:
        """Take in what was committed; False: it was here already. Raises Gap."""
        if not self.is_whole or transaction.seq <= self.seq:
            return False
        self._advance(transaction.seq, transaction.ops)
        return True

    def result(self, result: Result, ops: list[Op]) -> None:
        """Take in the answer to one's own `ops`. Raises Gap."""
        if result.error is None or result.error.code != "SEQ_GAP":  # which has not used its number
            self.acked = max(self.acked, result.client_seq or 0)
        if result.outcome != "reject" and self.is_whole and result.seq > self.seq:
            self._advance(result.seq, ops if result.ops is None else result.ops)

    def _advance(self, seq: int, ops: list[Op]) -> None:
        if seq != self.seq + 1:
            raise Gap
        replay(self.graph, seq, ops)
        self.graph.settle()
        self.seq = seq

    def frame(self, frame: dict[str, Any]) -> None:
        for session_id, keys in frame.get("presence", {}).items():
            present = self.sessions.setdefault(session_id, {})
            present.update(keys)
            for gone in [key for key, value in keys.items() if value is None]:
                del present[gone]
        for session_id in frame.get("left", ()):
            self.sessions.pop(session_id, None)
        for run in frame.get("runs", ()):
            self.runs[run["jobId"]] = self.runs.get(run["jobId"], {}) | run
