"""What OpenAI offers and charges: rows, not code."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from jobs.providers.port import Model
from jobs.providers.wishes import Shape

AS_OF: Final = "2026-11-22"
MODEL_PAGES: Final = "https://developers.openai.com/api/docs/models"

SIDE_STEP_PX: Final = 16
LONGEST_SIDE_PX: Final = 3840
FEWEST_PIXELS, MOST_PIXELS = 655_360, 3840 * 2160
WIDEST_RATIO: Final = 3.0
SQUARE_PIXELS: Final = 1024 * 1024

THREE_SIZES = ("1024x1024", "1536x1024", "1024x1536")
# The first is what is asked for when nobody says: "auto" may cost four times as much.
QUALITIES = ("medium", "low", "high", "auto")
FINE_QUALITIES = (*QUALITIES, "xhigh", "max")


class Rates(msgspec.Struct, frozen=True):
    """US dollars for a million tokens."""

    text_in: float
    image_in: float
    image_out: float


class _Taken(msgspec.Struct, frozen=True):
    text_tokens: int
    image_tokens: int


class _Usage(msgspec.Struct, frozen=True):
    input_tokens_details: _Taken
    output_tokens: int


class Offer(msgspec.Struct, frozen=True):
    model: Model
    rates: Rates | None = None
    """None: not known, so neither is what an answer has cost."""
    per_picture: dict[str, tuple[float, float]] = {}
    """US dollars of a square picture and of a wide or tall one, by quality, without what goes in."""
    is_free_size: bool = False
    """Any width and height, within limits."""

    def estimate_usd(self, quality: str | None, size: str | None) -> float | None:
        """Of one picture. Larger ones by their pixels; a source and drafts come on top, and are not known before."""
        prices = self.per_picture.get(quality or "")
        if prices is None:
            return None
        width, height = map(int, (size or "1024x1024").split("x"))
        square, other = prices
        is_usual = width * height <= math.prod((1536, 1024))
        return (square if width == height else other) if is_usual else square * width * height / SQUARE_PIXELS

    def cost_usd(self, usage: Any) -> float | None:
        """From an answer's `usage`; None when it is missing, which is not 0."""
        if self.rates is None:
            return None
        try:
            tokens = msgspec.convert(usage, _Usage)
        except msgspec.ValidationError:
            return None
        taken, rates = tokens.input_tokens_details, self.rates
        spent = taken.text_tokens * rates.text_in + taken.image_tokens * rates.image_in
        return (spent + tokens.output_tokens * rates.image_out) / 1_000_000


def free_size(shape: Shape, said: list[str]) -> str:
    """The nearest that gpt-image-2 and later draw: steps of 16 up to 3840, 1:3 to 3:1, 0.66 to 8.3 megapixels."""
    ratio = min(max(shape.ratio, 1 / WIDEST_RATIO), WIDEST_RATIO)
    pixels = shape.width * shape.height if shape.in_pixels else float(SQUARE_PIXELS)
    pixels = min(max(pixels, FEWEST_PIXELS), MOST_PIXELS)
    longest = max(math.sqrt(pixels * ratio), math.sqrt(pixels / ratio))
    pixels *= min(1.0, LONGEST_SIDE_PX / longest) ** 2
    width, height = _stepped(math.sqrt(pixels * ratio)), _stepped(math.sqrt(pixels / ratio))
    while max(width, height) > WIDEST_RATIO * min(width, height) or width * height > MOST_PIXELS:
        width, height = (width - SIDE_STEP_PX, height) if width >= height else (width, height - SIDE_STEP_PX)
    while width * height < FEWEST_PIXELS:
        width, height = (width + SIDE_STEP_PX, height) if width <= height else (width, height + SIDE_STEP_PX)
    found = f"{width}x{height}"
    fits = found == shape.text if shape.in_pixels else math.isclose(width / height, shape.ratio, rel_tol=0.02)
    if not fits:
        said.append(f"{shape.text} is not offered; {found} is used.")
    return found


def _stepped(side: float) -> int:
    return max(SIDE_STEP_PX, round(side / SIDE_STEP_PX) * SIDE_STEP_PX)


def _gpt_image(
    model_id: str,
    label: str,
    *,
    rates: Rates | None = None,
    per_picture: dict[str, tuple[float, float]] | None = None,
    qualities: tuple[str, ...] = QUALITIES,
    is_free_size: bool = True,
    retired_at: str | None = None,
    replacement: str | None = None,
) -> Offer:
    model = Model(
        id=model_id,
        label=label,
        sizes=() if is_free_size else THREE_SIZES,
        qualities=qualities,
        min_side_px=480 if is_free_size else 1024,  # the short side of 655 360 pixels in 3:1
        max_side_px=LONGEST_SIDE_PX if is_free_size else 1536,
        max_images=10,
        previous_image=True,
        price_usd=per_picture[qualities[0]][0] if per_picture else None,
        as_of=AS_OF,
        source=f"{MODEL_PAGES}/{model_id.removesuffix('-2026-04-21')}",
        retired_at=retired_at,
        replacement=replacement,
    )
    return Offer(model, rates, per_picture or {}, is_free_size)


def _dall_e(number: int, sizes: tuple[str, ...], *, max_prompt: int, price_usd: float) -> Offer:
    return Offer(
        Model(
            id=f"dall-e-{number}",
            label=f"DALL·E {number}",
            sizes=sizes,
            qualities=("standard", "hd") if number == 3 else (),
            min_side_px=256 if number == 2 else 1024,
            max_side_px=1024 if number == 2 else 1792,
            max_images=10,
            per_call=1 if number == 3 else None,
            previous_image=number == 2,
            max_prompt_characters=max_prompt,
            price_usd=price_usd,
            as_of=AS_OF,
            source=f"{MODEL_PAGES}/dall-e-{number}",
            retired_at="2026-05-12",
            replacement="gpt-image-2",
        )
    )


GPT_IMAGE_2 = Rates(text_in=5.0, image_in=8.0, image_out=30.0)
GPT_IMAGE_2_PICTURES = {"low": (0.006, 0.005), "medium": (0.053, 0.041), "high": (0.211, 0.165)}
GPT_IMAGE_1_5 = Rates(text_in=5.0, image_in=8.0, image_out=32.0)
GPT_IMAGE_1_5_PICTURES = {"low": (0.009, 0.013), "medium": (0.034, 0.050), "high": (0.133, 0.200)}
GPT_IMAGE_1_MINI = Rates(text_in=2.0, image_in=2.5, image_out=8.0)
GPT_IMAGE_1_MINI_PICTURES = {"low": (0.005, 0.006), "medium": (0.011, 0.015), "high": (0.036, 0.052)}
GPT_IMAGE_1 = Rates(text_in=5.0, image_in=10.0, image_out=40.0)
GPT_IMAGE_1_PICTURES = {"low": (0.011, 0.016), "medium": (0.042, 0.063), "high": (0.167, 0.25)}

OFFERS: tuple[Offer, ...] = (
    _gpt_image("gpt-image-2", "GPT Image 2", rates=GPT_IMAGE_2, per_picture=GPT_IMAGE_2_PICTURES),
    _gpt_image(
        "gpt-image-2-2026-04-21", "GPT Image 2 (April 2026)", rates=GPT_IMAGE_2, per_picture=GPT_IMAGE_2_PICTURES
    ),
    _gpt_image("gpt-image-2.6-sunburst", "GPT Image 2.6 Sunburst", rates=GPT_IMAGE_2),
    _gpt_image("gpt-image-2.6-flare", "GPT Image 2.6 Flare"),
    _gpt_image("gpt-image-2.5-sunburst", "GPT Image 2.5 Sunburst", rates=GPT_IMAGE_2, qualities=FINE_QUALITIES),
    _gpt_image("gpt-image-2.5-flare", "GPT Image 2.5 Flare", qualities=FINE_QUALITIES),
    _gpt_image(
        "gpt-image-1.5", "GPT Image 1.5", rates=GPT_IMAGE_1_5, per_picture=GPT_IMAGE_1_5_PICTURES, is_free_size=False
    ),
    _gpt_image(
        "gpt-image-1-mini",
        "GPT Image 1 mini",
        rates=GPT_IMAGE_1_MINI,
        per_picture=GPT_IMAGE_1_MINI_PICTURES,
        is_free_size=False,
    ),
    _gpt_image("chatgpt-image-latest", "ChatGPT's image model", is_free_size=False),
    _gpt_image(
        "gpt-image-1",
        "GPT Image 1",
        rates=GPT_IMAGE_1,
        per_picture=GPT_IMAGE_1_PICTURES,
        is_free_size=False,
        retired_at="2026-10-23",
        replacement="gpt-image-2",
    ),
    _dall_e(3, ("1024x1024", "1792x1024", "1024x1792"), max_prompt=4_000, price_usd=0.04),
    _dall_e(2, ("1024x1024", "512x512", "256x256"), max_prompt=1_000, price_usd=0.02),
)
