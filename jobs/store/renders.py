"""Finished pictures in PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import asyncpg

from canvas.errors import NotFound
from canvas.ids import new_id
from canvas.store.postgres import Connection, Pool, reaching_the_database
from jobs.objects.port import ObjectStore
from jobs.pages import Place
from jobs.renders import (
    KeptObject,
    KeptPicture,
    Origin,
    Render,
    RenderFilter,
    RenderVariant,
    StoredObject,
    VariantKind,
)
from jobs.run import PictureUrl, Run

VARIANTS_AGAIN = timedelta(minutes=1)
GRAM = 3  # characters of a piece by which prompts are found: `prompt_grams` in the database
_AT_ONCE = 200
VARIANT_ORDER: tuple[VariantKind, ...] = ("thumbnail", "icon", "display")


async def insert_pictures(connection: Connection, run: Run, pictures: list[KeptPicture], first: int = 0) -> None:
    """In the transaction that completes the run. Repeating it changes nothing (JB16).

    `first`: the first one's number in its run. One without small sizes is put down for another try (JB36).
    """
    await insert_objects(connection, run.account_id, [picture.original for picture in pictures])
    for number, picture in enumerate(pictures, first):
        render_id = await connection.fetchval(_INSERT_RENDER, *_render_row(run, number, picture))
        await insert_variants(connection, run.account_id, render_id, picture.variants)


async def insert_variants(
    connection: Connection, account_id: str, render_id: str, variants: dict[VariantKind, KeptObject]
) -> None:
    await insert_objects(connection, account_id, list(variants.values()))
    rows = [(render_id, kind, *_variant_row(kept), kept.blur) for kind, kept in variants.items()]
    await connection.executemany(_INSERT_VARIANT, rows)


async def insert_objects(connection: Connection, account_id: str, objects: list[KeptObject]) -> None:
    rows = [(kept.key, account_id, kept.content_type, kept.size_bytes, kept.sha256) for kept in objects]
    await connection.executemany(_INSERT_OBJECT, rows)


def _render_row(run: Run, number: int, picture: KeptPicture) -> tuple[object, ...]:
    return (
        new_id("ren"),
        run.account_id,
        run.id,
        number,
        run.workflow_id,
        run.node_id,
        *_variant_row(picture.original),
        run.request.prompt_spec.base_prompt,
        picture.seed,
        run.request.provider,
        run.model,
        run.payload.parent_id,
        None if picture.variants else VARIANTS_AGAIN,
    )


def _variant_row(kept: KeptObject) -> tuple[object, ...]:
    return kept.key, kept.width_px, kept.height_px, kept.content_type


class Shown(NamedTuple):
    """A picture that somebody may see, by its largest form."""

    original_key: str
    render_id: str | None


class RenderStore:
    def __init__(self, database: Pool, picture_url: PictureUrl) -> None:
        self._database = database
        self._picture_url = picture_url

    async def get(self, render_id: str, account_id: str) -> Render:
        async with reaching_the_database():
            row = await self._database.fetchrow(_GET, render_id, account_id)
        if row is None:
            raise NotFound("There is no such picture among yours.")
        return (await self._with_variants([row]))[0]

    async def of_account(
        self, account_id: str, wanted: RenderFilter, *, before: Place | None, limit: int
    ) -> list[Render]:
        """MR1. Newest first."""
        query, values = list_query(account_id, wanted, before, limit)
        async with reaching_the_database():
            rows = await self._database.fetch(query, *values)
        return await self._with_variants(rows)

    async def change(
        self, ids: list[str], account_id: str, *, is_favorite: bool | None, is_deleted: bool | None
    ) -> list[str]:
        """MR3, MR5. The ids of those that are the account's; nothing is said of the others. None: as it is."""
        async with reaching_the_database():
            rows = await self._database.fetch(_CHANGE, ids, account_id, is_favorite, is_deleted)
        return [row["id"] for row in rows]

    async def stored_object(self, key: str) -> StoredObject | None:
        async with reaching_the_database():
            row = await self._database.fetchrow(_OBJECT, key)
        return StoredObject(**row) if row else None

    async def shown_to(self, key: str, account_id: str) -> Shown | None:
        """What is kept under a key, in whichever size: the account's own, or of a workflow where it is a member."""
        async with reaching_the_database():
            row = await self._database.fetchrow(_SHOWN, key, account_id)
        return Shown(row["original_key"], row["render_id"]) if row else None

    async def _with_variants(self, rows: list[asyncpg.Record]) -> list[Render]:
        async with reaching_the_database():
            variants = await self._database.fetch(_VARIANTS, [row["id"] for row in rows])
        of_render: dict[str, dict[str, RenderVariant]] = {row["id"]: {} for row in rows}
        for row in variants:
            url = self._picture_url(row["object_key"])
            variant = RenderVariant(row["kind"], url, row["width"], row["height"], row["content_type"], row["blur"])
            of_render[row["render_id"]][row["kind"]] = variant
        return [self._render(row, of_render[row["id"]]) for row in rows]

    def _render(self, row: asyncpg.Record, variants: dict[str, RenderVariant]) -> Render:
        return Render(
            id=row["id"],
            job_id=row["run_id"] if row["source_hash"] is None else None,
            workflow_id=row["workflow_id"],
            node_id=row["node_id"],
            image_url=self._picture_url(row["object_key"]),
            width=row["width"],
            height=row["height"],
            content_type=row["content_type"],
            variants=tuple(variants[kind] for kind in VARIANT_ORDER if kind in variants),
            origin=Origin(row["prompt"], row["seed"], row["provider"], row["model"], row["parent_id"]),
            created_at=row["created_at"],
            is_favorite=row["is_favorite"],
            deleted_at=row["deleted_at"],
        )


def list_query(account_id: str, wanted: RenderFilter, before: Place | None, limit: int) -> tuple[str, list[object]]:
    """Only the conditions that matter, so that the planner sees which index answers."""
    values: list[object] = []

    def value(one: object) -> str:
        values.append(one)
        return f"${len(values)}"

    where = [f"account_id = {value(account_id)}", f"deleted_at IS {'NOT ' if wanted.in_trash else ''}NULL"]
    columns = (("workflow_id", wanted.workflow_id), ("provider", wanted.provider), ("model", wanted.model))
    for column, name in (*columns, ("parent_id", wanted.parent_id)):
        if name is not None:
            where.append(f"{column} = {value(name)}")
    if wanted.is_favorite is not None:
        where.append("is_favorite" if wanted.is_favorite else "NOT is_favorite")
    if wanted.words:
        where.append(f"prompt ILIKE ALL ({value([f'%{_literally(word)}%' for word in wanted.words])}::text[])")
    if any(len(word) >= GRAM for word in wanted.words):  # shorter ones are in no index
        where.append(f"prompt_grams(prompt) @> prompt_grams({value(' '.join(wanted.words))}::text)")
    if before is not None:
        where.append(f"(created_at, id) < ({value(before.at)}, {value(before.id)})")
    return f"SELECT * FROM renders WHERE {' AND '.join(where)} {_NEWEST_FIRST} LIMIT {value(limit)}", values


async def retire_renders(database: Pool, objects: ObjectStore, keep_days: int) -> int:
    """MR4. Take away what has been in the trash for `keep_days`, bytes included; answers how many pictures.

    Rows first: a crash before the bytes leaves objects that nobody names, never a name of nothing.
    Raises Unavailable, StorageFailed.
    """
    retired = 0
    while True:
        async with reaching_the_database(), database.acquire() as connection, connection.transaction():
            ids = [row["id"] for row in await connection.fetch(_EXPIRED, keep_days, _AT_ONCE)]
            keys = [row["object_key"] for row in await connection.fetch(_KEYS, ids)]
            await connection.execute("DELETE FROM renders WHERE id = ANY($1::text[])", ids)
            unnamed = [row["key"] for row in await connection.fetch(_UNNAMED, keys)]
        for key in unnamed:
            await objects.delete(key)
        retired += len(ids)
        if len(ids) < _AT_ONCE:
            return retired


def _literally(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


# Queries

_INSERT_OBJECT = """
    INSERT INTO objects (key, account_id, content_type, size_bytes, sha256) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (key) DO NOTHING"""
# DO UPDATE and not DO NOTHING: it answers with the id of the row that is there.
_INSERT_RENDER = """
    INSERT INTO renders (id, account_id, run_id, picture, workflow_id, node_id, object_key, width, height, content_type,
      prompt, seed, provider, model, parent_id, variants_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, clock_timestamp() + $16::interval)
    ON CONFLICT (run_id, picture) DO UPDATE SET object_key = excluded.object_key RETURNING id"""
_INSERT_VARIANT = """
    INSERT INTO render_variants (render_id, kind, object_key, width, height, content_type, blur)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (render_id, kind) DO UPDATE SET object_key = excluded.object_key"""
_GET = "SELECT * FROM renders WHERE id = $1 AND account_id = $2 AND deleted_at IS NULL"
_NEWEST_FIRST = "ORDER BY created_at DESC, id DESC"
_CHANGE = """
    UPDATE renders SET is_favorite = coalesce($3, is_favorite),
      deleted_at = CASE $4::boolean WHEN true THEN coalesce(deleted_at, now()) WHEN false THEN NULL ELSE deleted_at END
    WHERE id = ANY($1::text[]) AND account_id = $2 RETURNING id"""
_EXPIRED = """
    SELECT id FROM renders WHERE deleted_at < now() - make_interval(days => $1) LIMIT $2 FOR UPDATE SKIP LOCKED"""
_KEYS = """
    SELECT object_key FROM renders WHERE id = ANY($1::text[])
    UNION SELECT object_key FROM render_variants WHERE render_id = ANY($1::text[])"""
_UNNAMED = """
    DELETE FROM objects WHERE key = ANY($1::text[])
    AND NOT EXISTS (SELECT FROM renders WHERE object_key = objects.key)
    AND NOT EXISTS (SELECT FROM render_variants WHERE object_key = objects.key) RETURNING key"""
_VARIANTS = """
    SELECT render_id, kind, object_key, width, height, content_type, blur FROM render_variants
    WHERE render_id = ANY($1::text[])"""
_SHOWN = """
    SELECT coalesce(renders.object_key, original.object_key, objects.key) AS original_key, renders.id AS render_id
    FROM objects LEFT JOIN render_variants ON render_variants.object_key = objects.key
    LEFT JOIN artwork_pictures ON artwork_pictures.object_key = objects.key
    LEFT JOIN artworks ON artworks.id = artwork_pictures.artwork_id
    LEFT JOIN artwork_pictures original ON original.artwork_id = artworks.id AND original.kind = 'original'
      AND objects.account_id = $2
    LEFT JOIN renders ON renders.id = coalesce(render_variants.render_id, (
      SELECT id FROM renders WHERE object_key = objects.key ORDER BY created_at LIMIT 1))
    WHERE objects.key = $1 AND (objects.account_id = $2 OR EXISTS (
      SELECT FROM workflow_roles AS mine WHERE mine.account_id = $2
        AND mine.workflow_id = coalesce(renders.workflow_id, artworks.workflow_id) AND NOT objects.is_private))
    LIMIT 1"""
_OBJECT = "SELECT key, account_id, content_type, size_bytes, sha256, is_private FROM objects WHERE key = $1"
