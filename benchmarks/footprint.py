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
JOIN_ROUNDS, JOINS, BURST, AT_ONCE = 5, 100, 60, 20
PACE_US = 20  # that joins are told at, about what it is here: they are compared with each other alone
EDITORS = (100, 300)
PEER_EDITORS = 30  # what every peer but one carries, even one just started; its bytes grow linearly from there
MEASURED_S = 4


class Held(msgspec.Struct, frozen=True):
    connected: int
    connect_s: float
    closed: int
    errors: int


def measure_memory(bench: Bench) -> None:
    _in_turn(bench, "W4", bench.contenders("W4"), _idle, "kb_per_connection", bench.depth.rounds)


def _in_turn(
    bench: Bench,
    workload: str,
    contenders: list[Contender],
    measure: Callable[[Bench, Contender], dict[str, float | None]],
    figure: str,
    rounds: int,
) -> None:
    """Rounds of each in turn; the round in the middle by `figure` stands for all."""
    found: dict[str, list[dict[str, float | None]]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        if number and bench.is_late:
            break
        for contender in contenders:
            found[contender.name].append(measure(bench, contender))
    for name, seen in found.items():
        seen.sort(key=lambda each: each[figure] or 0)
        spread = {"least": seen[0][figure], "most": seen[-1][figure]}
        bench.results.add(Row(workload, name, seen[len(seen) // 2] | spread))


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
    _in_turn(bench, "W5", holders, _join, "p50_ms", JOIN_ROUNDS if bench.depth.rounds > 1 else 1)


def _join(bench: Bench, contender: Contender) -> dict[str, float | None]:
    with contender.serving(seeded=True) as target:
        bench.generator.join(target, JOINS)  # the document is loaded, the code is warm
        began = time.monotonic()
        single = bench.generator.join(target, JOINS)
        pace = PACE_US / bench.pace.us(machine.SERVER_CORE, began, time.monotonic())
        burst = bench.generator.join(target, BURST, AT_ONCE)
    return {
        "p50_ms": round(single.join_p50_ms * pace, 2),
        "p99_ms": round(single.join_p99_ms * pace, 2),
        "bytes": single.bytes_per_join,
        "server_cpu_ms": round(single.srv_cpu_ms_per_join * pace, 2),
        "burst_p99_ms": burst.join_p99_ms,
        "burst_cpu_ms": burst.srv_cpu_ms_per_join,
        "joined": single.joins + burst.joins,
    }


def measure_bytes(bench: Bench) -> None:
    """A peer that cannot carry so many editors is measured at fewer: bytes grow with the E - 1 others each hears."""
    for editors in EDITORS:
        held = _editors(bench, bench.easel(), editors)
        bench.results.add(Row("W11", "easel", _bytes(*held, editors, editors, 0), str(editors)))
    for peer in bench.peers("W2"):
        held = _editors(bench, peer, PEER_EDITORS)
        for editors in EDITORS:
            bench.results.add(
                Row("W11", peer.name, _bytes(*held, PEER_EDITORS, editors, peer.stamp_bytes), str(editors))
            )


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
