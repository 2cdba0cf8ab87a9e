"""What the painter is asked for. No Pillow here: the provider and the wire need it too."""

from __future__ import annotations

import re

import msgspec


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Sketch(msgspec.Struct, frozen=True):
    prompt: str
    seed: int
    width_px: int
    height_px: int

    @property
    def words(self) -> frozenset[str]:
        """Lower case, singular where an s tells: `foxes` and `waves` are what `fox` and `wave` are."""
        found = re.findall(r"[a-z]+", self.prompt.lower())
        return (
            frozenset(found) | {word.removesuffix("es") for word in found} | {word.removesuffix("s") for word in found}
        )
