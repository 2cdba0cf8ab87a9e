"""Finished pictures in PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import asyncpg

from canvas.errors import NotFound
from canvas.ids import new_id
from canvas.store.postgres import Connection, Pool, reaching_the_database
from jobs.pages import Place
from jobs.renders import KeptObject, KeptPicture, Origin, Render, RenderVariant, StoredObject, VariantKind
from jobs.run import PictureUrl, Run

VARIANTS_AGAIN = timedelta(minutes=1)
VARIANT_ORDER: tuple[VariantKind, ...] = ("thumbnail", "icon", "display")


async def insert_pictures(connection: Connection, run: Run, pictures: list[KeptPicture], first: int = 0) -> None:
    """In the transaction that completes the run. Repeating it changes nothing (JB16).

    `first`: the first one's number in its run. One without small sizes is put down for another try (JB36).
    """
    await _insert_objects(connection, run, [picture.original for picture in pictures])
    for number, picture in enumerate(pictures, first):
        render_id = await connection.fetchval(_INSERT_RENDER, *_render_row(run, number, picture))
        await insert_variants(connection, run, render_id, picture.variants)


async def insert_variants(
    connection: Connection, run: Run, render_id: str, variants: dict[VariantKind, KeptObject]
) -> None:
    await _insert_objects(connection, run, list(variants.values()))
    rows = [(render_id, kind, *_variant_row(kept)) for kind, kept in variants.items()]
    await connection.executemany(_INSERT_VARIANT, rows)


async def _insert_objects(connection: Connection, run: Run, objects: list[KeptObject]) -> None:
    rows = [(kept.key, run.account_id, kept.content_type, kept.size_bytes, kept.sha256) for kept in objects]
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
        self,
        account_id: str,
        *,
        workflow_id: str | None,
        provider: str | None,
        q: str | None,
        before: Place | None,
        limit: int,
    ) -> list[Render]:
        """Newest first; `q` is looked for in the prompts."""
        at, id_ = before or (None, None)
        pattern = f"%{_literally(q)}%" if q else None
        async with reaching_the_database():
            rows = await self._database.fetch(_LIST, account_id, workflow_id, provider, pattern, at, id_, limit)
        return await self._with_variants(rows)

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
            variant = RenderVariant(row["kind"], url, row["width"], row["height"], row["content_type"])
            of_render[row["render_id"]][row["kind"]] = variant
        return [self._render(row, of_render[row["id"]]) for row in rows]

    def _render(self, row: asyncpg.Record, variants: dict[str, RenderVariant]) -> Render:
        return Render(
            id=row["id"],
            job_id=row["run_id"],
            workflow_id=row["workflow_id"],
            node_id=row["node_id"],
            image_url=self._picture_url(row["object_key"]),
            width=row["width"],
            height=row["height"],
            content_type=row["content_type"],
            variants=tuple(variants[kind] for kind in VARIANT_ORDER if kind in variants),
            origin=Origin(row["prompt"], row["seed"], row["provider"], row["model"], row["parent_id"]),
            created_at=row["created_at"],
        )


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
    INSERT INTO render_variants (render_id, kind, object_key, width, height, content_type)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (render_id, kind) DO UPDATE SET object_key = excluded.object_key"""
_GET = "SELECT * FROM renders WHERE id = $1 AND account_id = $2"
_LIST = """
    SELECT * FROM renders WHERE account_id = $1
    AND ($2::text IS NULL OR workflow_id = $2) AND ($3::text IS NULL OR provider = $3)
    AND ($4::text IS NULL OR prompt ILIKE $4) AND ($5::timestamptz IS NULL OR (created_at, id) < ($5, $6::text))
    ORDER BY created_at DESC, id DESC LIMIT $7"""
_VARIANTS = """
    SELECT render_id, kind, object_key, width, height, content_type FROM render_variants
    WHERE render_id = ANY($1::text[])"""
_SHOWN = """
    SELECT coalesce(renders.object_key, objects.key) AS original_key, renders.id AS render_id
    FROM objects LEFT JOIN render_variants ON render_variants.object_key = objects.key
    LEFT JOIN renders ON renders.id = coalesce(render_variants.render_id, (
      SELECT id FROM renders WHERE object_key = objects.key ORDER BY created_at LIMIT 1))
    WHERE objects.key = $1 AND (objects.account_id = $2 OR EXISTS (
      SELECT FROM workflow_roles AS mine WHERE mine.workflow_id = renders.workflow_id AND mine.account_id = $2))
    LIMIT 1"""
_OBJECT = "SELECT key, account_id, content_type, size_bytes, sha256, is_private FROM objects WHERE key = $1"
