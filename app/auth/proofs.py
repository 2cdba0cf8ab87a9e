"""What open sockets and streams were let in with, and the news that it is over: revoked, expired, signed out (CL7)."""

from __future__ import annotations

from collections.abc import Callable

from canvas.store.postgres import Pool, reaching_the_database

LIVE = """
    SELECT token_hash FROM sessions WHERE expires_at > now()
    UNION ALL
    SELECT token_hash FROM api_tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"""
"""A proof is the hash of a session's or a token's secret."""


class Proofs:
    """Asks for all of a process at once, whoever took them away: another server, the command line, a statement."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._held: dict[bytes, dict[int, Callable[[], None]]] = {}
        self._next = 0

    def watch(self, proof: bytes | None, over: Callable[[], None]) -> Callable[[], None]:
        """`over` is called once, when the proof is good no longer; the answer ends the watch. None is not watched."""
        if proof is None:
            return _nothing
        self._next += 1
        number = self._next
        self._held.setdefault(proof, {})[number] = over

        def forget() -> None:
            watching = self._held.get(proof)
            if watching is not None and watching.pop(number, None) is not None and not watching:
                del self._held[proof]

        return forget

    async def look(self) -> None:
        """Raises Unavailable: nothing was taken away that we know of."""
        asked = list(self._held)
        if not asked:
            return
        async with reaching_the_database():
            rows = await self._pool.fetch(_WHICH_LIVE, asked)
        for proof in set(asked) - {row["token_hash"] for row in rows}:
            for over in self._held.pop(proof, {}).values():
                over()


def _nothing() -> None:
    """There is nothing to forget."""


_WHICH_LIVE = f"SELECT token_hash FROM ({LIVE}) live WHERE token_hash = ANY($1::bytea[])"
