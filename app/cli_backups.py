"""`easel backup` and `easel restore`. Embedded databases that do not run are started for the while."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from app.reach import prepared, reaching, running
from app.settings import Settings, masked

if TYPE_CHECKING:
    from app.backups.restoring import Restored

EXIT_INCOMPLETE = 1
SHOWN = 20
"""Keys of a kind, at most."""


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--database-only", is_flag=True, help="Without the pictures: their store is backed up otherwise.")
def backup(path: Path, database_only: bool) -> int:
    """Copy the database and all pictures that it names to PATH: a folder, or one file if it ends in .tar.

    Easel may go on meanwhile. A folder that holds an earlier backup becomes this one: what is there is read, and only
    pictures that are new, or not whole there, are copied. Any other folder has to be empty.
    Whoever has a backup has all of Easel: keep it as you keep the database.
    """
    from app.backups.contents import count, size
    from app.backups.taking import take_backup
    from app.compose import open_storage
    from jobs.objects.store import folder_of

    with _databases(prepared()) as settings, reaching(settings.database_url or ""):
        objects = None if database_only else open_storage(settings)
        taking = take_backup(settings.database_url or "", objects, path, store=folder_of(settings.storage))
        manifest, fresh = asyncio.run(taking)
    said = f"Backed up to {path}: the database (schema {manifest.revision}, {size(manifest.dump_bytes)})"
    if manifest.has_objects:
        said += f" and {count(manifest.objects, 'object')} ({size(manifest.object_bytes)}, {fresh:,} copied now)"
    click.echo(f"{said}.")
    _list("missing", manifest.missing, "not in the store, which the database names. Restore them from elsewhere.")
    _list("damaged", manifest.damaged, "not what was once stored; backed up as they are.")
    return EXIT_INCOMPLETE if manifest.missing or manifest.damaged else 0


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--replace", is_flag=True, help="Although the database holds an Easel already. What is in it is lost.")
def restore(path: Path, replace: bool) -> int:
    """Put the backup at PATH into the database and the picture store that are configured.

    Stop servers and workers before. Every browser loads afresh afterwards, and sends again what was not stored.
    """
    from redis.asyncio import Redis

    from app.backups.contents import count
    from app.backups.restoring import Place, put_back
    from app.compose import open_storage

    with _databases(prepared(), alone=True) as settings, reaching(settings.database_url or ""):

        async def put() -> Restored:
            async with Redis.from_url(settings.redis_url or "", socket_connect_timeout=2) as redis:
                place = Place(settings.database_url or "", open_storage(settings), redis)
                return await put_back(path, place, replace=replace)

        done = asyncio.run(put())
    kept = (count(done.workflows, "workflow"), count(done.runs, "run"), count(done.pictures, "picture"))
    click.echo(f"Restored the backup of {done.manifest.taken_at:%Y-%m-%d %H:%M} UTC: {', '.join(kept)}.")
    click.echo(f"{count(done.objects, 'object')} put into {masked('EASEL_STORAGE_URL', settings.storage)}.")
    if done.applied:
        click.echo(f"Brought forward to this version's schema: {', '.join(done.applied)}.")
    click.echo("Every workflow has a new epoch: browsers load afresh.")
    _list("missing", done.missing, "neither in the backup, or damaged there, nor in the store.")
    return EXIT_INCOMPLETE if done.missing else 0


@contextmanager
def _databases(found: Settings, *, alone: bool = False) -> Iterator[Settings]:
    """Settings with databases that answer. `alone`: nobody else may use them; Redis is needed as well."""
    from app.embedded.datadir import DataDir
    from app.embedded.errors import StartError
    from app.embedded.postgres import EmbeddedPostgres
    from app.embedded.redis import EmbeddedRedis

    state = running(found)
    if state is not None and alone:
        raise StartError(f"Easel runs on the data folder {found.data_dir}: stop it first, and start it after.")
    url = found.database_url or (state.database_url if state else None)
    redis_url = found.redis_url or (state.redis_url if state else None)
    if url and (redis_url or not alone):
        yield msgspec.structs.replace(found, database_url=url, redis_url=redis_url)
        return
    data = DataDir(found.data_dir)
    postgres = EmbeddedPostgres(data) if url is None else None
    redis = EmbeddedRedis(data) if redis_url is None and alone else None
    with data.locked():
        try:
            url = url or (postgres.start() if postgres else None)
            redis_url = redis_url or (redis.start() if redis else None)
            yield msgspec.structs.replace(found, database_url=url, redis_url=redis_url)
        finally:
            for service in (redis, postgres):
                if service is not None:
                    service.stop()


def _list(name: str, keys: tuple[str, ...] | list[str], says: str) -> None:
    for key in keys[:SHOWN]:
        click.echo(f"{name:8} {key}")
    if len(keys) > SHOWN:
        click.echo(f"{name:8} … and {len(keys) - SHOWN:,} more")
    if keys:
        click.echo(f"{len(keys):,} {name}: {says}")
