"""`python -m benchmarks [W2 W3 …]`: measure, print the tables, keep every figure."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from math import inf
from pathlib import Path

import click

from app.embedded.errors import StartError
from benchmarks import capacity, durable, fan_out, footprint, growth, machine, pictures, rest, scaling
from benchmarks import runs as run_pipeline
from benchmarks.bench import FULL, QUICK, THOROUGH, WORKLOADS, Bench
from benchmarks.databases import databases
from benchmarks.errors import BenchmarkError
from benchmarks.generator import Generator
from benchmarks.harness import Harness
from benchmarks.pace import pace
from benchmarks.plan import plan
from benchmarks.plots import plots, svg
from benchmarks.results import Header, Results, Run, runs
from benchmarks.tables import GIVEN, agreement, render, write_into

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DEPTHS = {depth.name: depth for depth in (FULL, QUICK, THOROUGH)}
MEASURES: dict[str, Callable[[Bench], None]] = {
    "W1": fan_out.measure_fan_out,
    "W2": capacity.measure_editors,
    "W3": capacity.measure_rooms,
    "W4": footprint.measure_memory,
    "W5": footprint.measure_joins,
    "W6": durable.measure_durable,
    "W7": run_pipeline.measure_runs,
    "W8": pictures.measure_variants,
    "W9": rest.measure_rest,
    "W10": scaling.measure_processes,
    "W11": footprint.measure_bytes,
    "growth": growth.measure_growth,
}
GROWTH_S = 100
"""It takes that long whatever the time: there are no rounds that it could leave out."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("workloads", nargs=-1, type=click.Choice(WORKLOADS))
@click.option("--depth", type=click.Choice(list(DEPTHS)), default="full", help="How thorough; full takes 20 minutes.")
@click.option("--quick", "depth", flag_value="quick", help="W2, W4, W5 beside the best peer, one round: 3 minutes.")
@click.option("--thorough", "depth", flag_value="thorough", help="Every peer, longer runs: an hour or two.")
@click.option("--load", type=int, help="Measure at this load once instead of searching for the largest.")
@click.option("--peer", "peers", multiple=True, help="Measure these peers only; `none` for Easel alone.")
@click.option("--deflate", is_flag=True, help="Easel's clients offer permessage-deflate.")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    envvar="PERF_DIR",
    default=Path(tempfile.gettempdir()) / "easel-bench",
    help="Where peers and databases are set up (PERF_DIR).",
)
@click.option("--results", type=click.Path(path_type=Path), default=ROOT / ".easel/benchmarks.jsonl")
@click.option("--report", is_flag=True, help="Only print the tables of the last run.")
@click.option("--rest", is_flag=True, help="Measure what the last run had no time for, and add it to that run.")
@click.option("--compare", is_flag=True, help="With --report: whether the last two runs agree on each ratio.")
@click.option("--write", is_flag=True, help="Put tables and plots into docs/.")
def main(
    workloads: tuple[str, ...],
    depth: str,
    load: int | None,
    peers: tuple[str, ...],
    deflate: bool,
    work: Path,
    results: Path,
    report: bool,
    rest: bool,
    compare: bool,
    write: bool,
) -> None:
    """Measure Easel beside its peers under the same load (docs/benchmarks.md)."""
    last = runs(results)[-1] if rest else None
    kept = Results(results, last.header.run if last else "")
    if last is not None:
        workloads = rest_of(last)
    if not report:
        work.mkdir(parents=True, exist_ok=True)
        machine.claim_load_core()
        chosen = Harness(work)
        chosen.set_up()
        with databases(work) as stored, pace(chosen.pace, stored.folder) as paces:
            bench = Bench(
                depth=DEPTHS[depth],
                harness=chosen,
                databases=stored,
                generator=Generator(chosen.generator, paces),
                pace=paces,
                results=kept,
                chosen_peers=peers,
                given_load=load,
                deflates=deflate,
                is_rest=rest,
                until=inf if workloads else time.monotonic() + DEPTHS[depth].budget_s,
            )
            if last is None:
                said = depth if load is None else GIVEN
                kept.begin(Header(kept.run, said, _commit(), machine.describe(work), stored.postgres))
            measure(bench, workloads)
    known = runs(results)
    if compare:
        click.echo(agreement(known))
        return
    text, scale = render(known[-1]), plan(known[-1].rows)
    click.echo(text)
    click.echo(scale)
    if write:
        write_into(DOCS / "benchmarks.md", text)
        write_into(DOCS / "scaling.md", scale)
        for name, plot in plots(known[-1].rows, known[-1].probes).items():
            (DOCS / "benchmarks").mkdir(exist_ok=True)
            (DOCS / "benchmarks" / f"{name}.svg").write_text(svg(plot))


def measure(bench: Bench, workloads: tuple[str, ...]) -> None:
    """Until the depth's time is up; what was asked for by name is measured whatever it takes."""
    for workload in workloads or bench.depth.workloads:
        if bench.is_late or (workload == "growth" and time.monotonic() + GROWTH_S > bench.until):
            bench.results.leave_out(workload, f"the {bench.depth.budget_s:.0f} s of this depth are too few")
            continue
        begun = time.monotonic()
        MEASURES[workload](bench)
        if bench.is_rest:
            bench.results.take_up(workload)
        click.echo(f"  {workload} took {time.monotonic() - begun:.0f} s", err=True)


def rest_of(last: Run) -> tuple[str, ...]:
    """Whole workloads. Raises BenchmarkError when there are none, or when something else would be measured now."""
    if not _is_as_it_was(last.header.commit):
        raise BenchmarkError(f"Easel is not what it was at {last.header.commit}: measure all of it again.")
    rest = tuple(workload for workload in last.left_out if workload in WORKLOADS)
    if not rest:
        raise BenchmarkError("The last run has left nothing out.")
    return rest


def _is_as_it_was(commit: str) -> bool:
    command = ["git", "diff", "--quiet", commit, "--", "app", "canvas", "jobs", "migrations"]
    return not subprocess.run(command, check=False, cwd=ROOT).returncode  # noqa: S603 - a commit of our own file


def _commit() -> str:
    """What was measured; a mark for changes that no commit has yet."""
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603 - fixed words
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the databases are put away whichever way we end
    try:
        main(standalone_mode=False)
    except (BenchmarkError, StartError, LookupError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
