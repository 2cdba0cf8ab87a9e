"""What Google offers and charges: rows, not code."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from jobs.providers.port import Model

AS_OF: Final = "2026-11-22"
PRICES: Final = "https://ai.google.dev/gemini-api/docs/pricing"
IMAGEN_IS_GONE: Final = "https://firebase.google.com/docs/ai-logic/imagen-models-migration"

USUAL_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
ALL_RATIOS = (*USUAL_RATIOS, "1:4", "4:1", "1:8", "8:1")
IMAGEN_RATIOS = ("1:1", "3:4", "4:3", "9:16", "16:9")

RESOLUTIONS = {"512": 512, "1K": 1024, "2K": 2048, "4K": 4096}
"""The side in pixels of a square one."""


class _Tokens(msgspec.Struct, frozen=True, rename="camel"):
    modality: str
    token_count: int


class _Usage(msgspec.Struct, frozen=True, rename="camel"):
    prompt_token_count: int
    candidates_token_count: int
    candidates_tokens_details: tuple[_Tokens, ...]
    thoughts_token_count: int = 0


class Rates(msgspec.Struct, frozen=True):
    """US dollars for a million tokens, and for a picture by its resolution."""

    taken: float
    text_out: float
    image_out: float
    per_picture: dict[str, float]

    def cost_usd(self, usage: Any) -> float | None:
        """From an answer's `usageMetadata`; None when it is missing or does not tell pictures from words."""
        try:
            tokens = msgspec.convert(usage, _Usage)
        except msgspec.ValidationError:
            return None
        drawn = sum(detail.token_count for detail in tokens.candidates_tokens_details if detail.modality == "IMAGE")
        written = max(0, tokens.candidates_token_count - drawn) + tokens.thoughts_token_count
        spent = tokens.prompt_token_count * self.taken + written * self.text_out + drawn * self.image_out
        return spent / 1_000_000


def estimate_usd(model: Model, resolution: str | None) -> float | None:
    """Of one picture, without what goes in."""
    rates = RATES.get(model.id)
    return rates.per_picture.get(resolution or "1K") if rates else model.price_usd


def _gemini(
    model_id: str, label: str, *, ratios: tuple[str, ...], resolutions: tuple[str, ...], price_usd: float | None
) -> Model:
    return Model(
        id=model_id,
        label=label,
        aspect_ratios=ratios,
        qualities=resolutions,
        min_side_px=512,
        max_side_px=max((RESOLUTIONS[name] for name in resolutions), default=1024),
        max_images=4,
        per_call=1,
        seed=True,
        previous_image=True,
        price_usd=price_usd,
        as_of=AS_OF,
        source=PRICES,
    )


def _imagen(model_id: str, label: str, replacement: str) -> Model:
    return Model(
        id=model_id,
        label=label,
        aspect_ratios=IMAGEN_RATIOS,
        min_side_px=1024,
        max_side_px=1408,
        max_images=4,
        max_prompt_characters=2_000,  # 480 tokens
        price_usd=None,
        as_of=AS_OF,
        source=IMAGEN_IS_GONE,
        retired_at="2026-08-17",
        replacement=replacement,
    )


RATES = {
    "gemini-3.1-flash-image": Rates(
        taken=0.5, text_out=3.0, image_out=60.0, per_picture={"512": 0.045, "1K": 0.067, "2K": 0.101, "4K": 0.151}
    ),
    "gemini-3-pro-image": Rates(
        taken=2.0, text_out=12.0, image_out=120.0, per_picture={"1K": 0.134, "2K": 0.134, "4K": 0.24}
    ),
}

MODELS: tuple[Model, ...] = (
    _gemini(
        "gemini-3.1-flash-image",
        "Gemini 3.1 Flash Image",
        ratios=ALL_RATIOS,
        resolutions=("512", "1K", "2K", "4K"),
        price_usd=0.067,
    ),
    _gemini(
        "gemini-3-pro-image",
        "Gemini 3 Pro Image",
        ratios=USUAL_RATIOS,
        resolutions=("1K", "2K", "4K"),
        price_usd=0.134,
    ),
    _gemini(
        "gemini-3.1-flash-lite-image",
        "Gemini 3.1 Flash-Lite Image",
        ratios=USUAL_RATIOS,
        resolutions=(),
        price_usd=None,
    ),
    _imagen("imagen-4.0-generate-001", "Imagen 4", "gemini-3.1-flash-image"),
    _imagen("imagen-4.0-ultra-generate-001", "Imagen 4 Ultra", "gemini-3-pro-image"),
    _imagen("imagen-4.0-fast-generate-001", "Imagen 4 Fast", "gemini-3.1-flash-image"),
)
