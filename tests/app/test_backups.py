"""`easel backup` and `easel restore` with real databases, stores, servers, workers and clients that hold old state."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.backups.contents import BackupError
from app.backups.tables import own_names
from app.backups.tools import find_tools, restore
from app.migrate import migrate
from canvas.client import open_canvas
from canvas.ops import Add, Remove
from tests.app.running import Person
from tests.app.sites import Site, empty, empty_database, remember, remembered
from tests.app.test_cli import easel


@pytest.fixture
def site(redis_url: str, tmp_path: Path) -> Iterator[Site]:
    redis = re.sub(r"\d+$", lambda number: str(int(number[0]) + 3), redis_url)
    with empty_database() as url:
        asyncio.run(migrate(url))
        site = Site({"EASEL_DATABASE_URL": url, "EASEL_REDIS_URL": redis, "EASEL_DATA_DIR": str(tmp_path / "data")})
        yield site
        site.ends()
    asyncio.run(empty(redis))


@pytest.fixture
def somewhere_else() -> Iterator[Callable[[Site], None]]:
    """Moves a site to an empty database and an empty store: what it had is lost."""
    with ExitStack() as databases:

        def move(site: Site) -> None:
            site.environment["EASEL_DATABASE_URL"] = databases.enter_context(empty_database())
            shutil.rmtree(site.objects)

        yield move


def everything(person: Person) -> dict[str, Any]:
    """What a person can see of what they have, apart from epochs, which are to change."""
    documents = []
    for workflow in person.http.get("/api/workflows").json()["items"]:
        document = person.http.get(f"/api/workflows/{workflow['id']}").json()
        documents.append({key: value for key, value in document.items() if key != "epoch"})
    pictures = person.http.get("/api/renders").json()["items"]
    urls = [url["url"] for picture in pictures for url in picture["variants"]] + [one["imageUrl"] for one in pictures]
    return {
        "documents": documents,
        "runs": [run for run in person.http.get("/api/runs").json()["items"] if run["status"] == "completed"],
        "pictures": pictures,
        "bytes": {url: person.http.get(url).raise_for_status().content for url in urls},
    }


def test_a_backup_brings_back_everything_and_old_clients_take_it(
    site: Site, somewhere_else: Callable[[Site], None], tmp_path: Path
) -> None:
    """BK1, BK4, BK6, BK7: wiped and restored, it is as it was; whoever is ahead of it loads afresh; runs go on"""
    path = str(tmp_path / "backup.tar")
    server, worker = site.serves(), site.works()
    person = site.person(server)
    workflow_id = person.workflow()
    person.finishes(workflow_id)
    assert worker.stop() == 0
    waiting = person.starts(workflow_id, "b")["jobId"]
    before = everything(person)

    async def journey() -> None:
        async with open_canvas(server.url, workflow_id, person.token) as canvas:
            done = await asyncio.to_thread(easel, "backup", path, **site.environment)
            assert done.returncode == 0, done.stderr
            lost = await canvas.push(Add("node", {"id": "lost", "position": {"x": 0, "y": 0}, "data": {}}))
            assert lost.outcome == "commit"
            epoch = canvas.replica.epoch
            await asyncio.to_thread(site.stops)
            late = asyncio.create_task(
                canvas.push(Add("node", {"id": "late", "position": {"x": 0, "y": 0}, "data": {}}))
            )
            await asyncio.to_thread(somewhere_else, site)
            done = await asyncio.to_thread(easel, "restore", path, **site.environment)
            assert (done.returncode, done.stderr) == (0, "")
            assert "1 workflow, 2 runs, 1 picture" in done.stdout
            await asyncio.to_thread(site.serves)
            assert (await late).outcome == "commit", "what was never acknowledged is sent again"
            await canvas.until(lambda: canvas.replica.epoch != epoch)
            assert {"a", "b", "late"} == set(canvas.graph.nodes)
            await canvas.push(Remove("node", ("late",)))

    asyncio.run(journey())

    after = everything(person)
    for side in (before, after):
        for document in side["documents"]:
            del document["seq"], document["updatedAt"]  # of the late node, and of its going
    assert after == before
    site.works()
    for event in person.watches(f"/api/runs/{waiting}/events"):
        if event["event"] == "end":
            break
    assert person.http.get(f"/api/runs/{waiting}").json()["status"] == "completed"


def test_a_second_backup_copies_only_what_is_new(site: Site, tmp_path: Path) -> None:
    """BK2: and forgets what is named no more; one that is cut off leaves the first one whole"""
    folder = tmp_path / "backup"
    server, _ = site.serves(), site.works()
    person = site.person(server)
    first = person.finishes(person.workflow())
    assert "4 objects" in easel("backup", str(folder), **site.environment).stdout
    dumped = {file.name for file in folder.iterdir()}
    person.finishes(person.workflow())

    done = easel("backup", str(folder), **site.environment)

    assert re.search(r"8 objects \(.* MiB, 4 copied now\)", done.stdout), done.stdout
    kept = {file.name for file in folder.iterdir()}
    assert len(kept) == 4
    assert dumped & kept == {"manifest.json", "objects"}
    assert {file.stat().st_mode & 0o077 for file in folder.rglob("*") if file.is_file()} == {0}

    key = first["imageUrl"].removeprefix("/objects/")
    site.sql(f"DELETE FROM renders WHERE object_key = '{key}'")
    site.sql(f"DELETE FROM objects WHERE key = '{key}'")
    assert "7 objects" in easel("backup", str(folder), **site.environment).stdout
    assert not (folder / "objects" / key).exists()

    # What a run that has not ended has put away is named as well.
    site.sql(f"UPDATE runs SET status = 'running', finished_at = NULL WHERE id = '{first['jobId']}'")
    assert "8 objects" in easel("backup", str(folder), **site.environment).stdout
    assert (folder / "objects" / key).exists()


def test_what_is_missing_or_damaged_is_named(
    site: Site, somewhere_else: Callable[[Site], None], tmp_path: Path
) -> None:
    """BK3: when it is taken, and when it is put back; the rest is done all the same"""
    folder = tmp_path / "backup"
    server, _ = site.serves(), site.works()
    person = site.person(server)
    person.finishes(person.workflow())
    site.stops()
    gone, spoilt, rotten, *_ = sorted(file for file in site.objects.rglob("*") if file.is_file())
    gone.unlink()
    spoilt.write_bytes(b"x" * spoilt.stat().st_size)

    taken = easel("backup", str(folder), **site.environment)

    keys = [file.relative_to(site.objects).as_posix() for file in (gone, spoilt, rotten)]
    assert taken.returncode == 1
    assert [line.split() for line in taken.stdout.splitlines()[1::2]] == [["missing", keys[0]], ["damaged", keys[1]]]

    copy = folder / "objects" / keys[2]
    copy.write_bytes(b"y" * copy.stat().st_size)
    somewhere_else(site)
    restored = easel("restore", str(folder), **site.environment)

    assert restored.returncode == 1
    assert {line.split()[1] for line in restored.stdout.splitlines() if line.startswith("missing")} == {
        keys[0],
        keys[2],
    }
    assert site.sql("SELECT count(*) FROM runs WHERE status = 'completed'") == [{"count": 1}]


def test_a_database_in_use_is_not_overwritten(site: Site, tmp_path: Path) -> None:
    """BK5, BK7: neither one that holds something, unless that is said, nor one that servers work with"""
    folder = str(tmp_path / "backup")
    person = site.person(site.serves())
    person.workflow(name="Kept")
    assert easel("backup", folder, "--database-only", **site.environment).returncode == 0
    person.workflow(name="Made later")

    busy = easel("restore", folder, "--replace", **site.environment)
    site.stops()
    full = easel("restore", folder, **site.environment)

    assert (busy.returncode, full.returncode) == (2, 2)
    assert "Servers or workers are connected" in busy.stderr
    assert "holds an Easel already" in full.stderr
    assert site.sql("SELECT count(*) FROM workflows") == [{"count": 2}]
    site.sql("CREATE TABLE somebody_elses (id int)")
    site.sql("UPDATE workflows SET epoch = 'old'")
    asyncio.run(remember(site.environment["EASEL_REDIS_URL"], "easel:rate:old", "arq:job:run_old:1", "theirs"))
    assert easel("restore", folder, "--replace", **site.environment).returncode == 0
    assert site.sql("SELECT name FROM workflows") == [{"name": "Kept"}]
    assert site.sql("SELECT count(*) FROM somebody_elses") == [{"count": 0}]
    assert asyncio.run(remembered(site.environment["EASEL_REDIS_URL"])) == {b"theirs"}


def test_a_restore_that_fails_changes_nothing(site: Site, tmp_path: Path) -> None:
    """BK4: the database is put back in one transaction"""
    folder = tmp_path / "backup"
    assert easel("backup", str(folder), **site.environment).returncode == 0
    site.sql("INSERT INTO accounts (id, name, color, role) VALUES ('ada', 'Ada', '#000000', 'member')")
    site.sql("CREATE TABLE theirs (id int)")
    # Something of theirs has a name that a table of ours needs, once ours are gone.
    site.sql("ALTER TABLE installation RENAME TO ours")
    site.sql("CREATE VIEW installation AS SELECT * FROM theirs")

    done = easel("restore", str(folder), "--replace", **site.environment)

    assert done.returncode == 2
    assert "is as it was" in done.stderr
    assert site.sql("SELECT name FROM accounts WHERE id = 'ada'") == [{"name": "Ada"}]


def test_a_schema_of_its_own_is_enough(site: Site, somewhere_else: Callable[[Site], None], tmp_path: Path) -> None:
    """BK5: where others have `public`, Easel lives in another one, and is brought back to it"""

    def secluded() -> None:
        name = urlsplit(site.environment["EASEL_DATABASE_URL"]).path[1:]
        site.sql("CREATE SCHEMA easel")
        site.sql(f"ALTER DATABASE {name} SET search_path = easel")

    folder = str(tmp_path / "backup")
    site.objects.mkdir(parents=True)
    somewhere_else(site)
    secluded()
    asyncio.run(migrate(site.environment["EASEL_DATABASE_URL"]))
    person = site.person(site.serves())
    workflow_id = person.workflow()
    assert easel("backup", folder, **site.environment).returncode == 0
    site.stops()
    somewhere_else(site)

    refused = easel("restore", folder, **site.environment)
    secluded()
    done = easel("restore", folder, **site.environment)

    assert "give its role a search_path that begins with easel" in refused.stderr
    assert done.returncode == 0, done.stderr
    assert site.sql("SELECT id FROM easel.workflows") == [{"id": workflow_id}]
    assert site.sql("SELECT to_regclass('public.workflows') AS there") == [{"there": None}]
    site.serves()
    assert len(person.http.get(f"/api/workflows/{workflow_id}").json()["nodes"]) == 2


def test_a_pg_restore_that_dies_changes_nothing(site: Site, tmp_path: Path) -> None:
    """BK4: however far it has come"""
    server = int(site.sql("SHOW server_version_num")[0]["server_version_num"]) // 10000
    real = find_tools(server)
    (tmp_path / "psql").symlink_to(real.folder / "psql")
    dying = tmp_path / "pg_restore"
    dying.write_text("#!/bin/sh\necho 'CREATE TABLE public.half (id int);'\necho 'error: out of memory' >&2\nexit 1\n")
    dying.chmod(0o700)
    url = site.environment["EASEL_DATABASE_URL"]

    putting = restore(
        real._replace(folder=tmp_path), url, tmp_path, schema="public", before="", after="", server=server
    )
    with pytest.raises(BackupError, match="nothing was changed: error: out of memory"):
        asyncio.run(putting)

    assert site.sql("SELECT to_regclass('public.half') AS half") == [{"half": None}]


def test_an_older_schema_is_brought_forward_and_a_newer_one_refused(
    site: Site, somewhere_else: Callable[[Site], None], tmp_path: Path
) -> None:
    """BK8"""
    folder = tmp_path / "backup"
    newest = site.sql("SELECT version_num FROM alembic_version")[0]["version_num"]
    site.objects.mkdir(parents=True)
    somewhere_else(site)
    asyncio.run(migrate(site.environment["EASEL_DATABASE_URL"], to="0017"))
    site.sql("INSERT INTO workflows (id, name, epoch) VALUES ('wf', 'Old', 'e1')")
    assert easel("backup", str(folder), **site.environment).returncode == 0
    site.objects.mkdir(exist_ok=True)
    somewhere_else(site)

    done = easel("restore", str(folder), **site.environment)

    assert done.returncode == 0, done.stderr
    assert "Brought forward" in done.stdout
    assert "0018" in done.stdout
    assert site.sql("SELECT version_num FROM alembic_version") == [{"version_num": newest}]
    assert site.sql("SELECT count(*) FROM workflows WHERE epoch = 'e1'") == [{"count": 0}]

    manifest = json.loads((folder / "manifest.json").read_bytes()) | {"revision": "9999"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    refused = easel("restore", str(folder), **site.environment)
    assert refused.returncode == 2
    assert "newer than this Easel" in refused.stderr


DAMAGES = {
    "no manifest": "has no manifest.json",
    "not ours": "is no backup of Easel",
    "newer form": "made by a newer version",
    "cut dump": "is damaged",
    "a key that leads elsewhere": "tampered with",
}


def damage(folder: Path, what: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    match what:
        case "no manifest":
            (folder / "manifest.json").unlink()
        case "not ours":
            (folder / "manifest.json").write_text("{}")
        case "newer form":
            (folder / "manifest.json").write_text(json.dumps({"format": 99}))
        case "cut dump":
            dump = folder / manifest["dump"]
            dump.write_bytes(dump.read_bytes()[:-100])
        case "a key that leads elsewhere":
            index = folder / manifest["dump"].replace(".dump", ".objects.jsonl")
            index.write_text(json.dumps({"key": "../../x", "contentType": "", "sizeBytes": 1, "sha256": ""}) + "\n")


def test_what_is_no_whole_backup_is_refused(site: Site, tmp_path: Path) -> None:
    """BK5: before anything is changed"""
    folder = tmp_path / "backup"
    assert easel("backup", str(folder), **site.environment).returncode == 0
    for what, says in DAMAGES.items():
        copy = tmp_path / what
        shutil.copytree(folder, copy)
        damage(copy, what)

        done = easel("restore", str(copy), "--replace", **site.environment)

        assert done.returncode == 2
        assert says in done.stderr
    assert site.sql("SELECT role FROM accounts") == [{"role": "owner"}]


def test_a_file_that_is_cut_off_is_refused(site: Site, tmp_path: Path) -> None:
    """BK5"""
    file = tmp_path / "backup.tar"
    assert easel("backup", str(file), **site.environment).returncode == 0
    with tarfile.open(file) as tar:
        assert {member.name.rpartition(".")[2] for member in tar} == {"dump", "jsonl", "json"}
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    done = easel("restore", str(file), **site.environment)

    assert done.returncode == 2
    assert "is no backup of Easel, or one that was cut off" in done.stderr


def test_a_folder_of_something_else_is_left_alone(site: Site, tmp_path: Path) -> None:
    """BK2"""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.dump").touch()

    done = easel("backup", str(tmp_path / "photos"), **site.environment)

    assert done.returncode == 2
    assert "holds something that is no backup" in done.stderr
    assert (tmp_path / "photos" / "mine.dump").exists()


def test_what_the_migrations_make_is_known_by_name(site: Site) -> None:
    """BK5: `--replace` takes away all of it and nothing else"""
    tables = site.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    functions = site.sql("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace")

    named = (frozenset(row["tablename"] for row in tables), frozenset(row["proname"] for row in functions))
    assert own_names() == named


def test_databases_that_do_not_run_are_started_for_the_while(tmp_path: Path) -> None:
    """BK9: the embedded ones"""
    nothing = easel("backup", str(tmp_path / "backup"), EASEL_DATA_DIR=str(tmp_path / "data"))

    assert nothing.returncode == 2
    assert "the database is empty" in nothing.stderr
