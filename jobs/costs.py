"""What an account has used: runs, pictures and money."""

from __future__ import annotations

from datetime import date
from typing import Literal, get_args

import msgspec

from jobs.run import Cost

Grouping = Literal["provider", "model", "day"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)


class Usage(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A row of `GET /api/usage`. What is not grouped by is left out."""

    runs: int
    images: int
    cost: Cost
    unknown_runs: int
    """Runs of which some cost is not known: it is in no sum."""
    provider: str | None = None
    model: str | None = None
    day: date | None = None
