"""W4, W5, W11: what a connection, a join and an editor cost in memory, time, CPU and bytes."""

import time
from collections.abc import Callable

import msgspec

from benchmarks import machine
from benchmarks.bench import Bench
from benchmarks.capacity import EDITOR_HZ, attempt, load_of
from benchmarks.contenders import Contender
from benchmarks.generator import Seen
from benchmarks.results import Row

IDLE_ROOMS, IDLE_CLIENTS = 100, 10
HOLD_S, LOOK_EVERY_S = 4, 0.25
JOINS, BURST, AT_ONCE = 40, 60, 20
EDITORS = (100, 300)
PEER_EDITORS = 30  # what every peer but one carries; its bytes grow linearly from there
WELL_WITHIN = 0.8  # of the largest number, at which every other run fails
MEASURED_S = 4


class Held(msgspec.Struct, frozen=True):
    connected: int
    connect_s: float
    closed: int
    errors: int


def measure_memory(bench: Bench) -> None:
    _in_turn(bench, "W4", bench.contenders("W4"), _idle, "kb_per_connection")


def _in_turn(
    bench: Bench,
    workload: str,
    contenders: list[Contender],
    measure: Callable[[Bench, Contender], dict[str, float | None]],
    figure: str,
) -> None:
    """Rounds of each in turn; the round in the middle by `figure` stands for all."""
    found: dict[str, list[dict[str, float | None]]] = {contender.name: [] for contender in contenders}
    for number in range(bench.depth.rounds):
        if number and bench.is_late:
            break
        for contender in contenders:
            found[contender.name].append(measure(bench, contender))
    for name, rounds in found.items():
        rounds.sort(key=lambda each: each[figure] or 0)
        spread = {"least": rounds[0][figure], "most": rounds[-1][figure]}
        bench.results.add(Row(workload, name, rounds[len(rounds) // 2] | spread))


def _idle(bench: Bench, contender: Contender) -> dict[str, float | None]:
    with contender.serving() as target:
        before = latest = machine.pss_kb(target.pids)
        generator = bench.generator.hold(target, IDLE_ROOMS, IDLE_CLIENTS, HOLD_S)
        while generator.poll() is None:
            now = machine.pss_kb(target.pids)
            time.sleep(LOOK_EVERY_S)
            if generator.poll() is None:  # everybody was still there when we looked
                latest = now
        held = msgspec.json.decode(generator.communicate()[0], type=Held)
    return {
        "kb_per_connection": round((latest - before) / max(1, held.connected), 1),
        "base_mb": round(before / 1024, 1),
        "connect_s": held.connect_s,
        "connected": held.connected,
    }


def measure_joins(bench: Bench) -> None:
    holders = [contender for contender in bench.contenders("W5") if contender.holds_document]
    _in_turn(bench, "W5", holders, _join, "p50_ms")


def _join(bench: Bench, contender: Contender) -> dict[str, float | None]:
    with contender.serving(seeded=True) as target:
        bench.generator.join(target, JOINS)  # the document is loaded, the code is warm
        single = bench.generator.join(target, JOINS)
        burst = bench.generator.join(target, BURST, AT_ONCE)
    return {
        "p50_ms": single.join_p50_ms,
        "p99_ms": single.join_p99_ms,
        "bytes": single.bytes_per_join,
        "server_cpu_ms": single.srv_cpu_ms_per_join,
        "burst_p99_ms": burst.join_p99_ms,
        "burst_cpu_ms": burst.srv_cpu_ms_per_join,
        "joined": single.joins + burst.joins,
    }


def measure_bytes(bench: Bench) -> None:
    """A peer that cannot carry so many editors is measured at fewer: bytes grow with the E - 1 others each hears."""
    for editors in EDITORS:
        held = _editors(bench, bench.easel(), editors)
        bench.results.add(Row("W11", "easel", _bytes(*held, editors, editors, 0), str(editors)))
    found = {row.contender: row.figures.get("load") for row in bench.results.rows if row.workload == "W2"}
    for peer in bench.peers("W2"):
        carried = int((found.get(peer.name) or PEER_EDITORS / WELL_WITHIN) * WELL_WITHIN)
        held = _editors(bench, peer, carried)
        for editors in EDITORS:
            bench.results.add(Row("W11", peer.name, _bytes(*held, carried, editors, peer.stamp_bytes), str(editors)))


def _editors(bench: Bench, contender: Contender, editors: int) -> tuple[bool, Seen]:
    load = msgspec.structs.replace(load_of("W2", editors), measured_s=MEASURED_S)
    with contender.serving() as target:
        return attempt(bench, "W11", contender, target, editors, load)


def _bytes(has_passed: bool, seen: Seen, measured: int, editors: int, stamp_bytes: int) -> dict[str, float | None]:
    """An overloaded server sends less than it should: its bytes are shown, and compared with nobody's."""
    others = editors - 1
    shown_hz = EDITOR_HZ * min(1.0, seen.ratio)
    kb_per_s = seen.mb_per_s * 1000 / measured * others / (measured - 1)
    return {
        "kb_per_s": round(kb_per_s, 1),
        "without_stamp_kb_per_s": round(kb_per_s - others * shown_hz * stamp_bytes / 1000, 1) if has_passed else None,
        "measured_at": measured,
        "shown_hz": round(shown_hz, 1),
        "p99_ms": seen.p99,
    }
