"""Rooms are tested on a real PostgreSQL; the relay is one of this process unless it is the point."""

from __future__ import annotations

import pytest

from canvas.store.postgres import Pool
from tests.canvas.world import World, open_world


@pytest.fixture
async def world(database: Pool) -> World:
    return await open_world(database)
