from __future__ import annotations

import random
import unicodedata
from collections import Counter

import pytest
from PIL import Image, ImageChops

from jobs.images import lettering
from jobs.images.lettering import clusters, pieces
from jobs.images.watermark import FALLBACK, stamp, written

NAMES = {
    "latin": "José Müller-Łukasz",
    "vietnamese": "Nguyễn Thị Ánh",
    "cyrillic": "Олег Ёлкин",
    "greek": "Ελένη Παπαδοπούλου",
    "chinese": "李明",
    "japanese": "田中さくら",
    "korean": "김민준",
    "arabic": "محمد علي",
    "hebrew": "שרה כהן",
    "devanagari": "नीरज चोपड़ा",
    "thai": "สมชาย ใจดี",
    "emoji": "🎨 👩‍🎨 🇩🇪",
    "mixed": "Ada محمد 李明 🎨",
    "no font has it": "𓀀𓀁",
}


def luminance(colour: bytes) -> float:
    """Relative luminance, as WCAG 2.2 has it."""
    levels = [level / 255 for level in colour]
    red, green, blue = (level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: bytes, other: bytes) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def pixels(image: Image.Image) -> list[bytes]:
    data = image.convert("RGB").tobytes()
    return [data[at : at + 3] for at in range(0, len(data), 3)]


def where_drawn(picture: Image.Image, name: str) -> tuple[int, int, int, int]:
    box = ImageChops.difference(picture, stamp(picture, name)).getbbox()
    assert box is not None
    return box


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("colour", ["white", "black", "grey", "yellow", "navy"])
def test_name_in_any_script_reads_on_any_picture(name: str, colour: str) -> None:
    """JB39"""
    picture = Image.new("RGB", (800, 600), colour)
    left, top, right, bottom = where_drawn(picture, name)
    shades = Counter(pixels(stamp(picture, name).crop((left + 4, top + 4, right - 4, bottom - 4))))
    plate, _ = shades.most_common(1)[0]

    assert left > 400
    assert top > 500
    assert sum(count for shade, count in shades.items() if contrast(shade, plate) >= 4.5) > shades.total() * 0.02


def test_noise_does_not_hide_the_name() -> None:
    """JB39"""
    size = (800, 600)
    noise = Image.frombytes("RGB", size, random.Random(5).randbytes(size[0] * size[1] * 3))
    plain = Image.new("RGB", size, "white")
    box = where_drawn(plain, "Ada Lovelace")
    drawn = list(zip(*(pixels(stamp(under, "Ada Lovelace").crop(box)) for under in (plain, noise)), strict=True))
    letters = [noisy for shade, noisy in drawn if luminance(shade) > 0.9 and shade != b"\xff\xff\xff"]
    plate = [noisy for shade, noisy in drawn if luminance(shade) < 0.1]

    assert len(letters) > 40
    assert contrast(min(letters, key=luminance), max(plate, key=luminance)) >= 4.5


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_mode_and_size_stay(mode: str) -> None:
    stamped = stamp(Image.new(mode, (300, 200)), "Ada")

    assert (stamped.mode, stamped.size) == (mode, (300, 200))


@pytest.mark.parametrize("name", ["A very long name " * 10, "漢字" * 100, "محمد " * 50, "🎨" * 100, "W" * 5000])
@pytest.mark.parametrize("size", [(120, 120), (2048, 1365)], ids=str)
def test_long_name_is_shortened_to_the_picture(name: str, size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "white")

    box = ImageChops.difference(picture, stamp(picture, name)).getbbox()

    assert box is not None
    assert box[0] > 0
    assert box[2] < size[0]


@pytest.mark.parametrize(("name", "size"), [("", (400, 400)), ("  ", (400, 400)), ("Ada", (12, 12)), ("Ada", (400, 8))])
def test_no_name_or_no_room_leaves_the_picture_alone(name: str, size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size)

    assert stamp(picture, name) is picture


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("José Müller-Łukasz", "José Müller-Łukasz"),
        ("Jose\u0301", "José"),
        ("Straße\n\tÆon", "Straße Æon"),
        ("Олег", "Олег"),
        ("李明 Li", "李明 Li"),
        ("Ada 🎨", "Ada 🎨"),
        ("Ada\u202egnp.exe\u200b", "Adagnp.exe"),
        ("𝓕𝓪𝓷𝓬𝔂", "Fancy"),
        ("Z\u0335\u0351\u036b\u0343\u0302a", "Z\u0335\u0351\u036ba"),
        ("𓀀 Egypt", FALLBACK),
        ("\u200b", FALLBACK),
        ("\ue000", FALLBACK),
    ],
)
def test_name_is_written_in_letters_that_a_font_has(name: str, letters: str) -> None:
    assert "".join(written(name)) == letters


def test_what_a_person_counts_as_one_letter_is_never_cut() -> None:
    letters = ["👩‍🎨", "🇩🇪", "👍🏽", "❤️", "1️⃣", "ẹ́", "นี้", "नी"]

    assert clusters("".join(letters)) == [unicodedata.normalize("NFC", letter) for letter in letters]


@pytest.mark.parametrize(
    ("name", "from_the_left"),
    [
        ("Ada", ["Ada"]),
        ("Ada محمد", ["Ada ", "محمد"]),
        ("محمد Ada علي", ["علي", " ", "Ada", "محمد "]),
        ("محمد 2", ["2", "محمد "]),
        ("Ada (محمد) Li", ["Ada (", "محمد", ") Li"]),
    ],
)
def test_pieces_stand_as_their_scripts_are_read(name: str, from_the_left: list[str]) -> None:
    assert [piece.text for piece in pieces(clusters(name)) or []] == from_the_left


def test_han_characters_look_as_the_rest_of_the_name_says() -> None:
    faces = [(pieces(clusters(name)) or [])[0].face for name in ("直さ", "直김", "直")]

    assert faces == [lettering.JAPANESE, lettering.KOREAN, lettering.CHINESE]


def test_no_letter_is_drawn_as_an_empty_box() -> None:
    """JB39: of 2 000 random names, none that is written has the sign that fonts draw for what they lack."""
    rng = random.Random(seed := random.randrange(2**32))
    print(f"seed {seed}")
    for _ in range(2000):
        start = rng.choice((0x20, 0x300, 0x600, 0x900, 0x3000, 0x1F300, 0x10000))
        name = "".join(chr(start + rng.randrange(0x200)) for _ in range(8))
        for piece in pieces(written(name)) or []:
            font = lettering._font(piece.face, 24)
            box = bytes(font.getmask("\U0010fffd"))
            boxes = [
                char
                for char in piece.text
                if unicodedata.category(char)[0] in "LNPS" and bytes(font.getmask(char)) == box
            ]
            assert not boxes, (ascii(name), piece)


@pytest.mark.parametrize("name", ["\ud800", "a" * 100_000, "\u0301" * 500, "\u200d" * 50, "🇩" * 31, "\x00", "\u202e"])
def test_odd_names_are_drawn_too(name: str) -> None:
    picture = Image.new("RGB", (400, 300))

    assert ImageChops.difference(picture, stamp(picture, name)).getbbox()
