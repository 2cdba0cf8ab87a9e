"""The account's name in the corner of a display picture: white on a dark plate, so that it reads on any picture."""

from __future__ import annotations

import unicodedata

from PIL import Image, ImageDraw, ImageFont

FALLBACK = "Made with Easel"
LONGEST_NAME = 40
SMALLEST_TEXT_PX = 10  # below it the letters of the built-in font run together

# Letters that Unicode does not take apart into a base letter and an accent.
_SPELLED_OUT = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i", "’": "'", "‘": "'", "–": "-", "—": "-"}
)


def stamp(image: Image.Image, name: str) -> Image.Image:
    """A copy with `name` at the bottom right, or the image itself when the name is empty or the picture too small."""
    if not name.strip():
        return image
    text_px = max(SMALLEST_TEXT_PX, round(max(image.size) / 50))
    font = ImageFont.load_default(text_px)
    assert isinstance(font, ImageFont.FreeTypeFont)  # the bitmap font comes only without FreeType
    margin_px, pad_px = round(text_px * 0.8), round(text_px * 0.5)
    text = _shortened(drawable(name), font, image.width - 2 * (margin_px + pad_px))
    width_px, height_px = round(font.getlength(text)) + 2 * pad_px, round(text_px * 1.8)
    if not text or height_px + margin_px > image.height:
        return image

    plate = Image.new("RGBA", (width_px, height_px))
    draw = ImageDraw.Draw(plate)
    draw.rounded_rectangle((0, 0, width_px - 1, height_px - 1), radius=height_px * 0.3, fill=(12, 12, 16, 160))
    draw.text((width_px / 2, height_px / 2), text, font=font, anchor="mm", fill=(255, 255, 255, 240))
    left, top = image.width - margin_px - width_px, image.height - margin_px - height_px
    under = image.crop((left, top, left + width_px, top + height_px)).convert("RGBA")
    stamped = image.copy()
    stamped.paste(Image.alpha_composite(under, plate).convert(image.mode), (left, top))
    return stamped


def drawable(name: str) -> str:
    """The name in the letters that the built-in font has (ASCII): accents go, emoji go. A name in another script would
    lose letters and become somebody else's: FALLBACK is written instead."""
    plain = unicodedata.normalize("NFKD", name.translate(_SPELLED_OUT))
    if any(ord(char) > 126 and unicodedata.category(char)[0] in "LN" for char in plain):
        return FALLBACK
    words = "".join(char for char in plain if ord(char) < 127 and (char.isprintable() or char.isspace())).split()
    return " ".join(words) or FALLBACK


def _shortened(text: str, font: ImageFont.FreeTypeFont, width_px: float) -> str:
    """Cut to LONGEST_NAME characters and `width_px`, with three dots for what is missing; empty when nothing fits."""
    if len(text) <= LONGEST_NAME and font.getlength(text) <= width_px:
        return text
    for length in range(min(len(text) - 1, LONGEST_NAME), 0, -1):
        cut = text[:length].rstrip() + "..."
        if font.getlength(cut) <= width_px:
            return cut
    return ""
