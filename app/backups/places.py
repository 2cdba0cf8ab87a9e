"""Where a backup is: a folder, which a second backup only adds to, or one tar file."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

import msgspec

from app.backups.contents import INDEX, MANIFEST, OBJECTS, BackupError, Manifest, Named, member, read_manifest

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_lines = msgspec.json.Encoder()


class Target(Protocol):
    """What a backup is written to. Files come from `desk`, a folder on the same disk, and are moved."""

    desk: Path

    def has(self, key: str, size_bytes: int) -> bool:
        """Whether an earlier backup left the object there."""

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
    def __init__(self, folder: Path, desk: Path) -> None:
        self._folder, self.desk = folder, desk

    def has(self, key: str, size_bytes: int) -> bool:
        file = self._folder / member(key)
        return file.is_file() and file.stat().st_size == size_bytes

    def add_object(self, key: str, file: Path) -> None:
        place = self._folder / member(key)
        place.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        file.chmod(_PRIVATE_FILE)
        file.replace(place)

    def finish(self, manifest: Manifest, dump: Path, index: list[Named]) -> None:
        """The manifest is what makes it one: an earlier backup's files go only after it names the new ones."""
        dump.chmod(_PRIVATE_FILE)
        dump.replace(self._folder / manifest.dump)
        self._write(index_of(manifest), _encoded(index))
        self._write(MANIFEST, _pretty(manifest))
        self._forget_earlier(manifest, {one.key for one in index})

    def _write(self, name: str, content: bytes) -> None:
        fresh = self.desk / name
        fresh.write_bytes(content)
        fresh.chmod(_PRIVATE_FILE)
        fresh.replace(self._folder / name)

    def _forget_earlier(self, manifest: Manifest, named: set[str]) -> None:
        kept = {MANIFEST, manifest.dump, index_of(manifest), OBJECTS, self.desk.name}
        for old in self._folder.iterdir():
            if old.name not in kept and old.suffix in {".dump", ".jsonl"}:
                old.unlink()
        objects = self._folder / OBJECTS
        for file in list(objects.rglob("*")) if manifest.has_objects else ():
            if file.is_file() and file.relative_to(objects).as_posix() not in named:
                file.unlink()


class FolderSource:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.manifest = read_manifest((folder / MANIFEST).read_bytes(), str(folder))

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

    def has(self, key: str, size_bytes: int) -> bool:  # noqa: ARG002 - it always begins empty
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
        self._tar = tar
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
        try:
            return self._tar.extractfile(name)
        except KeyError:
            return None


@contextlib.contextmanager
def target_at(path: Path) -> Iterator[Target]:
    """A folder, or a file when its name ends in `.tar`. Raises BackupError for a folder that holds something else."""
    try:
        if path.suffix == ".tar":
            with _tar_target(path) as target:
                yield target
            return
        path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        if any(path.iterdir()) and not (path / MANIFEST).is_file() and not (path / OBJECTS).is_dir():
            raise BackupError(f"{path} holds something that is no backup: give an empty folder, or a new one.")
        with tempfile.TemporaryDirectory(prefix=".desk-", dir=path) as desk:
            yield FolderTarget(path, Path(desk))
    except OSError as error:
        raise BackupError(f"The backup cannot be written to {path} ({error.strerror or error}).") from error


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
        named = msgspec.json.decode(line, type=Named)
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
