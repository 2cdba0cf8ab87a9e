"""A specification that no test holds is a wish, and a rule that a test cites but nobody wrote is a rumour."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"\b(OP|GR|PU|RM|RS|PR|IM|LM|CL|VE|UN|RT|JB|BA|MR|AW|OB|NO|BK|DR|UP|TR|PG)(\d+)\b")
SPECS = {
    "canvas/SPEC.md": frozenset({"OP", "GR", "PU", "RM", "RS", "PR", "IM", "LM", "CL", "VE", "UN", "RT"}),
    "jobs/SPEC.md": frozenset({"JB", "BA", "MR", "AW", "OB", "NO"}),
    "app/SPEC.md": frozenset({"BK", "DR", "UP", "TR"}),
    "web/SPEC.md": frozenset({"PG"}),
}


def rules_of(spec: str) -> set[str]:
    """The ids that a specification defines: those at the start of its list items."""
    return set(re.findall(r"^- \*\*([A-Z]{2}\d+)\*\*", (ROOT / spec).read_text(), re.MULTILINE))


def cited() -> Iterator[tuple[str, str]]:
    """Every rule that a test names before anything else in its docstring, and the test."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith("test_"):
                ids = (ast.get_docstring(function) or "").split(":")[0].split("\n")[0]
                for prefix, number in RULE.findall(ids):
                    yield prefix + number, f"{path.relative_to(ROOT)}::{function.name}"


@pytest.mark.parametrize("spec", SPECS)
def test_every_rule_is_held_by_a_test(spec: str) -> None:
    rules = rules_of(spec)
    assert len(rules) > 15, "this test has stopped seeing the rules: fix it, do not lower the number"

    assert rules - {rule for rule, _ in cited()} == set()


@pytest.mark.parametrize("spec", SPECS)
def test_every_rule_that_a_test_cites_is_written_down(spec: str) -> None:
    rules = rules_of(spec)

    assert {(rule, test) for rule, test in cited() if rule[:2] in SPECS[spec] and rule not in rules} == set()


TEST = re.compile(r"`(?:(tests/[\w/]+\.py))?::(test_\w+)`")


def test_every_defence_names_a_test_that_exists() -> None:
    """Of SECURITY.md: a name without a file is in the file named before it."""
    named: list[tuple[str, str]] = []
    for line in (ROOT / "SECURITY.md").read_text().splitlines():
        file = ""
        for path, name in TEST.findall(line):
            file = path or file
            named.append((file, name))
    assert len(named) > 40, "this test has stopped seeing the names: fix it, do not lower the number"

    assert [(file, name) for file, name in named if f"def {name}(" not in (ROOT / file).read_text()] == []
