"""The demo workflow of `easel seed`: something to press Generate on at once."""

from __future__ import annotations

from typing import Any

from app.auth.accounts import ensure_owner
from canvas.store.postgres import Pool
from canvas.store.workflows import Workflows
from canvas.transfer import read_document

NAME = "Three views of a valley"

_COLUMN_PX, _ROW_PX = 420, 60


def _picture(number: int, prompt: str, seed: int) -> dict[str, Any]:
    return {
        "id": f"view-{number}",
        "type": "image_generation",
        "position": {"x": _COLUMN_PX * number, "y": _ROW_PX * (number % 2)},
        "data": {"prompt": prompt, "provider": "local", "model": "studio-1", "size": "1536x1024", "seed": seed},
    }


def _edge(source: int, target: int) -> dict[str, Any]:
    return {"id": f"view-{source}-to-{target}", "source": f"view-{source}", "target": f"view-{target}"}


DOCUMENT: dict[str, Any] = {
    "nodes": [
        {
            "id": "note",
            "type": "note",
            "position": {"x": 0, "y": -220},
            "data": {
                "label": "Start here",
                "text": "Press Generate on a picture and watch it being drawn. Open this page in a second window, "
                "or send somebody an invitation: both of you see every step, and each other's cursors.",
            },
        },
        _picture(0, "A quiet valley at dawn, mist between the hills, soft pink light", 11),
        _picture(1, "The same valley under a summer sky, long grass, small white clouds", 23),
        _picture(2, "The same valley at night, a river of stars over dark hills", 47),
    ],
    "edges": [_edge(0, 1), _edge(1, 2)],
    "viewport": {"x": 60, "y": 260, "zoom": 0.8},
}


async def seed(database: Pool) -> tuple[str, bool]:
    """The demo's id in the owner's account, and whether it was made just now."""
    async with database.acquire() as connection:
        owner = await ensure_owner(connection)
        existing: str | None = await connection.fetchval(_FIND, owner.id, NAME)
    if existing is not None:
        return existing, False
    return await Workflows(database).create(owner.id, NAME, read_document(DOCUMENT, {})), True


_FIND = """
    SELECT workflows.id FROM workflows JOIN members ON members.workflow_id = workflows.id
    WHERE account_id = $1 AND members.role = 'owner' AND name = $2 AND deleted_at IS NULL ORDER BY id LIMIT 1"""
