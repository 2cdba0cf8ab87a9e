"""Which place a waiting run has: how many begin before it as things stand, in the order of the claims (JB46). Pure.

A place may also grow: people take turns, and who comes later may have nothing under way yet.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import msgspec

from jobs.providers.registry import name_of

COUNTED = 100  # ahead of it; nobody counts along with more, the number would only move
_NEVER = datetime.min.replace(tzinfo=UTC)


class InLine(msgspec.Struct, frozen=True):
    place: int | None
    """1: it is next. Null: more than `COUNTED` begin before it."""
    text: str
    """The same for a person."""


BEYOND = InLine(None, f"More than {COUNTED} ahead")


class Waiting(NamedTuple):
    """A run that is due and that no worker has taken."""

    run_id: str
    workflow_id: str
    node_id: str
    account_id: str
    provider: str
    due_at: datetime
    carried: int
    """How many of its account are under way."""
    served_at: datetime | None
    """When one of its account began last."""


class LineReader(Protocol):
    async def places(self, run_ids: list[str]) -> dict[str, InLine]:
        """As they were last seen, of those that were. Never raises: a place may be lost."""


def line_of(waiting: Iterable[Waiting], free: Mapping[str, int]) -> dict[str, InLine]:
    """The place of each. `free`: how many more runs a provider carries now, of those that have a limit.

    Those whose provider has no place left stand in a line of their own, behind the ones that get its last places: the
    others pass them by.
    """
    waiting = list(waiting)
    line: dict[str, InLine] = {}
    last: defaultdict[str, int] = defaultdict(int)
    for number, run in enumerate(_claims(waiting, free), 1):
        line[run.run_id] = _in_line(number, "")
        last[run.provider] = number
    behind: defaultdict[str, list[Waiting]] = defaultdict(list)
    for run in waiting:
        if run.run_id not in line:
            behind[run.provider].append(run)
    for provider, theirs in behind.items():
        for number, run in enumerate(_claims(theirs, {}), last[provider] + 1):
            line[run.run_id] = _in_line(number, f" for {name_of(provider)}")
    return line


def _claims(waiting: Iterable[Waiting], free: Mapping[str, int]) -> Iterator[Waiting]:
    """In the order in which they would be claimed if nobody came and nobody ended (JB26)."""
    left = dict(free)
    accounts: defaultdict[str, dict[str, deque[Waiting]]] = defaultdict(dict)
    for run in sorted(waiting, key=lambda one: (one.due_at, one.run_id)):
        accounts[run.account_id].setdefault(run.provider, deque()).append(run)
    begun: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    """By account: how many of those before, and when."""

    def head(account_id: str) -> tuple[int, int, datetime, datetime, str, str] | None:
        lines = accounts[account_id].items()
        open_ = [runs[0] for provider, runs in lines if runs and left.get(provider, 1) > 0]
        if not open_:
            return None
        first = min(open_, key=lambda one: (one.due_at, one.run_id))
        count, turn = begun[account_id]
        served_at = first.served_at or _NEVER
        return first.carried + count, turn, served_at, first.due_at, first.run_id, account_id

    heads = [found for account_id in accounts if (found := head(account_id)) is not None]
    heapq.heapify(heads)
    turn = 0
    while heads:
        account_id = heads[0][-1]
        now = head(account_id)
        if now != heads[0]:  # its provider has become full meanwhile
            heapq.heappop(heads)
        else:
            turn += 1
            begun[account_id] = begun[account_id][0] + 1, turn
            runs = next(one for one in accounts[account_id].values() if one and one[0].run_id == now[4])
            run = runs.popleft()
            if run.provider in left:
                left[run.provider] -= 1
            yield run
            heapq.heappop(heads)
            now = head(account_id)
        if now is not None:
            heapq.heappush(heads, now)


def _in_line(place: int, where: str) -> InLine:
    if place - 1 > COUNTED:
        return BEYOND
    return InLine(place, f"{'Next' if place == 1 else ordinal(place)} in line{where}")


def ordinal(number: int) -> str:
    """`2nd`, `11th`."""
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
