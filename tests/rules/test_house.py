"""What the house style can leave to a machine."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.server import openapi_document
from app.settings import Settings, name_of

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "benchmarks", "canvas", "jobs", "migrations", "tests")
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60
NAMELESS = {"utils", "helpers", "common", "misc", "base", "manager", "util", "helper"}
LONG = {"tests/jobs/test_runner.py": "each way in which a run can go wrong, beside the others"}
"""Files and functions (`file::function`) that may be longer, and why."""
PEERS = "benchmarks/peers"
LOCK_FILES = (
    *("requirements.lock", "web/package-lock.json", ".ci/uv.lock", ".ci/node.lock"),
    *(f"{PEERS}/package-lock.json", f"{PEERS}/y-websocket/package-lock.json"),
    *(f"{PEERS}/pycrdt.lock", f"{PEERS}/fastapi.lock"),
)
REGISTRY = re.compile(
    r"https?://(?!registry\.npmjs\.org/)[^/\s\"]*(?:/(?:simple|npm|pypi|artifactory|packages)/|:\d+/)"
)


def files() -> list[Path]:
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(found) > 100, "this test has stopped seeing the code: fix it, do not lower the number"
    return found


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{named(path)}::{node.name}", node


def test_files_are_named_for_what_they_hold() -> None:
    web = (ROOT / "web/src").rglob("*.ts*")

    assert [named(path) for path in (*files(), *web) if path.name.split(".")[0].lower() in NAMELESS] == []


def test_no_two_style_sheets_mean_different_things_by_one_class() -> None:
    """Whatever was loaded applies everywhere: a dialog of the canvas had moved the search of the gallery away."""
    sheets = sorted((ROOT / "web/src").rglob("*.css"))
    assert len(sheets) > 5, "this test has stopped seeing the style sheets: fix it, do not lower the number"
    owners: dict[str, set[str]] = {}
    for sheet in sheets:
        for name in re.findall(r"^\.([a-z][\w-]*) \{", sheet.read_text(), re.MULTILINE):
            owners.setdefault(name, set()).add(named(sheet))

    assert {name: found for name, found in owners.items() if len(found) > 1} == {}


def test_files_fit_into_a_head() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in files()}

    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES and name not in LONG} == {}


def test_functions_fit_on_a_screen() -> None:
    too_long = {}
    for name, node in functions():
        has_docstring = ast.get_docstring(node) is not None
        first = node.body[1] if has_docstring and len(node.body) > 1 else node
        lines = (node.end_lineno or 0) - first.lineno + 1
        if lines > MAX_FUNCTION_LINES and name not in LONG:
            too_long[name] = lines

    assert too_long == {}


def test_handlers_show_litestar_their_types() -> None:
    """Litestar reads annotations when it starts; postponed ones name what it cannot see."""
    future = "from __future__ import annotations"
    handlers = re.compile(r"^\s*@(get|post|put|patch|delete|websocket|route)\(", re.MULTILINE)

    texts = {named(path): path.read_text() for path in files() if named(path).startswith("app/")}

    assert [name for name, text in texts.items() if handlers.search(text) and future in text] == []


def test_every_route_is_fully_described() -> None:
    ids: list[str] = []
    for path, item in openapi_document()["paths"].items():
        for method, operation in item.items():
            ids.append(operation["operationId"])
            where = f"{method.upper()} {path}"
            assert re.fullmatch(r"[a-z]+(?:[A-Z][a-z]*)*", operation["operationId"]), where
            assert operation["summary"].endswith("."), f"{where}: say what it does in its handler's docstring"
            assert operation["tags"], where
            expected = {"500", "503"} | ({"401"} if operation["security"] else set())
            expected |= {"404"} if "{" in path else set()
            expected |= {"400", "413", "422"} if "requestBody" in operation else set()
            assert expected <= set(operation["responses"]), where
    assert len(ids) == len(set(ids))


def test_document_refers_to_nothing_that_is_missing() -> None:
    document = openapi_document()
    missing = []
    for reference in set(re.findall(r"#/components/[^'\"]+", str(document))):
        part = document
        for key in reference.removeprefix("#/").split("/"):
            part = part.get(key, {})
        if not part:
            missing.append(reference)

    assert missing == []


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    written = re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    defaults = {name_of(field): getattr(Settings(), field) for field in Settings.__struct_fields__}

    assert [name for name, _ in written] == list(dict.fromkeys(name for name, _ in written))
    assert {name for name, _ in written} == set(defaults)
    for name, value in written:
        default = defaults[name]
        shown = "" if default in (None, ()) else str(default).lower() if isinstance(default, bool) else str(default)
        assert value == shown, name


def test_every_setting_in_the_example_is_explained() -> None:
    for block in (ROOT / ".env.example").read_text().strip().split("\n\n"):
        assert block.startswith("# "), block


@pytest.mark.parametrize("name", LOCK_FILES)
def test_lock_file_names_no_registry_of_its_own(name: str) -> None:
    """A lock file made behind a mirror would install from nowhere else."""
    if not (ROOT / name).exists():
        pytest.skip("not in this checkout")
    found = REGISTRY.findall((ROOT / name).read_text())

    assert found == []
    assert "--index-url" not in (ROOT / name).read_text()


def test_nothing_of_the_machine_it_was_made_on_is_in_it() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".ts", ".tsx", ".toml", ".json", ".lock", ".yaml", ""} and path.is_file():
            text = path.read_text(errors="ignore")
            assert (
                not re.search(r"(?<![\w.])/(?:work|root)/(?!\.)[a-z]", text) or name == "tests/rules/test_house.py"
            ), name
