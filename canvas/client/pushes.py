"""One program's pushes that wait for their answer, and the numbers they go under (CONTRACT §5, "Pushing"). No I/O."""

from __future__ import annotations

import asyncio
import secrets
from typing import NamedTuple

from canvas.ops import Op
from canvas.protocol import Result


class Waiting(NamedTuple):
    ops: list[Op]
    answer: asyncio.Future[Result]


class Pushes:
    def __init__(self, client_id: str | None) -> None:
        self.client_id = client_id or _new_client_id()
        self._waiting: dict[int, Waiting] = {}
        """By number, in order and without a gap."""
        self._next = 1
        self._to_send = 1
        """The first number that has not been sent on this connection."""
        self._sent = 0
        """The highest number that was sent on any."""
        self._gap_after: int | None = None
        self.has_unsent = asyncio.Event()

    def add(self, ops: list[Op]) -> asyncio.Future[Result]:
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting[self._next] = Waiting(ops, answer)
        self._next += 1
        self.has_unsent.set()
        return answer

    def next_unsent(self) -> tuple[int, list[Op]] | None:
        """The number and ops to send now; it counts as sent from here on."""
        waiting = self._waiting.get(self._to_send)
        if waiting is None:
            self.has_unsent.clear()
            return None
        number = self._to_send
        self._to_send += 1
        self._sent = max(self._sent, number)
        return number, waiting.ops

    def knows(self, last_client_seq: int) -> bool:
        """Whether the server's count can be ours: what it has counted was sent, what was answered is counted."""
        return min(self._waiting, default=self._next) - 1 <= last_client_seq <= self._sent

    def begin_at(self, last_client_seq: int) -> None:
        """Nothing was sent yet, and the server remembers an earlier program under this clientId."""
        self._number_from(last_client_seq + 1)
        self._sent = last_client_seq

    @property
    def was_used(self) -> bool:
        return self._sent > 0

    def send_again(self) -> None:
        """A new connection: everything that waits goes out once more."""
        self._go_to(min(self._waiting, default=self._next))

    def go_back(self, last_client_seq: int) -> bool:
        """SEQ_GAP: send again from what is missing; False: that was answered once, the server has forgotten it."""
        if last_client_seq + 1 not in self._waiting:
            return False
        if self._gap_after != last_client_seq:  # else the pushes behind the gap each tell of it: once is enough
            self._go_to(last_client_seq + 1)
            self._gap_after = last_client_seq
        return True

    def take(self, number: int | None) -> Waiting | None:
        """What is answered now."""
        if self._gap_after is not None and number == self._gap_after + 1:
            self._gap_after = None
        return self._waiting.pop(number or 0, None)

    def renew(self) -> None:
        """Take a new clientId, and its numbers for all that was never answered."""
        self.client_id = _new_client_id()
        self._number_from(1)
        self._sent = 0

    def refuse_all(self, error: Exception) -> None:
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
        self._waiting.clear()

    def _number_from(self, first: int) -> None:
        self._waiting = dict(enumerate(self._waiting.values(), first))
        self._next = first + len(self._waiting)
        self._go_to(first)

    def _go_to(self, number: int) -> None:
        self._to_send = number
        self._gap_after = None
        self.has_unsent.set()


def _new_client_id() -> str:
    return f"py-{secrets.token_hex(8)}"
