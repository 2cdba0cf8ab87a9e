"""Bugs that are planted on purpose, to see the simulator find them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tests.simulation.story import Broken, simulate

SEEDS = range(60)

Plant = Callable[[pytest.MonkeyPatch], None]


def planted_in(bugs: dict[str, Plant]) -> Callable[[Plant], Plant]:
    def bug(plant: Plant) -> Plant:
        """Its name says what is wrong."""
        bugs[plant.__name__] = plant
        return plant

    return bug


def first_red(seeds: Iterable[int]) -> int | None:
    for seed in seeds:
        try:
            simulate(seed)
        except Broken as broken:
            print(f"seed {seed}: {str(broken).splitlines()[0][:200]}")
            return seed
    return None
