"""What a backup is made of: its manifest, and an index of the objects that its database names."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePosixPath

import msgspec

from app.settings import SettingsError

FORMAT = 1
MANIFEST, INDEX, OBJECTS = "manifest.json", "objects.jsonl", "objects"


class BackupError(SettingsError):
    """One sentence: what is in the way of a backup or of a restore, and what to do."""


class Named(msgspec.Struct, frozen=True, rename="camel"):
    """An object that the database names."""

    key: str
    content_type: str
    size_bytes: int
    sha256: str
    """In hexadecimal digits."""


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """Written last: a folder or a file without it is no backup."""

    format: int
    easel: str
    """The version that made it."""
    revision: str
    """Of the schema."""
    postgres_schema: str
    """PostgreSQL's schema in which the tables are."""
    taken_at: datetime
    dump: str
    """The file that holds the database, in pg_dump's custom format."""
    dump_bytes: int
    dump_sha256: str
    dumped_by: int
    """The major version of the pg_dump that wrote it: no older pg_restore reads it."""
    has_objects: bool
    """False: of the database alone."""
    objects: int = 0
    object_bytes: int = 0
    missing: tuple[str, ...] = ()
    """Keys that the database names and the store did not have."""
    damaged: tuple[str, ...] = ()
    """Keys whose bytes are not those that were once stored; they are in the backup as they were found."""


def read_manifest(content: bytes, where: str) -> Manifest:
    """Raises BackupError for what is none of ours, or of a newer version."""
    try:
        if msgspec.json.decode(content, type=_Form).format > FORMAT:
            raise BackupError(f"{where} was made by a newer version: restore it with that one.")
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupError(f"{where} is no backup of Easel: its {MANIFEST} cannot be read.") from error
    if PurePosixPath(manifest.dump).name != manifest.dump:
        raise BackupError(f"{where} names a file that no Easel makes ({manifest.dump!r}): it has been tampered with.")
    return manifest


class _Form(msgspec.Struct):
    format: int


def member(key: str) -> str:
    """An object's name in a backup. Raises BackupError for a key that would lead elsewhere."""
    if leads_elsewhere(key):
        raise BackupError(f"The backup names an object that no Easel makes ({key!r}): it has been tampered with.")
    return f"{OBJECTS}/{key}"


def leads_elsewhere(name: str) -> bool:
    """Whether it is no name below a folder."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or not path.parts


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """Bytes for people."""
    return f"{number / 2**20:,.1f} MiB"
