"""How much one session may say: who says more is not read for a while, who keeps at it is sent away (LM3, CL6)."""

from __future__ import annotations

from canvas.errors import LimitReached

RATE = 1_000.0  # messages a second: a drag and a cursor on a 240 Hz screen are 480
BURST = 4_000.0  # what somebody who was quiet may say at once: an import in pieces, a script that begins
BYTES = 8 << 10  # that cost one message more: 8 MiB a second, and the largest message an eighth of the burst
JUNK_COST = 10.0  # a message that cannot be understood is answered, and says nothing
RESYNC_COST = 100.0  # a whole document
MIN_PAUSE_S = 0.25  # shorter ones would cost more than they spare
PATIENCE_S = 30.0  # of saying more than this allows, without a breath


class Budget:
    """A bucket that fills while nobody draws on it. The clock is the caller's."""

    __slots__ = ("_emptied_at", "_filled_at", "_left")

    def __init__(self) -> None:
        self._left = BURST
        self._filled_at = 0.0
        self._emptied_at: float | None = None

    def spend(self, cost: float, now: float) -> float:
        """Seconds for which nothing more should be read, mostly 0. Raises LimitReached when patience has an end."""
        self._left = min(BURST, self._left + (now - self._filled_at) * RATE) - cost
        self._filled_at = now
        if self._left > BURST / 2:
            self._emptied_at = None
        if self._left >= 0:
            return 0.0
        if self._emptied_at is None:
            self._emptied_at = now
        if now - self._emptied_at > PATIENCE_S:
            raise LimitReached(
                f"This connection sends more than {RATE:g} messages a second. Send less, and reload.",
                code="RATE_LIMITED",
            )
        return max(MIN_PAUSE_S, -self._left / RATE)
