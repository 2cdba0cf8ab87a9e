"""What a benchmark run has in hand: how thorough it is, whom it measures, and with what."""

import time
from math import inf

import msgspec

from benchmarks.contenders import Contender, Easel, Peer
from benchmarks.databases import Databases
from benchmarks.generator import Generator, Load
from benchmarks.harness import Harness
from benchmarks.pace import Pace
from benchmarks.results import Results

BEST_PEERS = {
    "W1": ("hocuspocus", "tldraw sync-core"),
    "W2": ("hocuspocus", "tldraw sync-core"),
    "W3": ("node ws", "tldraw sync-core"),
    "W4": ("node ws", "tldraw sync-core"),
    "W5": ("pycrdt-websocket", "hocuspocus"),
}
"""The strongest two of the last thorough run: whom a shorter one is held against."""
LEAST_PEERS = {"W3": 2}
"""A plain relay and one with a document are two comparisons there."""
ALL_PEERS = (
    "hocuspocus",
    "y-websocket-server",
    "tldraw sync-core",
    "pycrdt-websocket",
    "socket.io",
    "node ws",
)
WORKLOADS = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10", "W11", "growth")

MOST_TELLING_FIRST = ("W1", "W2", "W3", "W6", "W7", "W4", "W5", "W9", "W11", "W8", "W10", "growth")
"""`growth` last: what came right after its million rows was slower (W9: half as many requests)."""


class Depth(msgspec.Struct, frozen=True):
    name: str
    probe_s: float
    warmup_s: float
    rounds: int
    """In which every contender is measured, in turn, where there is no limit to search."""
    looks: int
    """For the limit of each contender, in turn."""
    servers: int
    """Of each contender, one after the other, that share its looks."""
    peers: int
    """The best so many in each workload."""
    budget_s: float
    """What has not begun by then is left out, and said to be."""
    workloads: tuple[str, ...] = WORKLOADS

    def tried(self, load: Load) -> Load:
        """As one look at it lasts."""
        return msgspec.structs.replace(load, measured_s=self.probe_s, warmup_s=self.warmup_s)


THOROUGH = Depth(
    "thorough", probe_s=3, warmup_s=1.7, rounds=3, looks=20, servers=2, peers=len(ALL_PEERS), budget_s=3 * 3600
)
FULL = Depth(
    "full", probe_s=1.2, warmup_s=0.8, rounds=3, looks=12, servers=2, peers=1, budget_s=19.5 * 60,
    workloads=MOST_TELLING_FIRST,
)  # fmt: skip
QUICK = Depth(
    "quick", probe_s=1.0, warmup_s=0.7, rounds=1, looks=8, servers=1, peers=1, budget_s=130,
    workloads=("W4", "W5", "W2"),
)  # fmt: skip


class Bench(msgspec.Struct, frozen=True):
    depth: Depth
    harness: Harness
    databases: Databases
    generator: Generator
    pace: Pace
    results: Results
    chosen_peers: tuple[str, ...] = ()
    """Named by hand; empty: what the depth asks for."""
    given_load: int | None = None
    """Measured once instead of searched."""
    deflates: bool = False
    is_rest: bool = False
    """It belongs to a run that was over before."""
    until: float = inf
    """On the monotonic clock: no further round of anything is begun after it."""

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self.until

    def easel(self, *, processes: int = 1, spread: str = "rooms") -> Easel:
        easel = Easel(self.databases, self.harness, processes=processes, spread=spread)
        easel.deflates = self.deflates
        return easel

    def peers(self, workload: str) -> list[Contender]:
        specs = self.harness.peers()
        names = self.chosen_peers or (
            ALL_PEERS
            if self.depth.peers == len(ALL_PEERS)
            else BEST_PEERS[workload][: max(self.depth.peers, LEAST_PEERS.get(workload, 0))]
        )
        return [Peer(name, specs[name], self.harness) for name in names if name in specs]

    def contenders(self, workload: str) -> list[Contender]:
        return [self.easel(), *self.peers(workload)]
