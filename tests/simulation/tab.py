"""A browser's tab as CONTRACT §5 wants it: counts its pushes, comes back where it stopped, and believes nothing.

It holds the server to the order it promises: every message is compared with the log as it was committed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Protocol

import msgspec

from canvas import protocol, resuming
from canvas.client.replica import Gap, Replica, Welcome
from canvas.errors import Invalid
from canvas.graph import Graph
from canvas.ops import Op
from canvas.protocol import Result, Transaction
from tests.simulation.edits import Editor
from tests.simulation.network import Wire
from tests.simulation.server import Server

PING_S = 2.0
PATIENCE_S = 5.0  # without a word: then the connection is taken for dead
FORGETS = 0.15  # how often a tab that comes back has been reloaded and resumes nothing

_transactions = msgspec.json.Decoder(list[Transaction])


class Watch(Protocol):
    """Who hears what a tab sees."""

    counts: Counter[str]

    def some_server(self, tab: Tab) -> Server | None: ...

    def check_transaction(self, tab: Tab, transaction: Transaction) -> None: ...

    def check_document(self, tab: Tab) -> None: ...

    def acknowledged(self, tab: Tab, ops: list[Op], result: Result) -> None: ...

    def was_lost(self, push: tuple[str, str, int]) -> bool:
        """Whether it was committed and the server that did it never heard so."""

    def wrong(self, sentence: str) -> None: ...

    def note(self, sentence: str) -> None: ...


class Tab:
    def __init__(self, name: str, account_id: str, client_id: str, seed: int, watch: Watch) -> None:
        self.name = name
        self.account_id = account_id
        self.client_id = client_id
        self.is_shared = False
        """Another tab has the same clientId, as after “duplicate tab”: an answer may be meant for the other."""
        self.replica = Replica()
        self.epoch: str | None = None
        """The history its numbers belong to; a tab that is reloaded still knows it."""
        self.role = ""
        self.compacted_to = 0
        """Before this seq it may draw what never was: what is written over on the way there was left out (RS7)."""
        self.session_id = ""
        self.shown: dict[str, Any] = {}
        """Its presence, as said on this socket."""
        self.waiting: dict[int, list[Op]] = {}
        self.is_out = False
        self.editor = Editor(f"{seed}/{name}/edits")
        self.wire: Wire | None = None
        self._watch = watch
        self._seed = seed
        self._next = 1
        self._clients = 0
        self._dials = 0
        self._is_welcome = False
        self._sent_here: set[int] = set()
        """Numbers that were pushed on this socket for the first time: no echo of these."""
        self._sent_before: set[int] = set()
        self._heard_at = 0.0

    @property
    def is_live(self) -> bool:
        return self._is_welcome and self.replica.is_whole and self.wire is not None

    @property
    def key(self) -> tuple[str, str]:
        return self.account_id, self.client_id

    # What the person does

    def edit(self) -> None:
        ops = self.editor.edit(self.replica.graph, self.replica.seq)
        number, self._next = self._next, self._next + 1
        self.waiting[number] = ops
        self._watch.counts["edits"] += 1
        self._send_push(number)

    def point(self) -> None:
        """Move the cursor, or drag something."""
        shown: dict[str, Any] = {"cursor": {"x": float(self.editor.random.randint(0, 999)), "y": 1.0}}
        if self.replica.graph.nodes and self.editor.random.random() < 0.5:
            node_id = self.editor.random.choice(sorted(self.replica.graph.nodes))
            shown["drag"] = {node_id: {"x": 1.0, "y": 2.0}}
        self.show(shown)

    def show(self, keys: dict[str, Any]) -> None:
        if self.is_live:
            self.shown.update(keys)
            self._say({"type": "presence", "set": keys})

    def resync(self) -> None:
        if self.is_live:
            self._watch.counts["resyncs"] += 1
            self._say({"type": "resync"})

    def rename(self) -> None:
        """Take a new clientId, and push again under it what was never answered."""
        self._clients += 1
        self.client_id = f"{self.name}-{self._clients}"
        self.is_shared = False
        self.waiting = dict(enumerate(self.waiting.values(), 1))
        self._next = len(self.waiting) + 1
        self._sent_before.clear()
        self.replica.acked = 0
        self.dial_again()

    def twin(self, name: str) -> Tab:
        """“Duplicate tab”: the same clientId and the same count."""
        twin = Tab(name, self.account_id, self.client_id, self._seed, self._watch)
        twin.is_shared = True
        twin._next = self._next
        twin.replica.acked = self.replica.acked
        twin.dial()
        return twin

    # The connection

    def dial(self) -> None:
        if self.is_out or self.wire is not None:
            return
        server = self._watch.some_server(self)
        if server is None:
            self._later(0.3)
            return
        if self.editor.random.random() < FORGETS:
            acked, self.replica = self.replica.acked, Replica()
            self.replica.acked = acked
        self._dials += 1
        self._is_welcome, self.session_id, self.shown = False, "", {}
        self._sent_before |= self._sent_here
        self._sent_here = set()
        self.wire = Wire(f"{self.account_id}/{self.name}/{self._dials}", self, self._watch.counts)
        server.accept(self.wire, self.account_id)
        resume = None
        if self.replica.is_whole:
            resume = {"epoch": self.replica.epoch, "seq": self.replica.seq, "ackedClientSeq": self.replica.acked}
        self._say({"type": "hello", "protocol": 1, "clientId": self.client_id, "resume": resume})
        self._watch.note(f"{self.name} dials {server.name} resume={resume}")
        self._heard_at = asyncio.get_running_loop().time()
        self._listen_on(self.wire)

    def dial_again(self) -> None:
        if self.wire is not None:
            self.wire.hang_up()
            self.wire = None
            self._later(self.editor.random.uniform(0.05, 1.0))

    def _later(self, pause_s: float) -> None:
        asyncio.get_running_loop().call_later(pause_s, self.dial)

    def _listen_on(self, wire: Wire) -> None:
        if wire is not self.wire:
            return
        loop = asyncio.get_running_loop()
        if loop.time() - self._heard_at > PATIENCE_S:
            self._watch.counts["dead sockets noticed"] += 1
            self.dial_again()
            return
        self._say({"type": "ping", "t": 1})
        loop.call_later(PING_S, self._listen_on, wire)

    def closed(self, wire: Wire, code: int) -> None:
        if wire is not self.wire:
            return
        self._watch.note(f"{self.name} is closed: {code}")
        self.wire = None
        if code == protocol.FORBIDDEN:
            self.is_out = True
        elif code == protocol.REPLACED and self.is_shared and self.editor.random.random() < 0.5:
            self.rename()
            self._later(0.1)
        else:
            self._later(self.editor.random.uniform(0.05, 1.5))

    def _say(self, message: dict[str, Any]) -> None:
        if self.wire is not None:
            self.wire.say(protocol.encode(message).decode())

    def _send_push(self, number: int) -> None:
        if not self._is_welcome:
            return
        if number not in self._sent_before:
            self._sent_here.add(number)
        self._say({"type": "push", "clientSeq": number, "ops": self.waiting[number]})

    # What it hears

    def heard(self, wire: Wire, payload: bytes) -> None:
        if wire is not self.wire:
            return
        self._heard_at = asyncio.get_running_loop().time()
        message = msgspec.json.decode(payload)
        try:
            self._take_in(message, payload)
        except Gap:
            self._watch.wrong(f"{self.name} heard {message} at seq {self.replica.seq}: a transaction is missing (RM1)")
        except Invalid as error:
            self._watch.wrong(f"{self.name} cannot apply {message} at seq {self.replica.seq}: {error}")

    def _take_in(self, message: dict[str, Any], payload: bytes) -> None:
        match message["type"]:
            case "welcome":
                self._welcomed(msgspec.json.decode(payload, type=Welcome))
            case "snapshot":
                self.replica.snapshot(message)
                if self.replica.is_whole:
                    self._watch.check_document(self)
            case "ops":
                for transaction in _transactions.decode(protocol.encode(message["transactions"])):
                    self._heard_transaction(transaction)
            case "result":
                self._answered(msgspec.json.decode(payload, type=Result))
            case "frame":
                self.replica.frame(message)
            case "role":
                self.role = message["role"]
            case "pong":
                self._check_pong(message["seq"])
            case _:
                self._watch.wrong(f"{self.name} heard {message}")

    def _welcomed(self, welcome: Welcome) -> None:
        self._watch.counts[f"welcomes by {welcome.mode}"] += 1
        self._watch.note(f"{self.name} is welcome at {welcome.seq}, {welcome.mode}, pushed {welcome.last_client_seq}")
        is_other_history = self.epoch not in {None, welcome.epoch}
        if welcome.mode == "resume" and (is_other_history or not self.replica.is_whole):
            self._watch.wrong(f"{self.name} was resumed at {welcome.epoch} but is at {self.epoch} (RS2)")
        self.epoch = welcome.epoch
        is_compacted = welcome.mode == "resume" and welcome.seq - self.replica.seq > resuming.MAX_RESUME_AS_IT_WAS
        self._watch.counts["compacted resumes"] += is_compacted
        self.compacted_to = welcome.seq if is_compacted else self.compacted_to if welcome.mode == "resume" else 0
        is_first = not self._is_welcome
        self._is_welcome, self.session_id, self.role = True, welcome.session_id, welcome.role
        self.replica.welcome(welcome)
        if is_other_history:
            self.replica = Replica()
            self.rename()
        elif welcome.last_client_seq >= self._next:
            if not self.is_shared:
                self._watch.wrong(f"{self.name} pushed {self._next - 1}, but is told {welcome.last_client_seq} (PU1)")
            self.rename()
        elif is_first:
            self._go_on(welcome)

    def _go_on(self, welcome: Welcome) -> None:
        for result in welcome.results if not self.is_shared else ():
            self._settle(result)
        for number in sorted(self.waiting):
            if number in self._sent_before:
                self._watch.counts["pushed again"] += 1
            self._send_push(number)

    def _heard_transaction(self, transaction: Transaction) -> None:
        if not self._is_welcome or not self.replica.is_whole:
            self._watch.wrong(f"{self.name} heard seq {transaction.seq} before its snapshot was whole (RS3)")
            return
        self._watch.check_transaction(self, transaction)
        by = transaction.by
        if (by.user_id, by.client_id) == self.key and by.client_seq in self._sent_here and not self.is_shared:
            self._watch.wrong(f"{self.name} heard its own push {by.client_seq} as news (RM2)")
        if not self.replica.transaction(transaction):
            self._watch.wrong(f"{self.name} heard seq {transaction.seq} twice, it was at {self.replica.seq} (RM1)")
        self._watch.check_document(self)

    def _answered(self, result: Result) -> None:
        ops = self.waiting.get(result.client_seq or 0)
        code = result.error.code if result.error is not None else None
        if code in {"SEQ_GAP", "CLIENT_SEQ_REUSED"}:
            if not self.is_shared:
                self._watch.wrong(f"{self.name} counted right and was told {result} (PU3, PU4)")
            self._watch.counts[f"told {code}"] += 1
            self.rename()
            return
        if ops is None:
            self._watch.wrong(f"{self.name} was answered {result}, which it did not wait for")
            return
        if result.client_seq != min(self.waiting):
            self._watch.wrong(f"{self.name} was answered {result} before {min(self.waiting)} (RM1)")
        if self.replica.is_whole:
            self._keep_order(result, ops)
        self._settle(result)

    def _keep_order(self, result: Result, ops: list[Op]) -> None:
        """RM1: all below it was told, nothing above."""
        was_at = self.replica.seq
        self.replica.result(result, ops)
        is_again = self.is_shared or result.client_seq not in self._sent_here
        is_again = is_again or self._watch.was_lost((*self.key, result.client_seq or 0))
        if result.seq != self.replica.seq and not is_again:
            self._watch.wrong(f"{self.name} was at {was_at} when it was answered {result} (RM1)")
        self._watch.check_document(self)

    def _settle(self, result: Result) -> None:
        ops = self.waiting.pop(result.client_seq or 0, None)
        self.replica.acked = max(self.replica.acked, result.client_seq or 0)
        if ops is not None:
            self._watch.counts[f"outcome {result.outcome}"] += 1
            self._watch.acknowledged(self, ops, result)

    def _check_pong(self, seq: int) -> None:
        if self.replica.is_whole and seq != self.replica.seq:
            self._watch.wrong(f"{self.name} is at {self.replica.seq} where the room was at {seq} (RM1)")


def drawn(graph: Graph) -> bytes:
    """A document as canonical JSON: what two replicas must agree on."""
    whole = (graph.nodes_in_order(), graph.edges_in_order(), graph.name, graph.viewport)
    return msgspec.json.encode(whole, order="deterministic")
