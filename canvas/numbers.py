"""What a room knows of its clients' numbers, so that most pushes can be decided without asking the store."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from canvas.push import Batch, Ledger, Push

Client = tuple[str, str]
NONE: Mapping[Client, int] = MappingProxyType({})


class Numbers:
    def __init__(self) -> None:
        self._used: dict[Client, int] = {}
        """Of each client that is here, the highest number that is known to be used. Elsewhere it may have used more."""

    def learn(self, client: Client, last: int) -> None:
        self._used[client] = last

    def learn_from(self, batch: Batch) -> None:
        """It was stored. Those who are not here stay unknown."""
        for push, _ in batch.numbered:
            if push.client in self._used and push.author.client_seq is not None:
                self._used[push.client] = push.author.client_seq

    def forget(self, client: Client) -> None:
        self._used.pop(client, None)

    def ledger_for(self, pushes: list[Push], on_the_way: Mapping[Client, int] = NONE) -> Ledger | None:
        """The store's ledger, if each push has its client's next number; None: only the store can tell.

        `on_the_way` there are these, which count as used.

        Whoever decides by it has the store refuse numbers that are used: numbers have no gaps, so one that is free and
        follows a used one is the next.
        """
        before: dict[Client, int] = {}
        last: dict[Client, int] = {}
        for push in pushes:
            if push.client is None:
                continue
            if push.client not in last:
                used = on_the_way.get(push.client, self._used.get(push.client))
                if used is None:
                    return None
                before[push.client] = last[push.client] = used
            last[push.client] += 1
            if push.author.client_seq != last[push.client]:
                return None
        return Ledger(before, {})
