"""W1: one sender, a hundred receivers: pushes as fast as they are delivered, and drags as many as are taken."""

from contextlib import ExitStack
from math import floor, log10
from statistics import fmean, median

from benchmarks import capacity, machine
from benchmarks.bench import Bench
from benchmarks.contenders import Contender, Target
from benchmarks.generator import Load, Seen
from benchmarks.results import Row

WINDOW = 500
"""Pushes that may be on their way: 25 ms of what either side delivers."""
OTHER_WINDOWS = (20, 100, 1_500)
"""For the plot alone, once."""
SERVERS, ROUNDS, WARM_UPS = 3, 6, 2
"""Servers differ by a tenth from start to start: so many of each, one after the other, their rounds in turn."""
SAMPLE = 5
"""Every so many-th receiver reads the marks of what it gets; all of it would keep the generator busy."""


def measure_fan_out(bench: Bench) -> None:
    pushes = [(bench.easel(), capacity.PUSH), *((peer, "") for peer in bench.peers("W1"))]
    if bench.given_load is None:
        _measure_pushes(bench, pushes)
    else:
        capacity.measure(bench, "W1", pushes, looks=1, servers=1)
    # The generator is the end of these: more looks would not tell more.
    capacity.measure(bench, "W1", [(bench.easel(), capacity.DRAG)], looks=bench.depth.looks // 2, servers=1)


def _measure_pushes(bench: Bench, entries: list[tuple[Contender, str]]) -> None:
    """The next push is sent when there is room in the window. A schedule has a cliff instead: a peer that falls behind
    it once collapses, here or a fifth further on, by its luck.
    """
    found: list[list[Seen]] = [[] for _ in entries]
    for number in range(SERVERS):
        if number and bench.is_late:
            break
        with ExitStack() as stack:
            targets = [stack.enter_context(contender.serving()) for contender, _ in entries]
            windows = [WINDOW] * (WARM_UPS + ROUNDS) + list(OTHER_WINDOWS) * (number == 0)
            for place, window in enumerate(windows):
                for (contender, case), target, rounds in zip(entries, targets, found, strict=True):
                    seen = _push(bench, f"{contender.name} {case}".strip(), target, window)
                    if place >= WARM_UPS and window == WINDOW:
                        rounds.append(seen)
    usual_us = fmean(seen.pace_us or 1 for rounds in found for seen in rounds)
    for (contender, case), rounds in zip(entries, found, strict=True):
        bench.results.add(Row("W1", contender.name, figures(rounds, usual_us), case))


def _push(bench: Bench, name: str, target: Target, window: int) -> Seen:
    load = bench.depth.tried(Load(1, capacity.RECEIVERS + 1, 1, hz=1, sample=SAMPLE, is_durable=True, window=window))
    seen = bench.generator.run(target, load)
    rate = delivered_per_s(seen)
    rounded = round(rate, 1 - floor(log10(rate))) if rate >= 1 else 0
    bench.results.probe("W1", name, int(rounded), seen, has_passed=rate > 0)
    if not rate:
        machine.wait_until_quiet(target.pids)  # who comes next may share its core
    return seen


def delivered_per_s(seen: Seen) -> float:
    """Pushes that reached everybody. A round in which anybody was sent away, or refused, delivered nothing."""
    if seen.error or seen.errors or seen.closed or seen.rejected or (seen.acked and seen.acked < seen.sent):
        return 0.0
    return seen.sent_per_s * min(1.0, seen.ratio)


def figures(rounds: list[Seen], usual_us: float) -> dict[str, float | None]:
    """Of the rounds' middle half, as it would have been at the usual pace of the server's core."""
    rates = sorted(delivered_per_s(seen) * (seen.pace_us or usual_us) / usual_us for seen in rounds)
    quarter = len(rates) // 4
    rate = fmean(rates[quarter : len(rates) - quarter])
    told: dict[str, float | None] = {
        "load": round(rate),
        "p50_ms": median(seen.p50 for seen in rounds),
        "p99_ms": median(seen.p99 for seen in rounds),
        "server_cpu": round(fmean(seen.srv_cpu for seen in rounds), 3),
        "generator_cpu": round(fmean(seen.gen_cpu for seen in rounds), 3),
        "frames_per_s": round(fmean(seen.frames_per_s for seen in rounds)),
        "mb_per_s": round(fmean(seen.mb_per_s for seen in rounds), 1),
        "ratio": round(fmean(min(1.0, seen.ratio) for seen in rounds), 4),
        "delivered_per_s": round(rate * capacity.RECEIVERS),
    }
    if any(seen.acked for seen in rounds):
        told["stored_p99_ms"] = median(seen.ack_p99 for seen in rounds)
    return told | {"least": round(rates[0]), "most": round(rates[-1]), "looks": len(rounds)}
