"""What fal hosts and charges: rows, not code. Any other model can be named, too; what it costs is not known then."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from jobs.providers.port import Model

AS_OF: Final = "2026-05-11"
PRICES: Final = "https://fal.ai/pricing"

KONTEXT_RATIOS = ("1:1", "21:9", "16:9", "4:3", "3:2", "2:3", "3:4", "9:16", "9:21")


class Offer(msgspec.Struct, frozen=True):
    model: Model
    source: str | None = None
    """The input that takes the address of the picture to start from."""
    source_model: str | None = None
    """The model that starts from a picture, where that is another one."""
    usd_per_megapixel: float | None = None
    """Each one that has begun."""

    def cost_usd(self, images: list[Any]) -> float | None:
        """None when a side is missing, which is not 0."""
        if self.usd_per_megapixel is None:
            return None if self.model.price_usd is None else self.model.price_usd * len(images)
        total = 0.0
        for image in images:
            width, height = (image.get("width"), image.get("height")) if isinstance(image, dict) else (None, None)
            if not isinstance(width, int) or not isinstance(height, int):
                return None
            total += self.usd_per_megapixel * math.ceil(width * height / 1_048_576)
        return total


def _flux(model_id: str, label: str, price_usd: float, **more: Any) -> Model:
    return Model(
        id=model_id,
        label=label,
        min_side_px=256,
        max_side_px=1536,
        max_images=4,
        seed=True,
        price_usd=price_usd,
        as_of=AS_OF,
        source=PRICES,
        **more,
    )


OFFERS: Final = (
    Offer(_flux("fal-ai/flux/schnell", "FLUX.1 schnell", 0.003), usd_per_megapixel=0.003),
    Offer(
        _flux("fal-ai/flux/dev", "FLUX.1 dev", 0.025, previous_image=True),
        source="image_url",
        source_model="fal-ai/flux/dev/image-to-image",
        usd_per_megapixel=0.025,
    ),
    Offer(_flux("fal-ai/flux-pro/v1.1", "FLUX 1.1 pro", 0.04), usd_per_megapixel=0.04),
    Offer(
        _flux("fal-ai/flux-pro/kontext", "FLUX.1 Kontext pro", 0.04, previous_image=True, aspect_ratios=KONTEXT_RATIOS),
        source="image_url",
    ),
)
ANY: Final = Offer(
    Model(
        id="*",
        label="Any other model",
        max_images=4,
        seed=True,
        price_usd=None,
        as_of="2026-11-22",
        source="https://fal.ai/models",
    )
)
