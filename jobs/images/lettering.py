"""Names in any script, drawn in one line: which font has a character, and in what order the pieces stand.

The fonts are Noto's, under the Open Font License, as two packages bring them. Pillow shapes and orders what is inside a
piece (Raqm); the order of the pieces is ours, as one font does not hold all scripts.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

from PIL import ImageDraw, ImageFont, features

WEIGHT = 500
MOST_MARKS, MOST_ACCENTS = 4, 2  # on one letter: more of them climb out of the line
JOINER = "\u200d"
SCRIPTS = (
    *("Arabic", "Hebrew", "Devanagari", "Bengali", "Tamil", "Telugu", "Thai", "Georgian", "Armenian", "Ethiopic"),
    *("Gujarati", "Gurmukhi", "Kannada", "Khmer", "Lao", "Malayalam", "Myanmar", "Oriya", "Sinhala"),
)


Direction = Literal["ltr", "rtl"]


class Face(NamedTuple):
    package: str
    file: str
    number: int = 0
    """Which of a collection."""

    @property
    def path(self) -> str:
        return str(files(self.package).joinpath(self.file))


LATIN = Face("manimgx_fonts", "NotoSans[wght].ttf")
JAPANESE, KOREAN, CHINESE = (Face("manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc", number) for number in range(3))
PICTURES = (Face("manimgx_fonts", "NotoSansSymbols[wght].ttf"), Face("manimgx_fonts", "NotoEmoji[wght].ttf"))


class Piece(NamedTuple):
    """Neighbours in one font, in the order in which they are spoken."""

    text: str
    face: Face
    direction: Direction


def clusters(name: str, form: Literal["NFC", "NFKC"] = "NFC") -> list[str]:
    """What a person counts as one letter each. What cannot be seen, or turns the others around, is left out."""
    found: list[str] = []
    for char in unicodedata.normalize(form, " ".join(name.split())):
        if unicodedata.category(char)[0] == "C" and char != JOINER:
            continue
        if found and _belongs(char, found[-1]):
            if not _is_piled_up(char, found[-1]):
                found[-1] += char
        elif char != JOINER and unicodedata.category(char)[0] != "M":
            found.append(char)
    return found


def pieces(letters: list[str]) -> list[Piece] | None:
    """As they stand from left to right. None: a letter or number is in no font. Other signs that are in none are left
    out."""
    faced = _faced(letters)
    if faced is None:
        return None
    ways = _directions([letter for letter, _ in faced])
    joined: list[Piece] = []
    for (letter, face), way in zip(faced, ways, strict=True):
        if joined and (joined[-1].face, joined[-1].direction) == (face, way):
            joined[-1] = joined[-1]._replace(text=joined[-1].text + letter)
        else:
            joined.append(Piece(letter, face, way))
    return _in_order(joined, _base([_direction(letter) for letter, _ in faced]))


def width_px(line: list[Piece], size_px: int) -> float:
    return sum(_font(piece.face, size_px).getlength(piece.text, direction=_told(piece)) for piece in line)


def write(
    draw: ImageDraw.ImageDraw, left: float, baseline: float, line: list[Piece], size_px: int, fill: object
) -> None:
    for piece in line:
        font = _font(piece.face, size_px)
        draw.text((left, baseline), piece.text, font=font, anchor="ls", fill=fill, direction=_told(piece))  # type: ignore[arg-type]  # Pillow's colours
        left += font.getlength(piece.text, direction=_told(piece))


def _belongs(char: str, before: str) -> bool:
    return (
        unicodedata.category(char)[0] == "M"
        or char == JOINER
        or before.endswith(JOINER)
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # a colour of skin
        or (_is_half_a_flag(char) and len(before) == 1 and _is_half_a_flag(before))
    )


def _is_piled_up(char: str, letter: str) -> bool:
    marks = [one for one in letter + char if unicodedata.category(one)[0] == "M"]
    accents = [
        one for one in marks if unicodedata.combining(one) in (220, 230)
    ]  # below and above, not the scripts' own
    return char in marks and (len(marks) > MOST_MARKS or (char in accents and len(accents) > MOST_ACCENTS))


def _is_half_a_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _faced(letters: list[str]) -> list[tuple[str, Face]] | None:
    chain, faced = _chain("".join(letters)), list[tuple[str, Face]]()
    for letter in letters:
        before = faced[-1][1] if faced and faced[-1][1] not in PICTURES else LATIN
        stays = unicodedata.category(letter[0])[0] in "ZP" and _has(before, letter)
        face = before if stays else next((face for face in chain if _has(face, letter)), None)
        if face is not None:
            faced.append((letter, face))
        elif unicodedata.category(letter[0])[0] in "LN":
            return None
    return faced


def _direction(letter: str) -> Direction | None:
    bidi = unicodedata.bidirectional(letter[0])
    return "rtl" if bidi in ("R", "AL") else "ltr" if bidi in ("L", "EN", "AN") else None


def _base(ways: list[Direction | None]) -> Direction:
    return next((way for way in ways if way), "ltr")


def _directions(letters: list[str]) -> list[Direction]:
    """Unicode's rules N1 and N2: what has none goes with its neighbours where they agree, else with the whole line."""
    own = [_direction(letter) for letter in letters]
    base = _base(own)
    before = _carried_on(own, base)
    after = reversed(_carried_on(own[::-1], base))
    return [one if one == other else base for one, other in zip(before, after, strict=True)]


def _carried_on(ways: list[Direction | None], first: Direction) -> list[Direction]:
    carried = [first]
    for way in ways:
        carried.append(way or carried[-1])
    return carried[1:]


def _in_order(line: list[Piece], base: str) -> list[Piece]:
    """Unicode's rule L2, with pieces instead of characters."""
    levels = [1 if piece.direction == "rtl" else (2 if base == "rtl" else 0) for piece in line]
    for level in (2, 1):
        at = 0
        while at < len(line):
            end = at
            while end < len(line) and levels[end] >= level:
                end += 1
            line[at:end], levels[at:end] = line[at:end][::-1], levels[at:end][::-1]
            at = end + 1
    return line


def _chain(text: str) -> Iterator[Face] | tuple[Face, ...]:
    """Han characters look as the rest of the name says that they are meant."""
    names = {unicodedata.name(char, "").split(" ")[0] for char in text}
    han = JAPANESE if names & {"HIRAGANA", "KATAKANA"} else KOREAN if "HANGUL" in names else CHINESE
    shaped = [Face("manimgx_fonts", f"NotoSans{script}[wght].ttf") for script in SCRIPTS] if _can_shape() else []
    return (LATIN, *shaped, han, *PICTURES)


@cache
def _can_shape() -> bool:
    """Without Raqm, Arabic comes out backwards and unjoined: better not at all."""
    return bool(features.check("raqm"))


def _told(piece: Piece) -> Direction | None:
    return piece.direction if _can_shape() else None


@lru_cache(64)
def _font(face: Face, size_px: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(face.path, size_px, index=face.number)
    font.set_variation_by_axes([WEIGHT])
    return font


def _has(face: Face, letter: str) -> bool:
    return all(ord(char) in _characters(face) or "\ufe00" <= char <= "\ufe0f" or char == JOINER for char in letter)


@cache
def _characters(face: Face) -> frozenset[int]:
    """From the font's `cmap` table (OpenType 1.9): format 12, or 4 where it has no other."""
    with open(face.path, "rb") as file:
        content = file.read()
    start = 0
    if content.startswith(b"ttcf"):
        (start,) = struct.unpack_from(">I", content, 12 + 4 * face.number)
    (tables,) = struct.unpack_from(">H", content, start + 4)
    records = (struct.unpack_from(">4sIII", content, start + 12 + 16 * number) for number in range(tables))
    cmap = next(offset for tag, _, offset, _ in records if tag == b"cmap")
    (subtables,) = struct.unpack_from(">H", content, cmap + 2)
    offsets = [cmap + struct.unpack_from(">HHI", content, cmap + 4 + 8 * number)[2] for number in range(subtables)]
    by_format = {struct.unpack_from(">H", content, offset)[0]: offset for offset in offsets}
    if 12 in by_format:
        (groups,) = struct.unpack_from(">I", content, by_format[12] + 12)
        found = (struct.unpack_from(">III", content, by_format[12] + 16 + 12 * number) for number in range(groups))
        return frozenset(code for first, last, _ in found for code in range(first, last + 1))
    return frozenset(_of_format_4(content, by_format[4]))


def _of_format_4(content: bytes, at: int) -> Iterator[int]:
    (twice,) = struct.unpack_from(">H", content, at + 6)
    segments = twice // 2
    lasts, firsts, deltas, ranges = (
        struct.unpack_from(f">{segments}H", content, at + 14 + part * twice + (2 if part else 0)) for part in range(4)
    )
    for number, (first, last, delta, offset) in enumerate(zip(firsts, lasts, deltas, ranges, strict=True)):
        for code in range(first, min(last, 0xFFFE) + 1):
            glyph = code + delta & 0xFFFF
            if offset:
                place = at + 16 + 3 * twice + 2 * number + offset + 2 * (code - first)
                (glyph,) = struct.unpack_from(">H", content, place)
            if glyph:
                yield code
