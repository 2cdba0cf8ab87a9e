"""Are there known holes in what requirements.lock and web/package-lock.json name? `make audit`; `make check` asks, too.

A hole is an error. A service that cannot be reached is said, and is none: one can work without the internet.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
AUDIT = ROOT / ".setup" / "audit" / "bin" / "pip-audit"
PATIENCE_S = 120


def main() -> None:
    holes = [*python_holes(), *node_holes()]
    for hole in holes:
        sys.stderr.write(f"✗ {hole}\n")
    sys.exit(bool(holes))


def python_holes() -> list[str]:
    argv = [AUDIT, "--requirement", ROOT / "requirements.lock", "--disable-pip", "--require-hashes"]
    told = _told([*argv, "--format", "json", "--progress-spinner", "off"])
    if told is None:
        return []
    asked = [one for one in told["dependencies"] if "skip_reason" not in one]
    _say(f"{len(asked)} of {len(told['dependencies'])} Python packages were looked up; the service knows no others.")
    return [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for one in asked
        for hole in one["vulns"]
    ]


def node_holes() -> list[str]:
    told = _told(["npm", "audit", "--json"], cwd=ROOT / "web")
    if told is None:
        return []
    if "vulnerabilities" not in told:
        _say(f"npm packages were not looked up: {told.get('message') or told.get('error', {}).get('summary')}")
        return []
    _say(f"{told['metadata']['dependencies']['total']} npm packages were looked up.")
    return [f"{name}: {one['severity']}, {one['range']}" for name, one in told["vulnerabilities"].items()]


def _told(argv: list[str | Path], cwd: Path = ROOT) -> dict | None:
    """What a program answers in JSON, whatever its exit code; None: nothing, and why is said."""
    path = f"{ROOT / '.setup' / 'node' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        done = subprocess.run(  # noqa: S603
            [str(word) for word in argv],
            cwd=cwd,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        _say(f"{Path(argv[0]).name} told nothing ({type(error).__name__}): these packages were not looked up.")
        return None


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    main()
