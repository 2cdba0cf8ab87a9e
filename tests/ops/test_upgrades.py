"""A new version's migrations under the old one's servers: what those write is taken, and nobody waits in line."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest

from app import migrate as migrating
from app.migrate import migrate
from app.revision import MIGRATIONS, newest_revision
from app.settings import SettingsError
from canvas.store.postgres import Connection
from tests.app.running import ADMIN_TOKEN, Person, Server, Worker
from tests.app.sites import Site, empty, empty_database
from tests.ops.large import Size, fill
from tests.rules.test_house import ROOT

REVISIONS = sorted(file.name.split("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))
BEFORE = "0017"
"""The schema that the old servers of these tests were written for."""
_SAME_PICTURES = "a plain word is looked for first; it refuses the same"
WIDENED = {
    ("accounts", "accounts_role_check"): "guests came; whatever was allowed still is",
    ("workflow_ops", "no_base64_picture"): _SAME_PICTURES,
    ("workflow_nodes", "no_base64_picture"): _SAME_PICTURES,
    ("workflow_edges", "no_base64_picture"): _SAME_PICTURES,
}
"""Constraints that changed and refuse nothing that was taken before, and why."""


@pytest.fixture
def database() -> Iterator[str]:
    with empty_database() as url:
        yield url


class Catalog(NamedTuple):
    columns: dict[tuple[str, str], tuple[str, bool, bool]]
    """By table and column: its type, whether it must be given, whether it has a default."""
    constraints: dict[tuple[str, str], tuple[str, frozenset[str]]]
    """Checks, references and unique indexes by table and name: what they say, and the columns that they look at."""


async def catalog(url: str) -> Catalog:
    connection = await asyncpg.connect(url)
    try:
        columns, constraints = await connection.fetch(_COLUMNS), await connection.fetch(_CONSTRAINTS)
    finally:
        await connection.close()
    return Catalog(
        {(row[0], row[1]): (row[2], row[3], row[4]) for row in columns},
        {(row[0], row[1]): (row[2], frozenset(row[3] or ())) for row in constraints},
    )


def objections(old: Catalog, new: Catalog) -> Iterator[str]:
    """What the old code would stumble over."""
    tables = {table for table, _ in old.columns}
    for (table, column), (type_, must, _) in old.columns.items():
        found = new.columns.get((table, column))
        if found is None:
            yield f"{table}.{column} is gone"
        elif found[0] != type_:
            yield f"{table}.{column} is of another type"
        elif found[1] and not must:
            yield f"{table}.{column} must be given now"
    for (table, column), (_, must, has_default) in new.columns.items():
        if table in tables and (table, column) not in old.columns and must and not has_default:
            yield f"{table}.{column} must be given, and the old code does not know it"
    for (table, name), (says, looks_at) in new.constraints.items():
        is_known = old.constraints.get((table, name), ("",))[0] == says
        of_new = any((table, column) not in old.columns for column in looks_at)
        if table in tables and not is_known and not of_new and (table, name) not in WIDENED:
            yield f"{table}.{name} may refuse what the old code writes"


def test_each_schema_takes_what_the_code_before_it_writes(database: str) -> None:
    """UP3: from the first to the newest"""

    async def walk() -> dict[str, list[str]]:
        found = {}
        await migrate(database, to=REVISIONS[0])
        old = await catalog(database)
        for revision in REVISIONS[1:]:
            await migrate(database, to=revision)
            new = await catalog(database)
            found[revision] = list(objections(old, new))
            old = new
        return found

    assert {revision: said for revision, said in asyncio.run(walk()).items() if said} == {}


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("ALTER TABLE runs DROP COLUMN model", "runs.model is gone"),
        ("ALTER TABLE runs RENAME COLUMN model TO painter", "runs.model is gone"),
        ("ALTER TABLE runs ALTER COLUMN fence TYPE integer", "runs.fence is of another type"),
        ("ALTER TABLE workflows ALTER COLUMN viewport SET NOT NULL", "workflows.viewport must be given now"),
        ("ALTER TABLE runs ADD COLUMN mood text NOT NULL", "runs.mood must be given"),
        ("ALTER TABLE runs ADD CONSTRAINT short CHECK (length(model) < 9)", "runs.short may refuse"),
        ("CREATE UNIQUE INDEX once ON workflows (name)", "workflows.once may refuse"),
    ],
)
def test_what_the_old_code_would_stumble_over_is_seen(database: str, statement: str, says: str) -> None:
    """UP3"""

    async def change() -> list[str]:
        await migrate(database, to=BEFORE)
        old = await catalog(database)
        connection = await asyncpg.connect(database)
        await connection.execute(statement)
        await connection.close()
        return list(objections(old, await catalog(database)))

    said, *_ = asyncio.run(change())
    assert said.startswith(says)


@asynccontextmanager
async def at(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def old_server(url: str, number: int, is_over: asyncio.Event) -> int:
    """Writes as a server and a worker of BEFORE do, until it is over; answers how often. No statement may fail."""
    rounds = 0
    async with at(url) as connection:
        while not is_over.is_set() or rounds == 0:
            rounds += 1
            key = f"{number}_{rounds}"
            for statement, values in OLD_STATEMENTS:
                await connection.execute(statement, *(key if value == "KEY" else value for value in values))
    return rounds


def test_old_servers_write_while_the_schema_changes_under_them(database: str) -> None:
    """UP3, UP4: with data, from the schema that they were written for to the newest, and after it"""

    async def upgrade() -> None:
        await migrate(database, to=BEFORE)
        async with at(database) as connection:
            await connection.execute(_OWNER)
        await fill(database, "acc", Size(workflows=100, nodes=10, runs=5000, events=3))
        is_over = asyncio.Event()
        writers = [asyncio.create_task(old_server(database, number, is_over)) for number in range(4)]

        applied = await migrate(database)

        is_over.set()
        rounds = sum(await asyncio.gather(*writers))
        assert applied == [revision for revision in REVISIONS if revision > BEFORE]
        rounds += await old_server(database, 9, is_over)
        async with at(database) as connection:
            assert await connection.fetchval("SELECT count(*) FROM runs WHERE id LIKE 'old_%'") == rounds
            assert await connection.fetchval("SELECT count(*) FROM runs") == rounds + 5000

    asyncio.run(upgrade())


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A version with one migration more, which does what is given."""

    def write(body: str) -> None:
        shutil.copytree(MIGRATIONS, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
        (tmp_path / "migrations" / "versions" / "9999_next.py").write_text(
            "from alembic import op\nfrom migrations.online import build_index\n"
            f'revision = "9999"\ndown_revision = "{newest_revision()}"\ndef upgrade():\n    {body}\n'
        )
        monkeypatch.setattr(migrating, "MIGRATIONS", tmp_path / "migrations")

    return write


async def waits_for(connection: Connection, query: str) -> None:
    """Until somebody waits for a lock with a statement like that."""
    asked = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE $1)"
    while not await connection.fetchval(asked, query):  # noqa: ASYNC110 - PostgreSQL tells nobody
        await asyncio.sleep(0.01)


async def beside(url: str, held: str, query: str, goes_on: str) -> list[str]:
    """Migrate while a transaction has done `held`; once the migrator waits, `goes_on` must be done before it ends."""
    async with at(url) as holder, at(url) as other, at(url) as watcher:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute(held)
        migration = asyncio.create_task(migrate(url))
        await asyncio.wait_for(waits_for(watcher, query), 30)
        await asyncio.wait_for(other.execute(goes_on), 30)
        assert not migration.done()
        await transaction.commit()
        return await migration


def test_nobody_waits_behind_a_migration_that_waits(database: str, next_version: Callable[[str], None]) -> None:
    """UP5: a backup reads a table that is to be changed; those who write to it meanwhile write"""
    asyncio.run(migrate(database))
    next_version('op.execute("ALTER TABLE workflows ADD COLUMN mood text")')

    applied = asyncio.run(
        beside(database, "LOCK TABLE workflows IN ACCESS SHARE MODE", "ALTER TABLE workflows%", _WRITE)
    )

    assert applied == ["9999"]


def test_two_may_migrate_at_once_while_an_index_is_built(database: str, next_version: Callable[[str], None]) -> None:
    """UP5: nobody waits with a snapshot for which the index would wait"""
    asyncio.run(migrate(database))
    next_version('build_index("CREATE INDEX CONCURRENTLY workflows_named ON workflows (name, id)")')

    async def both() -> tuple[list[str], list[str]]:
        return await asyncio.wait_for(asyncio.gather(migrate(database), migrate(database)), 30)

    assert sorted(asyncio.run(both())) == [[], ["9999"]]


def test_an_index_is_built_while_others_write(database: str, next_version: Callable[[str], None]) -> None:
    """UP5: also when the build before it was cut off"""
    asyncio.run(migrate(database))
    next_version('build_index("CREATE UNIQUE INDEX CONCURRENTLY workflows_named ON workflows (id, name)")')

    async def cut_off() -> bool:
        async with at(database) as connection:
            await connection.execute("INSERT INTO workflows (id, name, epoch) VALUES ('a', 'A', 'e'), ('b', 'A', 'e')")
            with pytest.raises(asyncpg.UniqueViolationError):
                await connection.execute("CREATE UNIQUE INDEX CONCURRENTLY workflows_named ON workflows (name)")
            is_valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'workflows_named'::regclass"
            assert await connection.fetchval(is_valid) is False
            held = "INSERT INTO workflows (id, name, epoch) VALUES ('held', 'Held', 'e')"
            assert await beside(database, held, "%INDEX CONCURRENTLY%", _WRITE) == ["9999"]
            return bool(await connection.fetchval(is_valid))

    assert asyncio.run(cut_off())


def test_a_table_that_is_never_free_is_said(database: str, next_version: Callable[[str], None]) -> None:
    """UP5"""
    asyncio.run(migrate(database))
    next_version('op.execute("ALTER TABLE workflows ADD COLUMN mood text")')

    async def held() -> None:
        async with at(database) as holder, holder.transaction():
            await holder.execute("LOCK TABLE workflows IN ACCESS SHARE MODE")
            with pytest.raises(SettingsError, match="look for long transactions"):
                await migrate(database, patience_s=0)

    asyncio.run(held())


class _Former:
    """Runs the code of another folder, by the packages of this one."""

    def __init__(self, folder: Path) -> None:
        start = f"import os, sys; os.chdir({str(folder)!r}); sys.path.insert(0, {str(folder)!r}); "
        self.program = ["-c", f"{start}from app.cli import main; main()"]
        self.environment = {"PYTHONPATH": str(folder)}

    def migrates(self, environment: dict[str, str]) -> None:
        subprocess.run([sys.executable, *self.program, "migrate"], env=os.environ | environment, check=True)

    def of(self, kind: type[Any]) -> type[Any]:
        return type(f"Former{kind.__name__}", (kind,), {"program": self.program})


class _Owner(Person):
    """By the admin token: nothing is written to the database by this version's code."""

    async def _sign_up(self, name: str) -> tuple[str, str, str]:
        return name, ADMIN_TOKEN, ""


@pytest.mark.soak
def test_the_code_before_the_newest_migration_goes_on(tmp_path: Path, redis_url: str) -> None:
    """UP4: its server and its worker, as they were, on the new schema; needs the history of this checkout"""
    newest = next((MIGRATIONS / "versions").glob(f"{newest_revision()}_*.py")).relative_to(ROOT)
    added = _git("log", "--diff-filter=A", "--format=%H", "--", str(newest)).decode().split()[-1]
    with tarfile.open(fileobj=io.BytesIO(_git("archive", f"{added}~1"))) as tar:
        tar.extractall(tmp_path / "former", filter="data")
    former = _Former(tmp_path / "former")
    with empty_database() as url:
        environment = {
            "EASEL_DATABASE_URL": url,
            "EASEL_REDIS_URL": redis_url,
            "EASEL_DATA_DIR": str(tmp_path / "data"),
        }
        site = Site(environment | former.environment)
        former.migrates(site.environment)
        [version] = site.sql("SELECT version_num FROM alembic_version")
        # Several, if they came at once.
        missing = [revision for revision in REVISIONS if revision > version["version_num"]]
        assert missing[-1] == newest_revision()
        server, worker = former.of(Server)(site.environment), former.of(Worker)(site.environment)
        try:
            person = _Owner(server, url, "acc")
            before = person.workflow()
            person.finishes(before)

            assert asyncio.run(migrate(url)) == missing

            person.finishes(person.workflow())
            person.http.patch(
                f"/api/workflows/{before}/nodes/a", json={"data": {"prompt": "an owl"}}
            ).raise_for_status()
            assert len(person.http.get("/api/renders").json()["items"]) == 2
            person.http.close()
        finally:
            server.stop()
            worker.stop()
    asyncio.run(empty(redis_url))


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True, env=dict(os.environ)).stdout


_OWNER = "INSERT INTO accounts (id, name, color, role) VALUES ('acc', 'Owner', '#000000', 'owner')"
_WRITE = "INSERT INTO workflows (id, name, epoch) VALUES ('late', 'Late', 'e')"
_RUN = """
    INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request)
    VALUES ('old_' || $1, 'wf_1', 'x' || $1, 'acc', 'pending', 'local', 'local', 'studio-1', '{}')"""
# As canvas/store/append.py: the order of its parts is the order in which it locks tables.
_LOG = """
    WITH head AS (UPDATE workflows SET seq = seq + 1, updated_at = now() WHERE id = 'wf_1' RETURNING seq),
    log AS (
      INSERT INTO workflow_ops (workflow_id, seq, author_id, origin, ops) SELECT 'wf_1', seq, 'acc', 'user', '[]'
      FROM head),
    pushes AS (
      INSERT INTO workflow_pushes (workflow_id, account_id, client_id, client_seq, digest, result)
      SELECT 'wf_1', 'acc', $1::text, seq, '', '{}' FROM head)
    SELECT seq FROM head"""
OLD_STATEMENTS: list[tuple[str, tuple[object, ...]]] = [
    (
        "INSERT INTO api_tokens (id, account_id, name, token_hash) SELECT $1, 'acc', '', sha256($1::text::bytea)",
        ("KEY",),
    ),
    (
        "INSERT INTO tickets (token_hash, account_id, expires_at) VALUES (sha256($1::text::bytea), 'acc', now())",
        ("KEY",),
    ),
    (
        "INSERT INTO workflow_nodes (workflow_id, id, ord, position, fields) VALUES ('wf_1', 'x' || $1, 1, '{}', '{}')",
        ("KEY",),
    ),
    (_LOG, ("KEY",)),
    (_RUN, ("KEY",)),
    (
        "UPDATE runs SET status = 'completed', finished_at = now(), event_seq = event_seq + 1 WHERE id = 'old_' || $1",
        ("KEY",),
    ),
    ("SELECT id, status, error, finished_at FROM runs WHERE subject_id = 'wf_1' ORDER BY started_at DESC LIMIT 50", ()),
]
_COLUMNS = """
    SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, atthasdef OR attidentity <> ''
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped"""
_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid),
      (SELECT array_agg(attname) FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY(conkey))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f')
    UNION ALL
    SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid),
      (SELECT array_agg(attname) FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY(indkey::int2[]))
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = 'public'::regnamespace AND indisunique"""
