"""The peers' harness: finding it, setting it up, and the load generator built from it with Easel's protocol added."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks.errors import BenchmarkError

HERE = Path(__file__).parent
NEEDED_TOOLS = ("python3", "node", "npm", "gcc", "patch", "taskset")


class PeerSpec(msgspec.Struct, frozen=True):
    """How the harness starts one peer and speaks to it."""

    cmd: list[str]
    env: dict[str, str]
    proto: str = "raw"
    path: str = "/{room}"
    lg: list[str] = msgspec.field(default_factory=list)
    doc: bool = False
    """Whether it holds a document: others only pass messages on."""


class Harness:
    def __init__(self, folder: Path, work: Path) -> None:
        if not (folder / "bench.py").exists():
            raise BenchmarkError(
                f"The peers' harness is not at {folder}: give its folder with --harness or EASEL_BENCH_PEERS "
                "(it holds bench.py, loadgen.c and servers/)."
            )
        missing = [tool for tool in NEEDED_TOOLS if shutil.which(tool) is None]
        if missing:
            raise BenchmarkError(f"The peers' harness needs {', '.join(missing)} on PATH.")
        self.folder = folder.resolve()
        self.work = work
        self.seed = work / "seed"
        self.generator = work / "easel-loadgen"

    def set_up(self) -> None:
        """Install the peers under the work folder, once, and build the generator."""
        if not (self.seed / "nodes.json").exists():
            click.echo(f"Setting the peers up under {self.work} (some minutes, once) …", err=True)
            self._run([str(self.folder / "setup.sh")], "The peers could not be set up", env=self._environment())
        source = self.work / "easel-loadgen.c"
        patched = ["patch", "--silent", "-o", str(source), str(self.folder / "loadgen.c"), str(HERE / "loadgen.patch")]
        self._run(patched, "This harness has another loadgen.c than benchmarks/loadgen.patch was made for")
        built = ["gcc", "-O2", "-march=native", f"-I{HERE}", "-o", str(self.generator), str(source), "-lz"]
        self._run(built, "The load generator does not compile (gcc and zlib's headers are needed)")

    def peers(self) -> dict[str, PeerSpec]:
        """By name. Prototypes of Easel's own design and the machine's limit are no peers."""
        os.environ["PERF_DIR"] = str(self.work)  # bench.py reads it when it is imported
        spec = importlib.util.spec_from_file_location("peer_bench", self.folder / "bench.py")
        if spec is None or spec.loader is None:
            raise BenchmarkError(f"{self.folder / 'bench.py'} cannot be read.")
        module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = msgspec.convert(module.PEERS, dict[str, PeerSpec])
        return {name: peer for name, peer in found.items() if not name.startswith(("tick", "batch", "c-limit"))}

    def environment(self, peer: PeerSpec, *, seeded: bool) -> dict[str, str]:
        seed = {"SEED": str(self.seed)} if seeded else {}
        return self._environment() | {"PYTHONPATH": str(self.folder / "servers")} | peer.env | seed

    def _environment(self) -> dict[str, str]:
        return os.environ | {"PERF_DIR": str(self.work)}

    def _run(self, command: list[str], trouble: str, env: dict[str, str] | None = None) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)  # noqa: S603 - our own
        if done.returncode:
            raise BenchmarkError(f"{trouble}: {(done.stderr or done.stdout).strip()[-600:]}")
