"""What processes tell one another about a workflow.

A hint may be lost, doubled or late: whoever acts on one reads the truth from PostgreSQL (decision D6). `publish` never
raises for a relay that is away; it counts and logs, and the poll of `canvas.hub` heals.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import msgspec

from canvas.protocol import array_of

MAX_HINT_BYTES = 32 << 10  # larger transactions are read from the log by whoever needs them


class OpsHint(msgspec.Struct, frozen=True, tag="ops"):
    """The log has grown up to `head`. The transactions from `first` on come along when they are small.

    They stay encoded until somebody needs them: whoever has them already, the sender among them, looks at the numbers.
    """

    epoch: str
    head: int
    first: int = 0
    """0: none come along."""
    transactions: msgspec.Raw = msgspec.Raw(b"null")

    @classmethod
    def of(cls, epoch: str, head: int, encoded: list[bytes]) -> OpsHint:
        """`encoded`: the last transactions up to `head`."""
        if sum(map(len, encoded)) > MAX_HINT_BYTES:
            return cls(epoch, head)
        return cls(epoch, head, head - len(encoded) + 1, msgspec.Raw(array_of(encoded)))


class RunsHint(msgspec.Struct, frozen=True, tag="runs"):
    """What a frame says of runs: `{jobId, nodeId, status, progress, step, steps, message, previewUrl}`, newest wins.

    Or, of one that waits, its place alone: `{jobId, nodeId, inLine}`.
    """

    runs: tuple[dict[str, Any], ...]


class EventsHint(msgspec.Struct, frozen=True, tag="events"):
    """A run's stored events grew: SSE streams look again."""

    run_id: str


class CancelHint(msgspec.Struct, frozen=True, tag="cancel"):
    """Somebody asked a run to stop; whoever carries it need not wait for its next heartbeat."""

    run_id: str


class CallHint(msgspec.Struct, frozen=True, tag="call"):
    """A provider has reported on an order: whoever waits for it may look at once."""

    order_id: str


class PresenceHint(msgspec.Struct, frozen=True, tag="presence"):
    """Sessions of one process: the keys that changed, or, as a keyframe, everything it holds."""

    process: str
    sessions: dict[str, dict[str, Any]] = {}
    left: tuple[str, ...] = ()
    is_keyframe: bool = False
    asks: bool = False
    """The sender has just opened the room and wants everybody's keyframe."""


class ClientHint(msgspec.Struct, frozen=True, tag="client"):
    """A client opened a socket at `process`: one that it still has elsewhere is closed."""

    process: str
    account_id: str
    client_id: str
    at: datetime
    """By PostgreSQL's clock, which is everybody's: Redis may tell it when the client has long moved on."""


class AccessHint(msgspec.Struct, frozen=True, tag="access"):
    """Somebody's role changed: open sockets and streams check again."""


class DeletedHint(msgspec.Struct, frozen=True, tag="deleted"):
    """The workflow went to the trash."""


Hint = OpsHint | RunsHint | EventsHint | CancelHint | CallHint | PresenceHint | ClientHint | AccessHint | DeletedHint
Listener = Callable[[Hint], None]
"""Called on the event loop; must not block and must not raise."""


class Relay(Protocol):
    def publish(self, workflow_id: str, hint: Hint) -> None: ...

    async def subscribe(self, workflow_id: str, listener: Listener) -> Callable[[], None]:
        """Hear the hints about a workflow from now on; the answer ends it."""
