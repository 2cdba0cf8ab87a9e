"""The account's name in the corner of a display picture: white on a dark plate, so that it reads on any picture."""

from __future__ import annotations

from PIL import Image, ImageDraw

from jobs.images.lettering import Piece, clusters, pieces, width_px, write

FALLBACK = "Made with Easel"
LONGEST_NAME = 40  # letters
SMALLEST_TEXT_PX = 12
PLATE, INK = (12, 12, 16, 192), (255, 255, 255, 245)


def stamp(image: Image.Image, name: str) -> Image.Image:
    """A copy with `name` at the bottom right, or the image itself when the name is empty or the picture too small."""
    if not name.strip():
        return image
    text_px = max(SMALLEST_TEXT_PX, round(max(image.size) / 50))
    margin_px, pad_px, height_px = round(text_px * 0.8), round(text_px * 0.5), round(text_px * 1.9)
    line = _fitting(name, image.width - 2 * (margin_px + pad_px), text_px)
    if not line or height_px + margin_px > image.height:
        return image

    plate_px = round(width_px(line, text_px)) + 2 * pad_px
    plate = Image.new("RGBA", (plate_px, height_px))
    draw = ImageDraw.Draw(plate)
    draw.rounded_rectangle((0, 0, plate_px - 1, height_px - 1), radius=height_px * 0.3, fill=PLATE)
    write(draw, pad_px, round(text_px * 1.3), line, text_px, INK)
    left, top = image.width - margin_px - plate_px, image.height - margin_px - height_px
    under = image.crop((left, top, left + plate_px, top + height_px)).convert("RGBA")
    stamped = image.copy()
    stamped.paste(Image.alpha_composite(under, plate).convert(image.mode), (left, top))
    return stamped


def written(name: str) -> list[str]:
    """The letters of the name that are written; fancy forms as plain ones where no font has them. A name with a letter
    that none has would become somebody else's: FALLBACK is written instead."""
    for form in ("NFC", "NFKC"):
        letters = clusters(name, form)
        if pieces(letters):
            return letters
    return list(FALLBACK)


def _fitting(name: str, most_px: int, text_px: int) -> list[Piece]:
    """Cut to LONGEST_NAME letters and `most_px`, with an ellipsis for what is missing; empty when nothing fits."""
    letters = written(name)
    line = pieces(letters) or []
    if len(letters) <= LONGEST_NAME and width_px(line, text_px) <= most_px:
        return line
    for length in range(min(len(letters) - 1, LONGEST_NAME), 0, -1):
        line = pieces([*_stripped(letters[:length]), "…"]) or []
        if width_px(line, text_px) <= most_px:
            return line
    return []


def _stripped(letters: list[str]) -> list[str]:
    while letters and letters[-1].isspace():
        letters = letters[:-1]
    return letters
