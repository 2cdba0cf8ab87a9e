"""Who runs which tests: a file goes to whoever is free; the faults, which mostly wait, are one lane from the start."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadFileScheduling

WAITING = "tests/chaos/"


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # xdist is untyped
    def _split_scope(self, nodeid: str) -> str:
        return WAITING if nodeid.startswith(WAITING) else str(super()._split_scope(nodeid))


def waiting_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The order within a folder stays."""
    return sorted(items, key=lambda item: not item.nodeid.startswith(WAITING))
