"""How much one session may say: who says more is not read for a while, who keeps at it is sent away (LM3, CL6)."""

from __future__ import annotations

from canvas.errors import LimitReached

RATE = 1_000.0  # messages a second: a drag and a cursor on a 240 Hz screen are 480
BURST = 4_000.0  # what somebody who was quiet may say at once
BYTES = 8 << 10  # that cost one message more: 8 MiB a second, and the largest message an eighth of the burst
JUNK_COST = 10.0  # a message that cannot be understood is answered, and says nothing
RESYNC_COST = 100.0  # a whole document
PUSH_RATE = 100.0  # pushes a second: each is stored, and told to everybody. A push may hold many ops.
PUSH_BURST = 200.0  # an import in pieces, a script that begins
MIN_PAUSE_S = 0.05  # shorter ones would cost more than they spare
PATIENCE_S = 30.0  # of saying more than this allows, without a breath


class _Bucket:
    """Fills while nobody draws on it. The clock is the caller's."""

    __slots__ = ("_burst", "_filled_at", "_rate", "left")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._filled_at = 0.0
        self.left = burst

    def draw(self, cost: float, now: float) -> float:
        """Seconds for which nothing more should be drawn, mostly 0."""
        self.left = min(self._burst, self.left + (now - self._filled_at) * self._rate) - cost
        self._filled_at = now
        return 0.0 if self.left >= 0 else max(MIN_PAUSE_S, -self.left / self._rate)


class Budget:
    __slots__ = ("_emptied_at", "_messages", "_pushes")

    def __init__(self) -> None:
        self._messages = _Bucket(RATE, BURST)
        self._pushes = _Bucket(PUSH_RATE, PUSH_BURST)
        self._emptied_at: float | None = None

    def spend(self, cost: float, now: float, *, is_push: bool = False) -> float:
        """Seconds for which nothing more should be read, mostly 0. Raises LimitReached when patience has an end.

        Pushes alone never bring it to an end: a script that works as fast as it may is only slowed.
        """
        pause_s = self._messages.draw(cost, now)
        if self._messages.left > BURST / 2:
            self._emptied_at = None
        if self._messages.left < 0:
            self._emptied_at = now if self._emptied_at is None else self._emptied_at
            if now - self._emptied_at > PATIENCE_S:
                raise LimitReached(
                    f"This connection sends more than {RATE:g} messages a second. Send less, and reload.",
                    code="RATE_LIMITED",
                )
        return max(pause_s, self._pushes.draw(cost, now)) if is_push else pause_s
