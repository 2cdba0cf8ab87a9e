"""What a benchmark run has in hand: how thorough it is, whom it measures, and with what."""

import msgspec

from benchmarks.contenders import Contender, Easel, Peer
from benchmarks.databases import Databases
from benchmarks.generator import Generator
from benchmarks.harness import Harness
from benchmarks.results import Results

BEST_PEERS = {
    "W1": ("hocuspocus", "tldraw sync-core"),
    "W2": ("hocuspocus", "tldraw sync-core"),
    "W3": ("node ws", "tldraw sync-core"),
    "W4": ("node ws", "tldraw sync-core"),
    "W5": ("pycrdt-websocket", "hocuspocus"),
}
"""The strongest two of the last full run: whom a shorter run is held against."""
ALL_PEERS = (
    "hocuspocus",
    "y-websocket-server",
    "tldraw sync-core",
    "pycrdt-websocket",
    "socket.io",
    "node ws",
)
WORKLOADS = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10", "W11", "growth")


class Depth(msgspec.Struct, frozen=True):
    name: str
    probe_s: float
    warmup_s: float
    confirm_runs: int
    confirm_s: float
    tolerance: float
    peers: int
    """The best so many in each workload."""
    workloads: tuple[str, ...] = WORKLOADS


FULL = Depth("full", probe_s=2, warmup_s=1.7, confirm_runs=3, confirm_s=10, tolerance=1.07, peers=len(ALL_PEERS))
QUICK = Depth("quick", probe_s=1.5, warmup_s=1.2, confirm_runs=1, confirm_s=5, tolerance=1.15, peers=2)
GLANCE = Depth(
    "glance", probe_s=1.5, warmup_s=1, confirm_runs=1, confirm_s=2, tolerance=1.35, peers=1,
    workloads=("W2", "W4", "W5"),
)  # fmt: skip


class Bench(msgspec.Struct, frozen=True):
    depth: Depth
    harness: Harness
    databases: Databases
    generator: Generator
    results: Results
    chosen_peers: tuple[str, ...] = ()
    """Named by hand; empty: what the depth asks for."""
    given_load: int | None = None
    """Measured once instead of searched."""
    deflates: bool = False

    def easel(self, *, processes: int = 1, spread: str = "rooms") -> Easel:
        easel = Easel(self.databases, self.harness, processes=processes, spread=spread)
        easel.deflates = self.deflates
        return easel

    def peers(self, workload: str) -> list[Contender]:
        specs = self.harness.peers()
        names = self.chosen_peers or (
            ALL_PEERS if self.depth.peers == len(ALL_PEERS) else BEST_PEERS[workload][: self.depth.peers]
        )
        return [Peer(name, specs[name], self.harness) for name in names if name in specs]

    def contenders(self, workload: str) -> list[Contender]:
        return [self.easel(), *self.peers(workload)]
