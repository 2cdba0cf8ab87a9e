"""W1: one sender, a hundred receivers: pushes as fast as they are delivered, and drags as many as are taken."""

from contextlib import ExitStack
from statistics import fmean, median

from benchmarks import capacity, machine
from benchmarks.bench import Bench
from benchmarks.contenders import Contender, Target
from benchmarks.generator import Load, Seen
from benchmarks.results import LOWER_BOUND, Row

WINDOW = 500
"""Pushes that may be on their way: about the most at which both sides' p99 keeps the 100 ms of the other workloads."""
OTHER_WINDOWS = (20, 100, 1_500)
"""Measured once: a server that gathers what comes gains by a wide window, one that passes each on by a narrow one."""
SERVERS, ROUNDS, WARM_UPS = 3, 5, 2
"""Servers differ by a tenth from start to start: so many of each, one after the other, their rounds in turn."""
SAMPLE = 5
"""Every so many-th receiver reads the marks of what it gets; all of it would keep the generator busy."""
Entry = tuple[Contender, str]
"""Who, and the case: only Easel's pushes are acknowledged when they are stored."""


def measure_fan_out(bench: Bench) -> None:
    pushes = [(bench.easel(), capacity.PUSH), *((peer, "") for peer in bench.peers("W1"))]
    if bench.given_load is None:
        _measure_pushes(bench, pushes)
    else:
        capacity.measure(bench, "W1", pushes, looks=1, servers=1)
    # The generator is the end of these: more looks would not tell more.
    capacity.measure(bench, "W1", [(bench.easel(), capacity.DRAG)], looks=bench.depth.looks // 2, servers=1)


def _measure_pushes(bench: Bench, entries: list[Entry]) -> None:
    """The next push is sent when there is room in the window. A schedule has a cliff instead: a peer that falls behind
    it once collapses, here or a fifth further on, by its luck.
    """
    found: dict[tuple[int, int], list[Seen]] = {}
    """By window and place."""
    for number in range(SERVERS):
        if number and bench.is_late:
            break
        windows = [WINDOW] * (WARM_UPS + ROUNDS) + list(OTHER_WINDOWS) * (number == 0)
        with ExitStack() as stack:
            targets = [stack.enter_context(contender.serving()) for contender, _ in entries]
            for turn, window in enumerate(windows):
                for place, target in enumerate(targets):
                    seen = _push(bench, entries[place], target, window)
                    if turn >= WARM_UPS:
                        found.setdefault((window, place), []).append(seen)
    usual_us = usual_pace([seen for rounds in found.values() for seen in rounds])
    for (window, place), rounds in found.items():
        contender, case = entries[place]
        told = figures(rounds, usual_us, is_stored=case == capacity.PUSH)
        named = case if window == WINDOW else f"{case} with {window} on their way".strip()
        bench.results.add(Row("W1", contender.name, told, named))


def _push(bench: Bench, entry: Entry, target: Target, window: int) -> Seen:
    contender, case = entry
    load = Load(1, capacity.RECEIVERS + 1, 1, hz=1, sample=SAMPLE, is_durable=case == capacity.PUSH, window=window)
    seen = bench.generator.run(target, bench.depth.tried(load))
    has_passed = pushes_per_s(seen, is_stored=load.is_durable) > 0
    bench.results.probe("W1 window", f"{contender.name} {case}".strip(), window, seen, has_passed=has_passed)
    if not has_passed:
        machine.wait_until_quiet(target.pids)  # who comes next may share its core
    return seen


def usual_pace(rounds: list[Seen]) -> float:
    """Of the server's core, in µs; a round that failed has none."""
    return fmean([seen.pace_us for seen in rounds if seen.pace_us] or [1.0])


def pushes_per_s(seen: Seen, *, is_stored: bool) -> float:
    """That arrived, and were acknowledged where they are stored. Nothing when anybody was sent away, or refused."""
    if seen.error or seen.errors or seen.closed or seen.rejected or not seen.sent:
        return 0.0
    return seen.sent_per_s * min(1.0, seen.ratio, seen.acked / seen.sent if is_stored else 1.0)


def figures(rounds: list[Seen], usual_us: float, *, is_stored: bool) -> dict[str, float | None]:
    """Of the rounds' middle half, as it would have been at the usual pace of the server's core."""
    rates = sorted(pushes_per_s(seen, is_stored=is_stored) * (seen.pace_us or usual_us) / usual_us for seen in rounds)
    quarter = len(rates) // 4
    rate = fmean(rates[quarter : len(rates) - quarter])
    told: dict[str, float | None] = {
        "load": round(rate),
        "p50_ms": round(median(seen.p50 for seen in rounds), 2),
        "p99_ms": round(median(seen.p99 for seen in rounds), 2),
        "server_cpu": round(fmean(seen.srv_cpu for seen in rounds), 3),
        "generator_cpu": round(fmean(seen.gen_cpu for seen in rounds), 3),
        "frames_per_s": round(fmean(seen.frames_per_s for seen in rounds)),
        "mb_per_s": round(fmean(seen.mb_per_s for seen in rounds), 1),
        "ratio": round(fmean(min(1.0, seen.ratio) for seen in rounds), 4),
        "delivered_per_s": round(rate * capacity.RECEIVERS),
    }
    if is_stored:
        told["stored_p99_ms"] = round(median(seen.ack_p99 for seen in rounds), 2)
    if 2 * sum(seen.is_generator_bound for seen in rounds) > len(rounds):
        told[LOWER_BOUND] = 1
    return told | {"least": round(rates[0]), "most": round(rates[-1]), "rounds": len(rounds)}
