"""One run of the load generator: what it is asked for and what it saw."""

import subprocess
from bisect import insort
from pathlib import Path

import msgspec

from benchmarks import machine
from benchmarks.contenders import Target
from benchmarks.pace import Pace

TIMEOUT_S = 180
DISTURBED_CORES = 0.06  # by others, on average over a run
SLOW = 1.1
P99_LIMIT_MS = 100.0
NEVER_MS = 99999.0
FULL_CORE = 0.92  # what is left goes to waking up
LATE_MS = 20.0
TICK_SHARE = 0.8  # of the updates that a merging server's tick promises


class Load(msgspec.Struct, frozen=True):
    rooms: int
    clients: int
    """In each room."""
    senders: int
    hz: float
    """Of each sender."""
    warmup_s: float = 2.0
    measured_s: float = 2.0
    sample: int = 1
    """Every how many-th client parses what it reads; the others only read it."""
    is_durable: bool = False
    """Pushes instead of drags."""
    window: int = 0
    """Of one room: so many moves may be on their way, on average to those who parse. 0: as `hz` says."""

    def arguments(self) -> list[str]:
        numbers = {
            "--rooms": self.rooms,
            "--clients": self.clients,
            "--senders": self.senders,
            "--hz": self.hz,
            "--warmup": self.warmup_s,
            "--secs": self.measured_s,
            "--sample": self.sample,
            "--window": self.window,
        }
        return [word for name, value in numbers.items() for word in (name, str(value))] + ["--push"] * self.is_durable


class Seen(msgspec.Struct, frozen=True):
    """Rates are per second, times in milliseconds, CPU in cores, all over the measured window."""

    error: str = ""
    connected: int = 0
    closed: int = 0
    errors: int = 0
    rejected: int = 0
    sent: int = 0
    sent_per_s: float = 0
    acked: int = 0
    expected: int = 0
    ratio: float = 0
    """Deliveries seen over those expected."""
    frames_per_s: float = 0
    mb_per_s: float = 0
    p50: float = 99999
    p99: float = 99999
    ack_p50: float = 99999
    ack_p99: float = 99999
    srv_cpu: float = 0
    gen_cpu: float = 0
    beside_cpu: float = 0
    """Of the database, where a target names one."""
    rss_kb: int = 0
    lag_p99: float = 0
    """How late the generator itself was in sending."""
    cpu_each: list[float] = msgspec.field(default_factory=list)
    foreign: float = 0
    began: float = 0
    ended: float = 0
    """The measured window, on the monotonic clock."""
    pace_us: float = 0
    """Of the server's core meanwhile; 0: nothing was measured."""
    slowness: float = 1
    """Of that core, over what it was in the calmest quarter of the runs so far."""

    @property
    def is_disturbed(self) -> bool:
        """By others: a server that just manages at a core's usual pace falls behind at another, and stays there."""
        return self.foreign >= DISTURBED_CORES or self.slowness >= SLOW

    @property
    def latency_ms(self) -> float | None:
        """p99 of what was delivered; None when nothing was, or not enough of it."""
        return None if self.error or not self.expected or self.p99 >= NEVER_MS else self.p99

    @property
    def is_generator_bound(self) -> bool:
        """The server had time left and the generator had none: the server's limit lies higher."""
        had_none = self.gen_cpu >= FULL_CORE or self.lag_p99 >= LATE_MS
        return had_none and self.srv_cpu < FULL_CORE


class Joins(msgspec.Struct, frozen=True):
    joins: int
    errors: int
    join_p50_ms: float
    join_p99_ms: float
    bytes_per_join: float
    srv_cpu_ms_per_join: float


class Generator:
    def __init__(self, program: Path, pace: Pace) -> None:
        self._program = program
        self._pace = pace
        self._paces = list[float]()
        """Of the runs so far, sorted."""

    def run(self, target: Target, load: Load, *, merges_ms: int | None = None) -> Seen:
        machine.wait_until_quiet(target.pids)
        foreign = machine.ForeignLoad()
        coalesce = ["--merges"] if merges_ms and not load.is_durable else []
        words = [*target.arguments(load.rooms, load.clients), *load.arguments(), *coalesce]
        done = self._start(target, words)
        if done.returncode or not done.stdout.strip():
            return Seen(error=done.stderr.strip()[-300:] or f"the generator ended with {done.returncode}", closed=1)
        seen = msgspec.json.decode(done.stdout, type=Seen)
        pace_us = self._pace.us(machine.SERVER_CORE, seen.began, seen.ended)
        insort(self._paces, pace_us)
        slowness = pace_us / self._paces[len(self._paces) // 4]
        return msgspec.structs.replace(
            seen, foreign=round(foreign.cores(), 3), pace_us=round(pace_us, 2), slowness=round(slowness, 3)
        )

    def join(self, target: Target, count: int, at_once: int = 1) -> Joins:
        machine.wait_until_quiet()
        done = self._start(target, [*target.joining, "--join", str(count), "--at-once", str(at_once)])
        return msgspec.json.decode(done.stdout, type=Joins)

    def hold(self, target: Target, rooms: int, clients: int, hold_s: float) -> "subprocess.Popen[str]":
        """Connect, keep still; the caller looks at the server meanwhile."""
        counts = ["--rooms", str(rooms), "--clients", str(clients), "--hold", str(hold_s)]
        words = [*target.arguments(rooms, clients), *counts]
        return subprocess.Popen(self._command(target, words), stdout=subprocess.PIPE, text=True)  # noqa: S603

    def _start(self, target: Target, words: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603 - our own program
            self._command(target, words), capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )

    def _command(self, target: Target, words: list[str]) -> list[str]:
        pids = ",".join(map(str, target.pids))
        beside = ["--beside", str(target.beside)] if target.beside else []
        return ["taskset", "-c", str(machine.LOAD_CORE), str(self._program), "--pids", pids, *beside, *words]


def holds(seen: Seen, load: Load, merges_ms: int | None) -> bool:
    """Whether everybody got everything in time; of a server that merges, the newest as often as its tick promises."""
    if seen.error or seen.errors or seen.closed or seen.rejected:
        return False
    if load.is_durable and (seen.acked < seen.sent or seen.ack_p99 >= P99_LIMIT_MS):
        return False
    if seen.expected and seen.p99 >= P99_LIMIT_MS:  # who is alone in a room hears nobody
        return False
    if load.is_durable:
        return True
    if merges_ms:
        return seen.ratio >= TICK_SHARE * min(1.0, 1000 / merges_ms / load.hz)
    return True
