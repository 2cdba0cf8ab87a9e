"""The peers of benchmarks/peers and the load generator: installed, built, and how each is spoken to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import msgspec

from benchmarks.errors import BenchmarkError

HERE = Path(__file__).parent
SOURCES = HERE / "peers"
NEEDED_TOOLS = ("node", "npm", "gcc", "taskset")
NODE_FOLDERS = (".", "y-websocket")  # y-websocket's server wants another yjs than the others
SOCKET_IO_PATH = "/socket.io/?EIO=4&transport=websocket&room={room}"


class PeerSpec(msgspec.Struct, frozen=True):
    """How one peer is started, and what the generator is told to speak to it."""

    command: list[str]
    proto: str = "raw"
    path: str = "/{room}"
    options: list[str] = []
    holds_document: bool = False
    """Others only pass messages on."""


class Harness:
    """Everything lies under `work`; the repository is only read."""

    def __init__(self, work: Path) -> None:
        missing = [tool for tool in NEEDED_TOOLS if shutil.which(tool) is None]
        if missing:
            raise BenchmarkError(f"The benchmarks need {', '.join(missing)} on PATH.")
        self.work = work
        self.seed = work / "seed"
        self.generator = work / "loadgen"
        self.pace = work / "pace"
        self._node = work / "node"
        self._schema = work / "tldraw-schema.json"

    def set_up(self) -> None:
        """Install what a lock names, once and again when it changes; build the programs in C. Raises BenchmarkError."""
        for folder in NODE_FOLDERS:
            self._install_node(SOURCES / folder, self._node / folder)
        self._python = install_python(self.work / "pycrdt", SOURCES / "pycrdt.lock")
        if not (self.seed / "nodes.json").exists():
            _run(["node", str(self._node / "seed.mjs"), str(self.seed)], "The document of W5 could not be made")
        for program, source, libraries in ((self.generator, "loadgen.c", ["-lz"]), (self.pace, "pace.c", [])):
            built = ["gcc", "-O2", "-march=native", "-o", str(program), str(HERE / source), *libraries]
            _run(built, f"{source} does not compile (gcc and zlib's headers are needed)")

    def peers(self) -> dict[str, PeerSpec]:
        """By name."""
        schema = ["--schema", str(self._schema)]
        one_by_one = ["--burst", "1"]  # pycrdt-websocket 0.16 hangs clients that open a new room at the same moment
        return {
            "hocuspocus": PeerSpec(self._script("hocuspocus.mjs"), proto="hocus", holds_document=True),
            "y-websocket-server": PeerSpec(self._script("y-websocket/server.mjs"), proto="yws", holds_document=True),
            "tldraw sync-core": PeerSpec(
                self._script("tldraw.mjs"), proto="tldraw", options=schema, holds_document=True
            ),
            "pycrdt-websocket": PeerSpec(
                [str(self._python), str(SOURCES / "pycrdt_rooms.py"), "{port}"],
                proto="yws",
                options=one_by_one,
                holds_document=True,
            ),
            "socket.io": PeerSpec(self._script("socketio.mjs"), proto="sio", path=SOCKET_IO_PATH),
            "node ws": PeerSpec(self._script("relay.mjs")),
        }

    def environment(self, *, seeded: bool) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "SEED"}
        return kept | {"SCHEMA_OUT": str(self._schema)} | ({"SEED": str(self.seed)} if seeded else {})

    def _script(self, name: str) -> list[str]:
        return ["node", str(self._node / name), "{port}"]

    def _install_node(self, source: Path, into: Path) -> None:
        """A script finds its packages beside itself, so the scripts are copied to them."""
        into.mkdir(parents=True, exist_ok=True)
        lock, done = source / "package-lock.json", into / "installed.lock"
        for file in (*source.glob("*.mjs"), lock, source / "package.json", source / ".npmrc"):
            shutil.copy(file, into)
        if done.exists() and done.read_bytes() == lock.read_bytes():
            return
        click.echo(f"Installing the peers under {into} (a minute, once) …", err=True)
        _run(["npm", "ci", "--silent"], "The peers could not be installed", cwd=into)
        done.write_bytes(lock.read_bytes())


def install_python(venv: Path, lock: Path) -> Path:
    """The Python of a peer's own environment with what its lock names, made once. Raises BenchmarkError."""
    python, done = venv / "bin" / "python", venv / "installed.lock"
    if done.exists() and done.read_bytes() == lock.read_bytes():
        return python
    click.echo(f"Installing {lock.stem} under {venv} …", err=True)
    uv = HERE.parent / ".setup" / "uv" / "bin" / "uv"
    program = str(uv) if uv.exists() else "uv"
    trouble = f"{lock.stem} could not be installed"
    _run([program, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)], trouble)
    _run([program, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(lock)], trouble)
    done.write_bytes(lock.read_bytes())
    return python


def _run(command: list[str], trouble: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)  # noqa: S603 - our own words
    if done.returncode:
        raise BenchmarkError(f"{trouble}: {(done.stderr or done.stdout).strip()[-600:]}")
