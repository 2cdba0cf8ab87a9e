"""Artworks in PostgreSQL. What changes how many an account has takes the account's row first: one at a time."""

from __future__ import annotations

from typing import NamedTuple

import asyncpg
import msgspec

from canvas.errors import NotFound
from canvas.store.postgres import Connection, Pool, reaching_the_database
from jobs.artwork import Artwork, KeptArtwork, PictureKind, free_slug, slug_of
from jobs.errors import ArtworkLimitReached
from jobs.pages import Place
from jobs.run import PictureUrl
from jobs.store.uploads import use_up

_NONE = "There is no such artwork among yours."
_AT_ONCE = 200


class ArtworkFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of an account's artworks; each that is None does not matter."""

    q: str | None = None
    """Somewhere in title, description, materials or a tag, in whatever case."""
    category: str | None = None
    tags: tuple[str, ...] = ()
    """It has all of them."""
    in_trash: bool = False


class Allowance(NamedTuple):
    has: int
    limit: int

    def check(self) -> None:
        """Raises ArtworkLimitReached."""
        if self.has >= self.limit:
            raise ArtworkLimitReached(
                f"You have {self.has:,} artworks, and {self.limit:,} is the limit. Delete some, or ask for more."
            )


class Shown(NamedTuple):
    """One of an artwork's pictures."""

    key: str
    blur: str | None


class ArtworkStore:
    def __init__(self, database: Pool, picture_url: PictureUrl, limit: int) -> None:
        """`limit`: of an account that has none of its own."""
        self._database = database
        self._picture_url = picture_url
        self._limit = limit

    async def check_limit(self, account_id: str) -> None:
        """A look beforehand; what counts is decided in `insert`. Raises ArtworkLimitReached."""
        async with reaching_the_database():
            row = await self._database.fetchrow(_ALLOWANCE, account_id, self._limit)
        if row is not None:
            Allowance(**row).check()

    async def insert(self, kept: KeptArtwork, upload_key: str, claim: str, *, is_limited: bool) -> Artwork:
        """Record, counter, objects and the used-up key in one transaction (AW5).

        Raises ArtworkLimitReached and Conflict, having written nothing; after Unavailable nobody knows.
        """
        async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
            await self._count_up(connection, kept.account_id, is_limited=is_limited)
            await use_up(connection, upload_key, claim, kept.id)
            slug = await _free_slug(connection, kept.account_id, slug_of(kept.words.title))
            await connection.executemany(
                _INSERT_OBJECT,
                [
                    (one.key, kept.account_id, one.content_type, one.size_bytes, one.sha256, kind == "original")
                    for kind, one in kept.pictures.items()
                ],
            )
            row = await connection.fetchrow(_INSERT, *_values(kept, slug))
            assert row is not None
            await connection.executemany(
                _INSERT_PICTURE,
                [
                    (kept.id, kind, one.key, one.width_px, one.height_px, one.content_type, one.blur)
                    for kind, one in kept.pictures.items()
                ],
            )
        return self._artwork(row, {kind: Shown(one.key, one.blur) for kind, one in kept.pictures.items()})

    async def get(self, id_or_slug: str, account_id: str) -> Artwork:
        """Also one in the trash, by its id. Raises NotFound."""
        async with reaching_the_database():
            row = await self._database.fetchrow(_GET, id_or_slug, account_id)
        return await self._found(row)

    async def of_account(
        self, account_id: str, wanted: ArtworkFilter, *, before: Place | None, limit: int
    ) -> list[Artwork]:
        """Newest first."""
        query, values = list_query(account_id, wanted, before, limit)
        async with reaching_the_database():
            rows = await self._database.fetch(query, *values)
        return await self._with_pictures(rows)

    async def change(self, id_or_slug: str, account_id: str, columns: dict[str, object]) -> Artwork:
        """`columns`: as `jobs.artwork.read_change` names them. Raises NotFound."""
        sets = "".join(f", {name} = ${number}" for number, name in enumerate(columns, 3))
        async with reaching_the_database():
            row = await self._database.fetchrow(
                f"UPDATE artworks SET updated_at = now(){sets} WHERE {_MINE} RETURNING {_COLUMNS}",
                id_or_slug,
                account_id,
                *columns.values(),
            )
        return await self._found(row)

    async def move_to_trash(self, id_or_slug: str, account_id: str) -> None:
        """A second time changes nothing: it is counted down once. Raises NotFound."""
        async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK, account_id)
            if await connection.fetchval(_TRASH, id_or_slug, account_id) is not None:
                await connection.execute(_COUNT_DOWN, account_id)
            elif await connection.fetchval(_IN_TRASH, id_or_slug, account_id) is None:
                raise NotFound(_NONE)

    async def take_from_trash(self, artwork_id: str, account_id: str, *, is_limited: bool) -> Artwork:
        """With its old slug if that is still free. Raises NotFound, ArtworkLimitReached."""
        async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK, account_id)
            row = await connection.fetchrow(_IN_TRASH_ROW, artwork_id, account_id)
            if row is not None:
                await self._count_up(connection, account_id, is_limited=is_limited)
                slug = await _free_slug(connection, account_id, row["slug"])
                await connection.execute(_RESTORE, artwork_id, slug)
        return await self.get(artwork_id, account_id)

    async def retire(self, keep_days: int) -> list[str]:
        """Take away rows that were in the trash for `keep_days`; the keys whose bytes are to go. Raises Unavailable.

        Rows first: a crash before the bytes leaves objects that nobody names, which the sweep finds.
        """
        async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
            ids = [row["id"] for row in await connection.fetch(_EXPIRED, keep_days, _AT_ONCE)]
            keys = [row["object_key"] for row in await connection.fetch(_TAKE_PICTURES, ids)]
            await connection.execute("DELETE FROM artworks WHERE id = ANY($1::text[])", ids)
            await connection.execute("DELETE FROM objects WHERE key = ANY($1::text[])", keys)
        return keys

    async def _count_up(self, connection: Connection, account_id: str, *, is_limited: bool) -> None:
        row = await connection.fetchrow(_COUNT_UP, account_id, self._limit)
        if row is None:
            raise NotFound("There is no such account.")
        if is_limited:
            Allowance(row["has"] - 1, row["limit"]).check()

    async def _found(self, row: asyncpg.Record | None) -> Artwork:
        if row is None:
            raise NotFound(_NONE)
        return (await self._with_pictures([row]))[0]

    async def _with_pictures(self, rows: list[asyncpg.Record]) -> list[Artwork]:
        async with reaching_the_database():
            pictures = await self._database.fetch(_PICTURES, [row["id"] for row in rows])
        shown: dict[str, dict[PictureKind, Shown]] = {row["id"]: {} for row in rows}
        for picture in pictures:
            shown[picture["artwork_id"]][picture["kind"]] = Shown(picture["object_key"], picture["blur"])
        return [self._artwork(row, shown[row["id"]]) for row in rows]

    def _artwork(self, row: asyncpg.Record, shown: dict[PictureKind, Shown]) -> Artwork:
        return Artwork(
            id=row["id"],
            user_id=row["account_id"],
            slug=row["slug"],
            title=row["title"],
            description=row["description"],
            materials=row["materials"],
            dimensions=row["dimensions"],
            created_date=row["created_date"],
            category=row["category"],
            tags=row["tags"],
            original_url=PictureUrl()(shown["original"].key),  # private, so never on a CDN
            display_url=self._picture_url(shown["display"].key),
            thumbnail_url=self._picture_url(shown["thumbnail"].key),
            icon_url=self._picture_url(shown["icon"].key),
            status="active" if row["deleted_at"] is None else "trashed",
            is_featured=row["is_featured"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            thumbnail_blur=shown["thumbnail"].blur,
            display_blur=shown["display"].blur,
        )


def list_query(account_id: str, wanted: ArtworkFilter, before: Place | None, limit: int) -> tuple[str, list[object]]:
    """Only the conditions that matter, so that the planner sees which index answers."""
    values: list[object] = []

    def value(one: object) -> str:
        values.append(one)
        return f"${len(values)}"

    where = [f"account_id = {value(account_id)}", f"deleted_at IS {'NOT ' if wanted.in_trash else ''}NULL"]
    if wanted.category is not None:
        where.append(f"category = {value(wanted.category)}")
    if wanted.tags:
        where.append(f"tags @> {value(list(wanted.tags))}::text[]")
    if wanted.q:
        pattern = value(f"%{_literally(wanted.q)}%")
        text = "concat_ws(E'\\n', title, description, materials, array_to_string(tags, E'\\n'))"
        where.append(f"{text} ILIKE {pattern}")
    if before is not None:
        where.append(f"(created_at, id) < ({value(before.at)}, {value(before.id)})")
    order = "ORDER BY created_at DESC, id DESC"
    return f"SELECT {_COLUMNS} FROM artworks WHERE {' AND '.join(where)} {order} LIMIT {value(limit)}", values


async def _free_slug(connection: Connection, account_id: str, base: str) -> str:
    """Under the account's row lock nobody else of the same account looks or writes."""
    taken = {row["slug"] for row in await connection.fetch(_SLUGS, account_id, _literally(base) + "-%", base)}
    return free_slug(base, taken)


def _values(kept: KeptArtwork, slug: str) -> tuple[object, ...]:
    words, place = kept.words, kept.place
    return (
        kept.id,
        kept.account_id,
        slug,
        words.title,
        words.description,
        words.materials,
        words.dimensions,
        words.created_date,
        words.category,
        words.tags,
        place.workflow_id if place else None,
        place.node_id if place else None,
    )


def _literally(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


# Queries

_COLUMNS = """id, account_id, slug, title, description, materials, dimensions, created_date, category, tags,
  is_featured, created_at, updated_at, deleted_at"""
_ALLOWANCE = 'SELECT artwork_count AS has, coalesce(artwork_limit, $2) AS "limit" FROM accounts WHERE id = $1'
_COUNT_UP = """
    UPDATE accounts SET artwork_count = artwork_count + 1 WHERE id = $1
    RETURNING artwork_count AS has, coalesce(artwork_limit, $2) AS "limit\""""
_COUNT_DOWN = "UPDATE accounts SET artwork_count = artwork_count - 1 WHERE id = $1"
_LOCK = "SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE"
_SLUGS = "SELECT slug FROM artworks WHERE account_id = $1 AND deleted_at IS NULL AND (slug LIKE $2 OR slug = $3)"
_INSERT_OBJECT = """
    INSERT INTO objects (key, account_id, content_type, size_bytes, sha256, is_private)
    VALUES ($1, $2, $3, $4, $5, $6)"""
_INSERT = f"""
    INSERT INTO artworks (id, account_id, slug, title, description, materials, dimensions, created_date, category, tags,
      workflow_id, node_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING {_COLUMNS}"""
_INSERT_PICTURE = """
    INSERT INTO artwork_pictures (artwork_id, kind, object_key, width, height, content_type, blur)
    VALUES ($1, $2, $3, $4, $5, $6, $7)"""
# A slug holds no underscore, so none can be taken for an id.
_MINE = "(id = $1 OR slug = $1) AND account_id = $2 AND deleted_at IS NULL"
_GET = f"SELECT {_COLUMNS} FROM artworks WHERE (id = $1 OR slug = $1 AND deleted_at IS NULL) AND account_id = $2"
_PICTURES = "SELECT artwork_id, kind, object_key, blur FROM artwork_pictures WHERE artwork_id = ANY($1::text[])"
_TRASH = f"UPDATE artworks SET deleted_at = now() WHERE {_MINE} RETURNING id"
_IN_TRASH = "SELECT id FROM artworks WHERE id = $1 AND account_id = $2"
_IN_TRASH_ROW = "SELECT slug FROM artworks WHERE id = $1 AND account_id = $2 AND deleted_at IS NOT NULL"
_RESTORE = "UPDATE artworks SET deleted_at = NULL, slug = $2, updated_at = now() WHERE id = $1"
_EXPIRED = """
    SELECT id FROM artworks WHERE deleted_at < now() - make_interval(days => $1)
    ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED"""
_TAKE_PICTURES = "DELETE FROM artwork_pictures WHERE artwork_id = ANY($1::text[]) RETURNING object_key"
