"""What a client missed while it was away: as it was, compacted, or so much that the snapshot is shorter (RS rules)."""

from __future__ import annotations

from canvas.compaction import compacted
from canvas.protocol import Hello
from canvas.room import Room, Session
from canvas.store.port import CanvasStore, Resumption

MAX_RESUME = 5_000  # transactions: to read and compact them takes some 30 ms
MAX_RESUME_AS_IT_WAS = 1_000  # beyond, what was written over since is left out


async def resumption_of(store: CanvasStore, room: Room, session: Session, hello: Hello) -> Resumption:
    """Up to where `room` is. Its epoch may turn out to be another than the room's. Raises NotFound, Unavailable."""
    resume = hello.resume
    can_resume = resume is not None and resume.epoch == room.epoch and 0 <= room.seq - resume.seq <= MAX_RESUME
    resumption = await store.resumption(
        room.workflow_id,
        session.account_id,
        session.client_id,
        after=resume.seq if resume is not None and can_resume else None,
        acked=resume.acked_client_seq if resume is not None else None,
    )
    # Another process may have committed more since: that comes as ops, when this room hears of it.
    late = [result for result in resumption.results if result.seq > room.seq]
    if late and late[0].client_seq is not None:
        resumption.last_client_seq = late[0].client_seq - 1
        resumption.results = [result for result in resumption.results if result.seq <= room.seq]
    if resumption.missed is not None and resume is not None:
        missed = [transaction for transaction in resumption.missed if transaction.seq <= room.seq]
        resumption.missed = missed if len(missed) == room.seq - resume.seq else None  # else the log was trimmed
        if resumption.missed is not None and len(missed) > MAX_RESUME_AS_IT_WAS:
            resumption.missed = compacted(missed)
    return resumption
