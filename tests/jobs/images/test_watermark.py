from __future__ import annotations

import pytest
from PIL import Image, ImageChops

from jobs.images.watermark import FALLBACK, drawable, stamp


@pytest.mark.parametrize("colour", ["white", "black", "grey"])
def test_name_stands_out_at_the_bottom_right_of_any_picture(colour: str) -> None:
    picture = Image.new("RGB", (800, 600), colour)

    stamped = stamp(picture, "Ada Lovelace")

    box = ImageChops.difference(picture, stamped).getbbox()
    assert box is not None
    assert box[0] > 400
    assert box[1] > 500
    levels = stamped.crop(box).convert("L").histogram()
    assert any(levels[:110])
    assert any(levels[210:])


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_mode_and_size_stay(mode: str) -> None:
    stamped = stamp(Image.new(mode, (300, 200)), "Ada")

    assert (stamped.mode, stamped.size) == (mode, (300, 200))


def test_long_name_is_shortened_to_the_picture() -> None:
    picture = Image.new("RGB", (120, 120), "white")

    box = ImageChops.difference(picture, stamp(picture, "A very long name " * 10)).getbbox()

    assert box is not None
    assert box[0] > 0


@pytest.mark.parametrize(("name", "size"), [("", (400, 400)), ("  ", (400, 400)), ("Ada", (12, 12)), ("Ada", (400, 8))])
def test_no_name_or_no_room_leaves_the_picture_alone(name: str, size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size)

    assert stamp(picture, name) is picture


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ada", "Ada"),
        ("José Müller-Łukasz", "Jose Muller-Lukasz"),
        ("Ada 🎨", "Ada"),
        ("Straße\n\tÆon", "Strasse AEon"),
        ("Олег", FALLBACK),
        ("李明 Li", FALLBACK),
        ("🎨", FALLBACK),
    ],
)
def test_name_is_written_in_letters_the_font_has(name: str, written: str) -> None:
    assert drawable(name) == written
