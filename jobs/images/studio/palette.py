"""Colours. A palette answers to words; a prompt without any of them gets one by its seed."""

from __future__ import annotations

from random import Random

import msgspec
from PIL import ImageColor

from jobs.images.studio.sketch import word_set

Colour = tuple[int, int, int]


class Palette(msgspec.Struct, frozen=True):
    name: str
    words: frozenset[str]
    sky: tuple[Colour, ...]
    """From the zenith to the horizon."""
    light: Colour
    """Of the sun or the moon."""
    far: Colour
    near: Colour
    accents: tuple[Colour, ...]
    night: bool = False


def choose_palette(words: frozenset[str], rng: Random) -> Palette:
    """The one that most of the words ask for, the first among equals; the rng's choice when none is asked for."""
    drawn = rng.choice(PALETTES)
    asked = max(PALETTES, key=lambda palette: len(palette.words & words))
    return asked if asked.words & words else drawn


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """`first` at share 0, `second` at share 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _palette(name: str, words: str, *, sky: str, light: str, ridges: str, accents: str, night: bool = False) -> Palette:
    far, near = _colours(ridges)
    return Palette(
        name=name,
        words=word_set(words),
        sky=_colours(sky),
        light=_colours(light)[0],
        far=far,
        near=near,
        accents=_colours(accents),
        night=night,
    )


def _colours(text: str) -> tuple[Colour, ...]:
    return tuple(ImageColor.getrgb(f"#{code}")[:3] for code in text.split())


# What names the light comes before what names the place: a sunset over the sea is a sunset.
PALETTES = (
    _palette(
        "sunset",
        "sunset dusk evening warm golden orange fire romantic summer",
        sky="2b2d5b 6d3b73 c8546c f58b54 fdd08a",
        light="fff0c4",
        ridges="c2667a 2a1c3f",
        accents="ffb45e ff6f61 8e4585 fce1a8",
    ),
    _palette(
        "dawn",
        "dawn sunrise morning spring pastel soft pink blossom cherry sakura baby",
        sky="7f9fd1 b9b6de f1c3cf fbdcc4 fff1d6",
        light="fffbea",
        ridges="c3a9c9 4d4a78",
        accents="f7a8b8 ffd6ba a0c4ff caffbf",
    ),
    _palette(
        "aurora",
        "aurora northern arctic polar emerald magic winter penguin",
        sky="04121f 08303c 0f5f5f 2aa57e a3e4b0",
        light="eafff4",
        ridges="3a8f86 03131c",
        accents="5effb1 7af0ff b388ff f0fff7",
        night=True,
    ),
    _palette(
        "neon",
        "neon cyberpunk city synthwave retro robot future futuristic techno laser street arcade vaporwave",
        sky="0d0221 26084a 5c0f74 b5179e ff6fb5",
        light="ffe3f6",
        ridges="7b2cbf 0b0119",
        accents="00f5ff ff2fa0 ffe066 7a5cff",
        night=True,
    ),
    _palette(
        "night",
        "night moon star midnight dark space galaxy dream wolf owl cosmic astronaut planet",
        sky="050a24 0c1a45 1d3570 3a5a9c 7d93c4",
        light="f3f4ff",
        ridges="4c659f 050a1c",
        accents="8fb3ff c9a7ff f9f3c2 5ad1e6",
        night=True,
    ),
    _palette(
        "snow",
        "snow ice alps glacier white cold mist fog calm quiet minimal",
        sky="6f93b8 a3bfd6 cfdfe8 ebf1f3 fdfaf3",
        light="ffffff",
        ridges="b4c6d6 29405b",
        accents="88a9c3 dfe9f0 f2d0a9 44617f",
    ),
    _palette(
        "autumn",
        "fox autumn fall rust maple squirrel tiger lion cat dog pumpkin copper october",
        sky="59707f a1a08c dcb07a f0b45e fbdf9f",
        light="fff3c9",
        ridges="d09060 33190f",
        accents="e2711d bc3908 f6aa1c 6b2a10 f7e3af",
    ),
    _palette(
        "desert",
        "desert dune sand camel canyon mars egypt pyramid western cactus savanna red",
        sky="4f8fb0 9cc4c4 f0d9a8 f3b772 e88d57",
        light="fff8dc",
        ridges="e09a63 6b2a1f",
        accents="d1603d ddb967 f4e3b2 843b2c",
    ),
    _palette(
        "forest",
        "forest tree wood green jungle leaf moss garden nature bear deer elf fern bamboo",
        sky="5f9ea5 93c3b5 c5dfbf e6efc9 fbf6d8",
        light="fffde2",
        ridges="93bfa3 10301f",
        accents="2f7d4f 8fbf5a d9c65d 1d4d3a e8f0b8",
    ),
    _palette(
        "ocean",
        "ocean sea water wave blue underwater whale surf harbour",
        sky="1b4b8f 3f86c6 86c5e4 c9ebee f5f6dd",
        light="fffbe0",
        ridges="7fb4cd 0f2f55",
        accents="1d6fa5 38b2c3 f4f1de 0b3c5d ff9e6d",
    ),
)
