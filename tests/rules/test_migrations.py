"""Migrations run under servers of the version before: what takes a table away from them is found by reading."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from app.revision import MIGRATIONS

FIRST = "0020"
"""The rules came with it; until then nothing had been released."""
_VOLATILE = r"(?:gen_random_uuid|clock_timestamp|random|nextval|timeofday|uuidv[47])\s*\("
RULES = {
    r"DROP TABLE|DROP COLUMN|\bRENAME\b": "the old code still reads it: take it away a version later (`unused_since`)",
    r"ADD COLUMN(?:(?!DEFAULT)[^,])*NOT NULL(?:(?!DEFAULT)[^,])*(?:,|$)": "the old code gives none: add a DEFAULT",
    rf"ADD COLUMN[^,]*DEFAULT[^,]*{_VOLATILE}": "each row gets another value, so the table is written anew",
    r"ADD COLUMN[^,]*(?:GENERATED|\b(?:big|small)?serial\b)": "the table is written anew",
    r"ALTER COLUMN \w+ (?:SET DATA )?TYPE": "the table is written anew: add a column beside it",
    r"SET NOT NULL": "the table is read through under a lock: a CHECK, NOT VALID, and VALIDATE a version later",
    r"ADD CONSTRAINT(?!.*NOT VALID)(?!.*USING INDEX)": "the table is read through under a lock: NOT VALID first",
    r"CREATE (?:UNIQUE )?INDEX(?! CONCURRENTLY)": "nobody can write meanwhile: `online.build_index`",
    r"CLUSTER|VACUUM FULL|LOCK TABLE|REINDEX(?!.*CONCURRENTLY)": "nobody can use the table meanwhile",
    r"^\s*(?:UPDATE|DELETE FROM)\b": "each row is locked until all are done: let a worker do it, some at a time",
}
CONTRACTS = next(iter(RULES))


def statements(source: str) -> Iterator[str]:
    """Every SQL statement in a migration: its strings, but for the docstring."""
    tree = ast.parse(source)
    said = ast.get_docstring(tree, clean=False)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != said:
            without_comments = re.sub(r"--[^\n]*", "", node.value)
            yield from (" ".join(one.split()) for one in _split(without_comments) if one.strip())


def _split(text: str) -> list[str]:
    """At semicolons, but for those in a text and in the body of a function."""
    return re.findall(r"(?:\$\$.*?\$\$|'[^']*'|[^;])+", text, re.DOTALL)


def objections(source: str) -> list[str]:
    found = []
    every = list(statements(source))
    own = {name for one in every for name in re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", one)}
    for one in every:
        table = re.search(r"(?:ALTER TABLE|TABLE|\bON|UPDATE|FROM) (?:ONLY )?(\w+)", one)
        if table is not None and table[1] in own:
            continue  # nobody uses it yet
        outside = re.sub(r"\$\$.*?\$\$", "", one)
        for rule, reason in RULES.items():
            may = rule == CONTRACTS and re.search(r"^unused_since = \"\d+\.\d+\.\d+\"", source, re.MULTILINE)
            if re.search(rule, outside, re.IGNORECASE) and not may:
                found.append(f"{outside[:60]}: {reason}")
    if any("CONCURRENTLY" in one for one in every):
        if source.count("build_index(") == 0:
            found.append("CONCURRENTLY outside of `online.build_index`: a build that is cut off stays for ever")
        if "op.execute" in source:
            found.append(
                "an index is built in a migration of its own: what comes before is committed, if it fails or not"
            )
    return found


def test_migrations_take_no_table_away_from_those_who_use_it() -> None:
    """UP6"""
    files = sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert len(files) >= 19, "this test has stopped seeing the migrations: fix it, do not lower the number"

    found = {file.name: objections(file.read_text()) for file in files if file.name >= FIRST}

    assert {name: said for name, said in found.items() if said} == {}


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("ALTER TABLE runs DROP COLUMN model", "a version later"),
        ("ALTER TABLE runs RENAME TO jobs", "a version later"),
        ("DROP TABLE notices", "a version later"),
        ("ALTER TABLE runs ADD COLUMN mood text NOT NULL", "add a DEFAULT"),
        ("ALTER TABLE runs ADD COLUMN a text, ADD COLUMN mood text NOT NULL", "add a DEFAULT"),
        ("ALTER TABLE runs ADD COLUMN mood text NOT NULL, ADD COLUMN b int NOT NULL DEFAULT 0", "add a DEFAULT"),
        ("ALTER TABLE runs ADD COLUMN key uuid NOT NULL DEFAULT gen_random_uuid()", "another value"),
        ("ALTER TABLE runs ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY", "written anew"),
        ("ALTER TABLE runs ADD COLUMN number bigserial", "written anew"),
        ("ALTER TABLE runs ALTER COLUMN fence TYPE integer", "add a column beside it"),
        ("ALTER TABLE runs ALTER COLUMN kind SET NOT NULL", "read through"),
        ("ALTER TABLE runs ADD CONSTRAINT short CHECK (length(model) < 9)", "NOT VALID first"),
        ("CREATE INDEX runs_model ON runs (model)", "build_index"),
        ("CREATE UNIQUE INDEX runs_model ON runs (model)", "build_index"),
        ("CREATE INDEX CONCURRENTLY runs_model ON runs (model)", "outside of"),
        ("UPDATE runs SET model = 'x'", "some at a time"),
        ("LOCK TABLE runs", "nobody can use"),
        ("SELECT ';'; UPDATE runs SET model = 'x'", "some at a time"),
    ],
)
def test_what_would_take_a_table_away_is_found(statement: str, reason: str) -> None:
    """UP6"""
    said = objections(f'"""Why."""\nop.execute("{statement}")\n')

    assert any(reason in one for one in said), said


@pytest.mark.parametrize(
    "source",
    [
        'op.execute("ALTER TABLE runs ADD COLUMN mood text")',
        "op.execute(\"ALTER TABLE runs ADD COLUMN mood text NOT NULL DEFAULT 'calm', ADD COLUMN b int\")",
        'op.execute("ALTER TABLE runs ADD CONSTRAINT short CHECK (length(model) < 9) NOT VALID")',
        "op.execute(\"ALTER TABLE runs ADD CONSTRAINT calm CHECK (strpos(model, ';') = 0) NOT VALID\")",
        'op.execute("CREATE TABLE moods (id text PRIMARY KEY); CREATE INDEX moods_id ON moods (id)")',
        'op.execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE runs SET a = 1; END $$")',
        'build_index("CREATE INDEX CONCURRENTLY runs_model ON runs (model)")',
        'unused_since = "0.1.0"\nop.execute("ALTER TABLE runs DROP COLUMN model")',
    ],
)
def test_what_takes_nothing_away_is_let_through(source: str) -> None:
    """UP6"""
    assert objections(f'"""Why: an old column is to be renamed; UPDATE it later."""\n{source}\n') == []
