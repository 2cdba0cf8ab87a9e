"""Renders whose small sizes could not be made at once (JB36)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from canvas.relay.port import Relay
from canvas.store.postgres import Pool, reaching_the_database
from jobs.call import MadePicture
from jobs.renders import KeptPicture
from jobs.run import NodeChange, PictureUrl, Run
from jobs.store.renders import insert_variants
from jobs.store.rows import run_of
from jobs.store.turn import turn


class BareRender(NamedTuple):
    id: str
    run: Run
    made: MadePicture
    account_name: str
    tries: int
    """This one is counted."""
    due_again: datetime
    """When another tries, if this try comes to no end."""


class LateVariantStore:
    def __init__(self, database: Pool, relay: Relay, picture_url: PictureUrl) -> None:
        self._database = database
        self._relay = relay
        self._picture_url = picture_url

    async def take(self, lease_s: float) -> BareRender | None:
        """The one that is due longest; nobody else gets it for `lease_s`. Raises Unavailable."""
        async with reaching_the_database():
            row = await self._database.fetchrow(_TAKE, timedelta(seconds=lease_s))
        if row is None:
            return None
        made = MadePicture(
            key=row["object_key"],
            content_type=row["content_type"],
            size_bytes=row["size_bytes"],
            sha256=row["sha256"].hex(),
            width_px=row["width"],
            height_px=row["height"],
        )
        return BareRender(
            row["render_id"], run_of(row), made, row["account_name"], row["variant_tries"], row["variants_at"]
        )

    async def put_off(self, bare: BareRender, pause_s: float | None) -> None:
        """None: for good. Raises Unavailable."""
        pause = None if pause_s is None else timedelta(seconds=pause_s)
        async with reaching_the_database():
            await self._database.execute(_PUT_OFF, bare.id, bare.due_again, pause)

    async def keep(self, bare: BareRender, picture: KeptPicture) -> bool:
        """The variants and, while it shows this picture, the node, in one transaction.

        False: somebody else was first, or the render is gone. Raises Unavailable.
        """
        run = bare.run
        async with turn(self._database, self._relay, run.workflow_id) as this:
            if await this.connection.fetchval(_DONE, bare.id, bare.due_again) is None:
                return False
            await insert_variants(this.connection, run.account_id, bare.id, picture.variants)
            image_url = self._picture_url(picture.original.key)
            shown = await this.connection.fetchval(_NODE_SHOWS, run.workflow_id, run.node_id, image_url)
            if shown is not None and "thumbnail" in picture.variants:
                thumbnail_url = self._picture_url(picture.variants["thumbnail"].key)
                at = msgspec.to_builtins(shown)
                await this.set_on_node(
                    run, NodeChange({"/data/thumbnailUrl": thumbnail_url, "/data/updatedAt": at}, ())
                )
        return True


# Queries

# A run that has gone took its salt along, and with it the names of the variants: its pictures are left as they are.
_TAKE = """
    WITH due AS (
      SELECT renders.id FROM renders JOIN runs ON runs.id = renders.run_id WHERE variants_at <= now()
      ORDER BY variants_at LIMIT 1 FOR UPDATE OF renders SKIP LOCKED)
    UPDATE renders SET variant_tries = variant_tries + 1, variants_at = clock_timestamp() + $1::interval
    FROM due, runs, accounts, objects
    WHERE renders.id = due.id AND runs.id = renders.run_id AND accounts.id = runs.account_id
      AND objects.key = renders.object_key
    RETURNING runs.*, accounts.name AS account_name, objects.size_bytes, objects.sha256, renders.id AS render_id,
      renders.object_key, renders.content_type, renders.width, renders.height, renders.variant_tries,
      renders.variants_at"""
_PUT_OFF = "UPDATE renders SET variants_at = clock_timestamp() + $3::interval WHERE id = $1 AND variants_at = $2"
_DONE = "UPDATE renders SET variants_at = NULL WHERE id = $1 AND variants_at = $2 RETURNING true"
_NODE_SHOWS = """
    SELECT clock_timestamp() FROM workflow_nodes
    WHERE workflow_id = $1 AND id = $2 AND node_data ->> 'imageUrl' = $3"""
