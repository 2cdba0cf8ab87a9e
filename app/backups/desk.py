"""Where a backup's files are made before they are moved to their place: a folder on the same disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = ".easel-desk-"


@contextlib.contextmanager
def desk_in(folder: Path) -> Iterator[Path]:
    """Gone at the end; those of backups that were killed go first. Raises OSError."""
    for left in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _opened(left) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody works at it
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as name, _opened(Path(name)) as descriptor:
        with contextlib.suppress(OSError):  # a disk without locks: then nobody takes it for left behind either
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield Path(name)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
