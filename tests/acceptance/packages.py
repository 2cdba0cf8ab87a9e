"""The packages as others get them: packed, and put into a project of its own with what they say they need, no more."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
NAMES = ("client", "react")
_ENVIRONMENT = os.environ | {"PATH": f"{ROOT / '.setup' / 'node' / 'bin'}:{os.environ['PATH']}"}


def run(*command: str, cwd: Path, **settings: str) -> str:
    """Answers what it prints; a command that fails is an AssertionError with all that it said."""
    done = subprocess.run(
        command, cwd=cwd, env=_ENVIRONMENT | settings, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def start(*command: str, cwd: Path, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command, cwd=cwd, env=_ENVIRONMENT | settings, stdout=subprocess.PIPE, text=True)


def pack() -> dict[str, Path]:
    """Builds and packs both; answers the archives by name."""
    run("npm", "run", "--silent", "build:packages", cwd=WEB)
    return {name: next((WEB / "packages-dist").glob(f"easel-{name}-*.tgz")) for name in NAMES}


def manifest(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "package.json").read_text())
    return read


def install(project: Path, archives: dict[str, Path]) -> None:
    """What `npm install *.tgz` does, without a registry: everybody else's packages come from web/node_modules.

    Only what is declared gets there, so that a package which forgets to declare something does not work.
    """
    modules = project / "node_modules"
    for name, archive in archives.items():
        with tarfile.open(archive) as tar:
            tar.extractall(modules / "@easel", filter="data")
        (modules / "@easel" / "package").rename(modules / "@easel" / name)
    own = manifest(project)
    own["dependencies"] |= {f"@easel/{name}": manifest(modules / "@easel" / name)["version"] for name in archives}
    (project / "package.json").write_text(json.dumps(own))
    waiting = [*own["dependencies"], *own["devDependencies"]]
    while waiting:
        folder = modules / (name := waiting.pop())
        if not folder.exists():
            if not (source := WEB / "node_modules" / name).exists():  # optional, and not for this machine
                continue
            shutil.copytree(source, folder, copy_function=_link)
        for inner in (folder, *(each.parent for each in folder.glob("node_modules/**/package.json"))):
            waiting += [each for each in _needs(manifest(inner)) if not (modules / each).exists()]
    (modules / ".bin").mkdir()
    (modules / ".bin" / "vite").symlink_to("../vite/bin/vite.js")
    # Fails where a version is not the one that is asked for.
    run("npm", "ls", "--all", "--offline", "--omit=optional", cwd=project)


def _needs(package: dict[str, Any]) -> set[str]:
    optional = {name for name, meta in package.get("peerDependenciesMeta", {}).items() if meta.get("optional")}
    peers = set(package.get("peerDependencies", {})) - optional
    return peers | set(package.get("dependencies", {})) | set(package.get("optionalDependencies", {}))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
