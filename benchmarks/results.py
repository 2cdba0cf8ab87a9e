"""What was measured: one JSON line each, appended to a file that outlives the run."""

import time
from pathlib import Path

import click
import msgspec

from benchmarks.generator import Seen
from benchmarks.machine import Machine

LOWER_BOUND = "is_lower_bound"
"""The figure that says that the generator was the end of it, not the server."""


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """The final figures of one contender in one workload."""

    workload: str
    contender: str
    figures: dict[str, float | None]
    case: str = ""
    """Which of a workload's several settings."""
    run: str = ""


class Probe(msgspec.Struct, frozen=True):
    """One try at one load."""

    workload: str
    contender: str
    load: int
    passed: bool
    seen: Seen
    run: str


class Header(msgspec.Struct, frozen=True, tag="run"):
    run: str
    depth: str
    commit: str
    machine: Machine
    postgres: str


class Results:
    def __init__(self, path: Path, run: str = "") -> None:
        self.path = path
        self.run = run or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.rows: list[Row] = []
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def begin(self, header: Header) -> None:
        self._append(header)

    def probe(self, workload: str, contender: str, load: int, seen: Seen, *, has_passed: bool) -> None:
        """One run of a search."""
        found = {"workload": workload, "contender": contender, "load": load, "passed": has_passed, "seen": seen}
        self._append({"type": "probe", "run": self.run} | found)
        acked = f", stored p99 {seen.ack_p99:.1f} ms" if seen.acked else ""
        verdict = "ok" if has_passed else "too much"
        click.echo(
            f"  {workload} {contender} {load}: {verdict}, p50 {seen.p50:.1f} p99 {seen.p99:.1f} ms{acked},"
            f" delivered {seen.ratio:.2f}, server {seen.srv_cpu:.0%}, generator {seen.gen_cpu:.0%},"
            f" others {seen.foreign:.0%}, pace {seen.pace_us:.1f} µs {seen.error}",
            err=True,
        )

    def leave_out(self, workload: str, why: str) -> None:
        self._append({"type": "left out", "run": self.run, "workload": workload, "why": why})
        click.echo(f"= {workload} left out: {why}", err=True)

    def take_up(self, workload: str) -> None:
        """What was left out has been measured after all."""
        self._append({"type": "taken up", "run": self.run, "workload": workload})

    def add(self, row: Row) -> None:
        row = msgspec.structs.replace(row, run=self.run)
        self.rows.append(row)
        self._append({"type": "row", **msgspec.to_builtins(row)})
        shown = ", ".join(f"{name} {value}" for name, value in row.figures.items())
        click.echo(f"= {row.workload} {row.case} {row.contender}: {shown}", err=True)

    def _append(self, value: object) -> None:
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(value) + b"\n")


class Run(msgspec.Struct, frozen=True):
    header: Header
    rows: list[Row]
    probes: list[Probe]
    left_out: list[str]
    """Workloads for which there was no time."""


def runs(path: Path) -> list[Run]:
    """All that a file holds, oldest first. Raises LookupError when there is none."""
    found: dict[str, Run] = {}
    for line in path.read_bytes().splitlines() if path.exists() else []:
        said = msgspec.json.decode(line)
        kind, name = said.pop("type"), said["run"]
        if kind == "run":
            found[name] = Run(msgspec.convert(said | {"type": kind}, Header), [], [], [])
        elif name not in found:
            continue
        elif kind == "row":
            found[name].rows.append(msgspec.convert(said, Row))
        elif kind == "probe":
            found[name].probes.append(msgspec.convert(said, Probe))
        elif kind == "left out":
            found[name].left_out.append(said["workload"])
        elif kind == "taken up":
            found[name].left_out.remove(said["workload"])
    if not found:
        raise LookupError(f"{path} holds no run yet.")
    return list(found.values())
