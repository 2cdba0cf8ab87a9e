"""A room: one workflow and everybody who has it open, without any I/O.

Every method takes what happened and answers the effects it has; `canvas.hub` carries them out. Nothing in here waits,
so every interleaving can be written down as a list of calls. The hub promises: between `prepare` and `committed` or
`abandon` it calls nothing that reads or moves the document.

Order (CONTRACT §5): a result at seq s is sent after all ops below s; an author hears no echo of what it pushed.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec

from canvas import protocol
from canvas.access import Role, lesser, may, refusal
from canvas.budget import Budget
from canvas.errors import EaselError, Invalid, changed_meanwhile
from canvas.frames import Frames
from canvas.graph import Graph
from canvas.numbers import Numbers
from canvas.ops import (
    MAX_EDGES,
    MAX_NODES,
    MAX_RECORD_BYTES,
    Change,
    Op,
    Remove,
    Update,
    check_sizes,
    replay,
)
from canvas.presence import Presences
from canvas.protocol import Author, Result, ResultError, Transaction
from canvas.push import Answered, Batch, Decision, Ledger, Past, Push, decode_push
from canvas.run_lane import RunLane
from canvas.telling import words_for
from canvas.undo import own_part

LIMITS = {
    "messageBytes": protocol.MAX_MESSAGE_BYTES,
    "recordBytes": MAX_RECORD_BYTES,
    "nodes": MAX_NODES,
    "edges": MAX_EDGES,
    "tickMs": round(protocol.TICK_S * 1000),
}

# What arrives


class Session(msgspec.Struct):
    """One socket that has said hello."""

    id: str
    account_id: str
    client_id: str
    role: Role
    user: dict[str, Any]
    """What others see: id, name, color."""
    may_run: bool = True
    """Whether its role's permission to start runs was not taken away."""
    at_most: Role = "owner"
    """What it may be by what it came with, whatever its account's role is."""
    joined_at: datetime = datetime.min.replace(tzinfo=UTC)
    """By the store's clock."""
    expires_at: float | None = None
    """When what it was let in with ends, in the hub's time."""
    budget: Budget | None = None
    """What it may say; None: as much as it likes, for automation."""

    @property
    def client(self) -> tuple[str, str]:
        return self.account_id, self.client_id


# What follows from it


class Send(msgspec.Struct, frozen=True):
    session_ids: tuple[str, ...]
    payload: bytes
    is_kept: bool = False
    """Of a welcome: held by the room anyway, or no more than what it holds. They do not count against a slow reader."""


class Close(msgspec.Struct, frozen=True):
    session_id: str
    code: int
    reason: str


class Answer(msgspec.Struct, frozen=True):
    """For a push that came without a socket: its caller waits for the result."""

    push: Push
    result: Result


Effect = Send | Close | Answer


class Room:
    def __init__(self, workflow_id: str, epoch: str, seq: int, graph: Graph) -> None:
        self.workflow_id = workflow_id
        self.epoch = epoch
        self.seq = seq
        self.graph = graph
        self.sessions: dict[str, Session] = {}
        self.presences = Presences()
        self.runs = RunLane()
        self._frames = Frames()
        self._session_ids: dict[tuple[str, str], str] = {}
        """Of each client, the session that it has now."""
        self.numbers = Numbers()
        self._expelled: set[str] = set()
        """Sessions that lost their access: what they pushed before and was not committed yet is refused."""
        self.role_changes = 0
        """Whoever has decided something by the roles of before decides it again."""
        self._snapshot: tuple[int, list[bytes]] | None = None

    # Coming and going

    def join(self, session: Session, now: float) -> list[Effect]:
        """A second socket with a client's id closes the first."""
        effects = self.replace(session.client, session.joined_at)
        self.sessions[session.id] = session
        self._session_ids[session.client] = session.id
        self.presences.join(session.id, session.user, now)
        return effects

    def replace(self, client: tuple[str, str], at: datetime) -> list[Effect]:
        """The client has had another socket since `at`, here or at another process."""
        session_id = self._session_ids.get(client)
        if session_id is None or self.sessions[session_id].joined_at > at:
            return []
        self.leave(session_id)
        return [Close(session_id, protocol.REPLACED, "This tab has opened another connection.")]

    def welcome(
        self, session_id: str, *, last_client_seq: int, results: list[Result], missed: list[Transaction] | None
    ) -> list[Effect]:
        """The first thing a session hears. `missed`: what came after its resume point, if that is known.

        It gets a snapshot otherwise, and when that is shorter than a long log.
        """
        resumed = protocol.ops_messages(protocol.encode_each(missed)) if missed is not None else None
        if resumed is not None and len(resumed) > 1 and _size(resumed) > _size(self.snapshot()):
            resumed = None
        session = self.sessions[session_id]
        self.numbers.learn(session.client, last_client_seq)
        others = {sid: state for sid, state in self.presences.everyone().items() if sid != session_id}
        message = {
            "type": "welcome",
            "protocol": protocol.PROTOCOL,
            "sessionId": session_id,
            "role": session.role,
            "mayRun": may(session.role, "run", may_run=session.may_run),
            "epoch": self.epoch,
            "seq": self.seq,
            "mode": "snapshot" if resumed is None else "resume",
            "lastClientSeq": last_client_seq,
            "results": results,
            "limits": LIMITS,
            "presence": others,
            "runs": self.runs.live(),
            "name": self.graph.name,
            "viewport": self.graph.viewport,
        }
        effects: list[Effect] = [Send((session_id,), protocol.encode(message))]
        if resumed is None:
            effects.extend(Send((session_id,), part, is_kept=True) for part in self.snapshot())
        else:
            effects.extend(Send((session_id,), part, is_kept=True) for part in resumed)
        return effects

    def snapshot(self) -> list[bytes]:
        """The encoded document, kept until it changes: a join costs no encoding."""
        if self._snapshot is None or self._snapshot[0] != self.seq:
            parts = protocol.snapshot_messages(self.graph.nodes_in_order(), self.graph.edges_in_order())
            self._snapshot = (self.seq, parts)
        return self._snapshot[1]

    def leave(self, session_id: str) -> None:
        session = self.sessions.pop(session_id, None)
        if session is not None:
            if self._session_ids.get(session.client) == session_id:
                del self._session_ids[session.client]
                self.numbers.forget(session.client)
            self.presences.leave(session_id)

    def change_role(self, session_id: str, role: Role | None) -> list[Effect]:
        """A role that was taken away closes the socket; another one is told."""
        session = self.sessions.get(session_id)
        if session is None:
            return []
        role = role and lesser(role, session.at_most)
        if session.role == role:
            return []
        self.role_changes += 1
        if role is None:
            self._expelled.add(session_id)
            self.leave(session_id)
            return [Close(session_id, protocol.FORBIDDEN, "You have no access to this workflow any more.")]
        session.role = role
        if not may(role, "write"):
            self.presences.drop_drag(session_id)
        return [Send((session_id,), protocol.role_message(role))]

    # Committing

    def push(self, session_id: str, message: protocol.Push) -> Push:
        """A session's push, decoded, with the refusal it already deserves."""
        session = self.sessions[session_id]
        author = Author(session.account_id, "user", session.client_id, message.client_seq)
        push = decode_push(author, session.role, message.ops, undo_of=message.undo_of)
        push.session_id = session_id
        return push

    def prepare(self, pushes: list[Push], ledger: Ledger, past: Past, at: datetime) -> Batch:
        """Apply what may be applied and say what has to be written. `committed` or `abandon` must follow."""
        batch = Batch(self.seq)
        for push in pushes:
            self.decide(batch, push, ledger, past, at)
        self.prepared(batch)
        return batch

    def decide(self, batch: Batch, push: Push, ledger: Ledger, past: Past, at: datetime) -> None:
        """One push of a batch. `prepared`, or `abandon`, must follow the last one."""
        result = self._answer_from(ledger, push)
        if result is None:
            result = self._apply(batch, push, past, at)
            self._remember(batch, ledger, push, result)
        batch.decisions.append((push, result))

    def prepared(self, batch: Batch) -> None:
        batch.touched, batch.end = self.graph.touched(), self.graph.mark()

    def _answer_from(self, ledger: Ledger, push: Push) -> Result | None:
        """What a number that is not the client's next one is answered."""
        if push.client is None or push.author.client_seq is None:
            return None
        number, last = push.author.client_seq, ledger.last.get(push.client, 0)
        if number == last + 1:
            return None
        if number > last:
            detail = f"Push {number} came, but {last + 1} is next. Send again from there."
            error = ResultError("SEQ_GAP", detail)
            return Result(number, self.seq, "reject", error=error, last_client_seq=last)
        before = ledger.answered.get((*push.client, number))
        if before is not None and before.digest == push.digest:
            return before.result
        detail = f"Number {number} was used for other ops. Is this tab a copy? Take a new clientId."
        return Result(number, self.seq, "reject", error=ResultError("CLIENT_SEQ_REUSED", detail))

    def _apply(self, batch: Batch, push: Push, past: Past, at: datetime) -> Result:
        mark = self.graph.mark()
        is_clean = push.author.origin == "restore"  # records that were committed once keep what was allowed then
        change = Change(self.graph, batch.seq + 1, past.removed_by, is_clean=is_clean)
        try:
            self._check_allowed(push)
            if push.if_seq is not None and push.if_seq != batch.seq:
                raise changed_meanwhile()
            ops = push.ops
            if push.undo_of is not None:
                log = chain(past.log, batch.transactions)
                ops = own_part(ops, push.undo_of, push.author, log, self.graph)
            for op in ops:
                change.apply(op)
            check_sizes(self.graph, mark)
        except EaselError as error:
            self.graph.roll_back(mark)
            return Result(push.author.client_seq, batch.seq, "reject", error=ResultError.of(error))
        if not change.effective:
            return Result(push.author.client_seq, batch.seq, "commit")
        batch.seq += 1
        batch.transactions.append(Transaction(batch.seq, push.author, at, change.effective, push.undo_of))
        if change.removed:
            batch.removed[batch.seq] = change.removed
        if len(change.effective) == len(push.ops) and all(map(operator.is_, change.effective, push.ops)):
            return Result(push.author.client_seq, batch.seq, "commit")
        return Result(push.author.client_seq, batch.seq, "rebase", ops=change.effective)

    def _check_allowed(self, push: Push) -> None:
        """The role counts that its session has now: it may have changed while the push waited."""
        if push.refused is not None:
            raise push.refused
        session = self.sessions.get(push.session_id) if push.session_id is not None else None
        if push.session_id in self._expelled:
            raise refusal(None, "write")
        if session is not None and not may(session.role, "write"):
            raise refusal(session.role, "write")

    @staticmethod
    def _remember(batch: Batch, ledger: Ledger, push: Push, result: Result) -> None:
        if push.client is None or push.author.client_seq is None:
            return
        batch.numbered.append((push, result))
        ledger.last[push.client] = push.author.client_seq
        ledger.answered[(*push.client, push.author.client_seq)] = Answered(push.digest, result)

    def committed(self, batch: Batch) -> None:
        """The batch is stored. `told` must follow before anything else is said to anybody."""
        self.graph.settle(batch.end)
        self.seq = batch.seq
        self.numbers.learn_from(batch)

    def told(self, batch: Batch) -> list[Effect]:
        """What everybody hears of a batch that is stored, each in its own order."""
        batch.encoded = protocol.encode_each(batch.transactions)
        return self._told(batch.transactions, batch.encoded, batch.decisions)

    def abandon(self, after: Batch | None = None) -> None:
        """Nothing of the batch was stored: the document is as before it, or as `after` leaves it."""
        self.graph.roll_back(after.end if after is not None else 0)

    def answered(self, pushes: list[Push], ledger: Ledger) -> list[Decision]:
        """Those that were committed before, as they were answered then: their answer was lost."""
        again = [push for push in pushes if (*(push.client or ()), push.author.client_seq) in ledger.answered]
        return [(push, result) for push in again if (result := self._answer_from(ledger, push)) is not None]

    def advance(self, transactions: list[Transaction], decisions: Iterable[Decision] = ()) -> list[Effect]:
        """Somebody else committed these: another process, a job, or we ourselves for `decisions` and did not know.

        Raises Invalid when they do not follow from this document: then this replica is wrong.
        """
        fresh = [transaction for transaction in transactions if transaction.seq > self.seq]
        for transaction in fresh:
            if transaction.seq != self.seq + 1:
                raise Invalid(f"Transaction {transaction.seq} does not follow {self.seq}.")
            replay(self.graph, transaction.seq, transaction.ops)
            self.seq = transaction.seq
        self.graph.settle()
        return self._told(fresh, protocol.encode_each(fresh), list(decisions))

    def _told(self, transactions: list[Transaction], encoded: list[bytes], decisions: list[Decision]) -> list[Effect]:
        """Everyone in their own order: authors their results, and no echo."""
        for transaction in transactions:
            self._end_drags(self._session_of(transaction.by), transaction.ops)
            removed = {id_ for op in transaction.ops if isinstance(op, Remove) and op.kind == "node" for id_ in op.ids}
            self.presences.end_drags(removed)
        for push, _ in decisions:  # one that changed nothing has ended its drag, too
            self._end_drags(push.session_id, push.ops)
        pushers = {push.session_id for push, _ in decisions}
        listeners = tuple(sid for sid in self.sessions if sid not in pushers)
        effects: list[Effect] = []
        if transactions and listeners:
            effects.append(Send(listeners, protocol.ops_message(encoded)))
        for session_id in self.sessions.keys() & pushers:
            words = words_for(session_id, transactions, encoded, decisions)
            effects.extend(Send((session_id,), each) for each in words)
        effects.extend(Answer(push, result) for push, result in decisions if push.session_id is None)
        return effects

    def _end_drags(self, session_id: str | None, ops: list[Op]) -> None:
        moved = {op.id for op in ops if isinstance(op, Update) and "/position" in op.set}
        if moved and session_id is not None:
            self.presences.end_drags(moved, session_id=session_id)

    def _session_of(self, author: Author) -> str | None:
        return self._session_ids.get((author.user_id, author.client_id)) if author.client_id is not None else None

    # The other lanes

    @property
    def is_dirty(self) -> bool:
        return self.presences.is_dirty or self.runs.is_dirty

    @property
    def owes_frames(self) -> bool:
        """Somebody missed one. The next makes up for it; without news the hub's poll does."""
        return self._frames.is_owed

    def tick(self, slow: Collection[str] = ()) -> tuple[list[Send], dict[str, dict[str, Any]], tuple[str, ...]]:
        """One frame for everybody but the `slow`, and what it tells of presence: what has changed, and who left."""
        (changed, left), runs = self.presences.take(), self.runs.take()
        tellings = self._frames.tell(changed, left, runs, self.sessions, slow)
        return [Send(*telling) for telling in tellings], changed, tuple(left)


def _size(messages: list[bytes]) -> int:
    return sum(map(len, messages))
