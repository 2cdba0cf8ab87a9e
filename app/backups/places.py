"""Where a backup is: a folder, which a second backup only adds to, or one tar file."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Protocol

import msgspec

from app.backups.contents import (
    INDEX,
    MANIFEST,
    OBJECTS,
    BackupError,
    Manifest,
    Named,
    leads_elsewhere,
    member,
    read_manifest,
)

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_lines = msgspec.json.Encoder()
UNFINISHED = "unfinished.txt"
"""In a folder while a backup is written to it: its first line, then the files that it has put there."""
_OURS = "Files of a backup of Easel that has not come to its end:"


class Target(Protocol):
    """What a backup is written to. Files come from `desk`, a folder on the same disk, and are moved."""

    desk: Path

    def has(self, named: Named) -> bool:
        """Whether an earlier backup left the object there, whole. It is read to be sure."""

    def add_object(self, key: str, file: Path) -> None: ...

    def finish(self, manifest: Manifest, dump: Path, index: list[Named]) -> None:
        """From now on it is this backup; until now it was the one before, or none."""


class Source(Protocol):
    """A backup that is there."""

    manifest: Manifest

    def index(self) -> Iterator[Named]: ...

    def dump(self, desk: Path) -> Path:
        """The database's dump as a file; `desk`: where one may be put."""

    def open_object(self, key: str) -> IO[bytes] | None: ...


class FolderTarget:
    def __init__(self, folder: Path, desk: Path, earlier: set[str], journal: IO[str]) -> None:
        """`earlier`: files of backups before, whole or cut off, by their names in `folder`. No other is deleted."""
        self._folder, self.desk, self._earlier, self._journal = folder, desk, earlier, journal

    def has(self, named: Named) -> bool:
        file = self._folder / member(named.key)
        return file.is_file() and file.stat().st_size == named.size_bytes and seal(file)[1] == named.sha256

    def add_object(self, key: str, file: Path) -> None:
        self._put(member(key), file)

    def finish(self, manifest: Manifest, dump: Path, index: list[Named]) -> None:
        """The manifest is what makes it one: an earlier backup's files go only after it names the new ones."""
        self._put(manifest.dump, dump)
        for name, content in ((index_of(manifest), _encoded(index)), (MANIFEST, _pretty(manifest))):
            fresh = self.desk / name
            fresh.write_bytes(content)
            self._put(name, fresh)
        for name in self._earlier - _files_of(manifest, index):
            (self._folder / name).unlink(missing_ok=True)
        (self._folder / UNFINISHED).unlink(missing_ok=True)

    def _put(self, name: str, file: Path) -> None:
        """Written down before, so that whatever cuts it off, the next backup knows it for its own."""
        self._journal.write(f"{name}\n")
        self._journal.flush()
        place = self._folder / name
        place.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        file.chmod(_PRIVATE_FILE)
        file.replace(place)


class FolderSource:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.manifest = read_manifest((folder / MANIFEST).read_bytes(), str(folder))

    @property
    def has_index(self) -> bool:
        return (self._folder / index_of(self.manifest)).is_file()

    def index(self) -> Iterator[Named]:
        with (self._folder / index_of(self.manifest)).open("rb") as file:
            yield from _decoded(file)

    def dump(self, desk: Path) -> Path:  # noqa: ARG002 - a tar's needs one
        return self._folder / self.manifest.dump

    def open_object(self, key: str) -> IO[bytes] | None:
        file = self._folder / member(key)
        return file.open("rb") if file.is_file() else None


class TarTarget:
    def __init__(self, tar: tarfile.TarFile, desk: Path) -> None:
        self._tar, self.desk = tar, desk

    def has(self, named: Named) -> bool:  # noqa: ARG002 - it always begins empty
        return False

    def add_object(self, key: str, file: Path) -> None:
        self._add(member(key), file)

    def finish(self, manifest: Manifest, dump: Path, index: list[Named]) -> None:
        self._add(manifest.dump, dump)
        for name, content in ((index_of(manifest), _encoded(index)), (MANIFEST, _pretty(manifest))):
            self._tar.addfile(_private(tarfile.TarInfo(name), manifest, len(content)), io.BytesIO(content))

    def _add(self, name: str, file: Path) -> None:
        self._tar.add(file, name, filter=_anonymous)
        file.unlink()


class TarSource:
    def __init__(self, tar: tarfile.TarFile, path: Path) -> None:
        self._tar, self._members = tar, {one.name: one for one in tar}
        manifest = self._open(MANIFEST)
        if manifest is None:
            raise BackupError(f"{path} is no backup of Easel, or one that was cut off: it has no {MANIFEST}.")
        self.manifest = read_manifest(manifest.read(), str(path))

    def index(self) -> Iterator[Named]:
        file = self._open(index_of(self.manifest))
        yield from _decoded(file or io.BytesIO())

    def dump(self, desk: Path) -> Path:
        place = desk / "database.dump"
        file = self._open(self.manifest.dump)
        with place.open("wb") as copy:
            shutil.copyfileobj(file or io.BytesIO(), copy)
        return place

    def open_object(self, key: str) -> IO[bytes] | None:
        return self._open(member(key))

    def _open(self, name: str) -> IO[bytes] | None:
        found = self._members.get(name)
        return None if found is None else self._tar.extractfile(found)


@contextlib.contextmanager
def target_at(path: Path, store: Path | None = None) -> Iterator[Target]:
    """A folder, or a file when its name ends in `.tar`. `store`: the folder in which the pictures are, if it is one.

    Raises BackupError for a folder that holds something else, and for one that is, holds or lies in `store`.
    """
    try:
        _keep_apart(path, store)
        if path.suffix == ".tar":
            with _tar_target(path) as target:
                yield target
            return
        path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        earlier = _earlier(path)
        (path / UNFINISHED).touch(mode=_PRIVATE_FILE)
        with tempfile.TemporaryDirectory(prefix=".desk-", dir=path) as desk, (path / UNFINISHED).open("a") as journal:
            if journal.tell() == 0:
                journal.write(f"{_OURS}\n")
                journal.flush()
            yield FolderTarget(path, Path(desk), earlier, journal)
    except OSError as error:
        raise BackupError(f"The backup cannot be written to {path} ({error.strerror or error}).") from error


def _keep_apart(path: Path, store: Path | None) -> None:
    """A backup in the store would be deleted by its sweep, and would itself take the store's files for its own."""
    if store is None:
        return
    store = store.resolve()
    for place in (path.resolve(), (path / OBJECTS).resolve()):
        if place.is_relative_to(store) or store.is_relative_to(place):
            raise BackupError(f"{path} is where the pictures are kept ({store}): back up to a folder apart from it.")


def _earlier(folder: Path) -> set[str]:
    """Names of the files of backups before. Raises BackupError for a folder that holds something and none of them."""
    unfinished = _unfinished(folder)
    if (folder / MANIFEST).is_file():
        try:
            source = FolderSource(folder)
            return unfinished | _files_of(source.manifest, source.index() if source.has_index else ())
        except BackupError as error:
            raise BackupError(f"{error} To make one here, give an empty folder, or a new one.") from error
    if not (folder / UNFINISHED).is_file() and any(folder.iterdir()):
        raise BackupError(f"{folder} holds something that is no backup: give an empty folder, or a new one.")
    return unfinished


def _unfinished(folder: Path) -> set[str]:
    file = folder / UNFINISHED
    if not file.is_file():
        return set()
    first, *names = file.read_text(errors="replace").splitlines() or [_OURS]
    if first != _OURS or any(leads_elsewhere(name) for name in names):
        raise BackupError(f"{folder} holds something that is no backup ({UNFINISHED}): give an empty folder.")
    return set(names)


def _files_of(manifest: Manifest, index: Iterable[Named]) -> set[str]:
    return {MANIFEST, manifest.dump, index_of(manifest), *(member(one.key) for one in index)}


@contextlib.contextmanager
def _tar_target(path: Path) -> Iterator[Target]:
    path.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".desk-", dir=path.parent) as desk:
        fresh = Path(desk) / path.name
        with fresh.open("xb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            fresh.chmod(_PRIVATE_FILE)
            yield TarTarget(tar, Path(desk))
        fresh.replace(path)


@contextlib.contextmanager
def source_at(path: Path) -> Iterator[Source]:
    """Raises BackupError for what is no whole backup."""
    try:
        if path.is_dir():
            if not (path / MANIFEST).is_file():
                raise BackupError(f"{path} is no backup of Easel, or one that was cut off: it has no {MANIFEST}.")
            yield FolderSource(path)
            return
        with tarfile.open(path) as tar:
            yield TarSource(tar, path)
    except tarfile.TarError as error:
        raise BackupError(f"{path} is no backup of Easel, or one that was cut off.") from error
    except OSError as error:
        raise BackupError(f"The backup cannot be read from {path} ({error.strerror or error}).") from error


def index_of(manifest: Manifest) -> str:
    """Beside each dump its own: an interrupted second backup leaves the first one whole."""
    return f"{manifest.dump.removesuffix('.dump')}.{INDEX}"


def seal(file: Path) -> tuple[int, str]:
    """Its bytes, and their SHA-256 in hexadecimal digits."""
    with file.open("rb") as content:
        return file.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest()


def _encoded(index: list[Named]) -> bytes:
    return b"".join(_lines.encode(one) + b"\n" for one in index)


def _decoded(file: IO[bytes]) -> Iterator[Named]:
    for line in file:
        try:
            named = msgspec.json.decode(line, type=Named)
        except msgspec.MsgspecError as error:
            raise BackupError("The backup is damaged: its list of objects cannot be read.") from error
        member(named.key)
        yield named


def _pretty(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"


def _private(info: tarfile.TarInfo, manifest: Manifest, size_bytes: int) -> tarfile.TarInfo:
    info.size, info.mode, info.mtime = size_bytes, _PRIVATE_FILE, int(manifest.taken_at.timestamp())
    return info


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = _PRIVATE_FILE
    return info
