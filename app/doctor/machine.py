"""This machine: its folders, its disk, its limits, and the picture store that it reaches."""

from __future__ import annotations

import asyncio
import resource
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.compose import open_storage
from app.doctor.findings import PATIENCE_S, Ground, IllError, UnknownError, all_of, is_address
from app.embedded.datadir import DataDir
from app.routes.page import DIST
from app.settings import masked, origin_of
from jobs.objects.probe import probe

LEAST_FREE_BYTES = 1 << 30
LEAST_FILES = 4096  # a socket is one; below that some thousand people are the end


async def data(ground: Ground) -> str:
    folder = DataDir(ground.settings.data_dir).path
    return f"{folder} can be written to; `easel up` {'runs' if ground.state else 'does not run'} on it."


async def disk(ground: Ground) -> str:
    """Room where the databases and pictures of this machine are kept."""
    wrong = []
    for folder in dict.fromkeys((_there(ground.settings.data_dir), _there(_objects(ground)))):
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE_BYTES:
            wrong.append(f"{folder} has {free / 2**20:,.0f} MiB left: make room, or move it to a larger disk.")
    return all_of(wrong, "there is room.")


async def files(ground: Ground) -> str:
    """Only in production: elsewhere nobody comes in thousands, and most systems begin with 1,024."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= allowed < LEAST_FILES and ground.settings.is_production:
        raise IllError(
            f"A process may have {allowed:,} files open here, and each browser takes one: allow {LEAST_FILES:,} or "
            "more (`ulimit -n`; LimitNOFILE= in a unit of systemd)."
        )
    return f"{allowed:,} may be open." if allowed >= 0 else "any number may be open."


async def storage(ground: Ground) -> str:
    if not is_address(ground.settings.base_url):
        raise UnknownError("It cannot be told before EASEL_PUBLIC_URL is an address.")
    shown = masked("EASEL_STORAGE_URL", ground.settings.storage)
    try:
        async with asyncio.timeout(10 * PATIENCE_S):
            store = open_storage(ground.settings)
            return f"{shown} {await probe(store, origin_of(ground.settings.base_url), ground.http)}"
    except TimeoutError:
        raise IllError(f"{shown} does not answer: look at the network between it and this machine.") from None


async def page(_: Ground) -> str:
    if not (Path(DIST) / "index.html").is_file():
        raise IllError("The page has not been built: run `make web`. The API works without it.")
    return "built."


def _objects(ground: Ground) -> Path:
    """The folder of pictures; that of all data when they are in a bucket."""
    parts = urlsplit(ground.settings.storage)
    return Path(unquote(parts.path)) if parts.scheme in {"", "file"} else ground.settings.data_dir


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
