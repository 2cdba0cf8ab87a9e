"""Folders that backups are written to: whose they are, what may be deleted in them, and what comes to harm there."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from obstore.store import LocalStore

from app.backups.contents import BackupError, Manifest
from app.backups.places import UNFINISHED, source_at, target_at
from app.backups.taking import take_backup
from app.migrate import migrate
from app.settings import read_settings
from jobs.objects.store import Objects, folder_of
from tests.app.running import execute
from tests.app.sites import empty_database
from tests.app.test_backup_tools import write_down
from tests.app.test_cli import easel


class Kept(NamedTuple):
    """A database and a store with pictures in it."""

    url: str
    store: Path
    pictures: dict[str, bytes]

    def backed_up(self, folder: Path) -> tuple[Manifest, int]:
        return asyncio.run(take_backup(self.url, Objects(LocalStore(self.store)), folder, store=self.store))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    store = tmp_path / "data" / "objects"
    pictures = {f"originals/acc/{n}.png": bytes([n]) * 1000 for n in range(3)}
    for key, content in pictures.items():
        (store / key).parent.mkdir(parents=True, exist_ok=True)
        (store / key).write_bytes(content)
    with empty_database() as url:
        asyncio.run(migrate(url))
        asyncio.run(write_down(url, pictures))
        yield Kept(url, store, pictures)


def files(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


OTHERS = {
    "a repository": {"HEAD": "ref: refs/heads/main", "objects/ab/cdef": "a blob", "notes.jsonl": "{}"},
    "a web page": {"manifest.json": '{"name": "Page", "icons": []}', "data.jsonl": "{}", "old.dump": "x"},
    "a page with a form": {"manifest.json": '{"format": 1}', "objects/x": "x"},
    "a list": {UNFINISHED: "Milk\nEggs\n"},
    "a list that leads elsewhere": {UNFINISHED: "Files of a backup of Easel that has not come to its end:\n../x\n"},
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_looks_like_a_backup_is_left_alone(other: str, kept: Kept, tmp_path: Path) -> None:
    """BK2: whatever names somebody else's files have"""
    folder = tmp_path / "theirs"
    for name, content in OTHERS[other].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    before = files(folder)

    with pytest.raises(BackupError, match="give an empty folder"):
        kept.backed_up(folder)

    assert files(folder) == before


@pytest.mark.parametrize("place", ["data", "data/objects", "data/objects/copy", "data/objects/copy.tar"])
def test_the_pictures_own_folder_is_no_place_for_a_backup(place: str, kept: Kept, tmp_path: Path) -> None:
    """BK2: nor one that holds it or lies in it"""
    before = files(kept.store)
    settings = {"EASEL_DATABASE_URL": kept.url, "EASEL_DATA_DIR": str(tmp_path / "data")}

    done = easel("backup", str(tmp_path / place), "--database-only", **settings)

    assert done.returncode == 2
    assert "is where the pictures are kept" in done.stderr
    assert files(kept.store) == before


def test_where_pictures_are_is_known_of_folders_alone(tmp_path: Path) -> None:
    """BK2"""
    assert folder_of(read_settings({"EASEL_DATA_DIR": str(tmp_path / "a b")}, dotenv=None).storage) == (
        tmp_path / "a b" / "objects"
    )
    assert folder_of("s3://pictures/objects") is None


def test_only_what_a_backup_put_there_is_deleted(kept: Kept, tmp_path: Path) -> None:
    """BK2: what the database names no more, and not what somebody else has put beside it"""
    folder = tmp_path / "copy"
    kept.backed_up(folder)
    own = set(files(folder))
    theirs = {"notes.jsonl": b"{}", "old.dump": b"x", "objects/mine.txt": b"x"}
    for name, content in theirs.items():
        (folder / name).write_bytes(content)
    gone = next(iter(kept.pictures))
    asyncio.run(execute(kept.url, "DELETE FROM objects WHERE key = $1", gone))

    kept.backed_up(folder)

    now = files(folder)
    assert now.items() >= theirs.items()
    assert {name for name in now.keys() & own if name != "manifest.json"} == {
        f"objects/{key}" for key in kept.pictures if key != gone
    }
    assert len(now) == len(theirs) + 5, "a dump, an index, a manifest, two pictures"


def cut_off(folder: Path, pictures: dict[str, bytes]) -> None:
    """A backup that is interrupted when these are copied."""
    with target_at(folder) as target:
        for key, content in pictures.items():
            (target.desk / "1").write_bytes(content)
            target.add_object(key, target.desk / "1")
        raise KeyboardInterrupt


def test_a_first_backup_that_is_cut_off_is_gone_on_from(kept: Kept, tmp_path: Path) -> None:
    """BK2: and what it put there and nobody names goes"""
    folder, (key, *_) = tmp_path / "copy", kept.pictures
    with pytest.raises(KeyboardInterrupt):
        cut_off(folder, {key: kept.pictures[key], "originals/acc/late.png": b"x"})
    with pytest.raises(BackupError, match="no manifest"), source_at(folder):
        pass

    manifest, fresh = kept.backed_up(folder)

    assert (manifest.objects, fresh) == (3, 2)
    assert {name for name in files(folder) if name.startswith("objects/")} == {
        f"objects/{key}" for key in kept.pictures
    }
    assert not (folder / UNFINISHED).exists()
    with source_at(folder) as source:
        assert {one.key for one in source.index()} == set(kept.pictures)


def test_damage_is_named_each_time_and_mended_when_it_can_be(kept: Kept, tmp_path: Path) -> None:
    """BK3: in the store, and in the backup itself"""
    folder, (spoilt, rotten, _) = tmp_path / "copy", kept.pictures
    (kept.store / spoilt).write_bytes(b"x" * 1000)
    first, _ = kept.backed_up(folder)
    (folder / "objects" / rotten).write_bytes(b"y" * 1000)

    second, fresh = kept.backed_up(folder)

    assert first.damaged == second.damaged == (spoilt,)
    assert fresh == 2
    assert (folder / "objects" / rotten).read_bytes() == kept.pictures[rotten]
    (kept.store / spoilt).write_bytes(kept.pictures[spoilt])
    third, fresh = kept.backed_up(folder)
    assert (third.damaged, fresh) == ((), 1)
    for key, content in kept.pictures.items():
        with source_at(folder) as source, source.open_object(key) or pytest.fail(key) as file:
            assert hashlib.sha256(file.read()).digest() == hashlib.sha256(content).digest()


def test_a_list_of_objects_that_cannot_be_read_is_said(kept: Kept, tmp_path: Path) -> None:
    """BK5: in a sentence"""
    folder = tmp_path / "copy"
    kept.backed_up(folder)
    next(folder.glob("*.objects.jsonl")).write_bytes(b"\0\n")

    with pytest.raises(BackupError, match="its list of objects cannot be read"), source_at(folder) as source:
        list(source.index())
    with pytest.raises(BackupError, match="give an empty folder"):
        kept.backed_up(folder)


def test_a_manifest_that_leads_elsewhere_is_refused(kept: Kept, tmp_path: Path) -> None:
    """BK5: nothing outside the folder is read, or deleted by the next backup"""
    folder, outside = tmp_path / "copy", tmp_path / "mine.dump"
    manifest, _ = kept.backed_up(folder)
    outside.write_bytes(b"x")
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace(manifest.dump, "../mine.dump"))

    with pytest.raises(BackupError, match="tampered with"):
        kept.backed_up(folder)

    assert outside.read_bytes() == b"x"
