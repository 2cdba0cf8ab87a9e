"""What Replicate hosts and charges: rows, not code. Any other model can be named; what it costs is not known then."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from jobs.providers.port import Model

AS_OF: Final = "2026-05-11"
PRICES: Final = "https://replicate.com/pricing"

FLUX_RATIOS = ("1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21")


class Offer(msgspec.Struct, frozen=True):
    """Each model names its inputs as it likes."""

    model: Model
    source: str | None = None
    """The input that takes the picture to start from."""
    count: str | None = None
    """The input for the number of pictures; without one a call makes one."""
    inputs: dict[str, Any] = {}
    """Sent along always."""
    usd_per_second: float | None = None

    def cost_usd(self, pictures: int, predict_time_s: object) -> float | None:
        if self.usd_per_second is not None:
            return self.usd_per_second * predict_time_s if isinstance(predict_time_s, int | float) else None
        return None if self.model.price_usd is None else self.model.price_usd * pictures


def _flux(name: str, label: str, price_usd: float | None, *, images: int = 1, has_source: bool = True) -> Model:
    return Model(
        id=f"black-forest-labs/{name}",
        label=label,
        aspect_ratios=FLUX_RATIOS,
        max_images=4,
        per_call=images,
        seed=True,
        previous_image=has_source,
        price_usd=price_usd,
        as_of=AS_OF,
        source=PRICES,
    )


OFFERS: Final = (
    Offer(
        _flux("flux-schnell", "FLUX.1 schnell", 0.003, images=4, has_source=False),
        count="num_outputs",
        inputs={"output_format": "png"},
    ),
    Offer(
        _flux("flux-dev", "FLUX.1 dev", 0.025, images=4),
        source="image",
        count="num_outputs",
        inputs={"output_format": "png"},
    ),
    Offer(_flux("flux-1.1-pro", "FLUX 1.1 pro", 0.04), source="image_prompt", inputs={"output_format": "png"}),
    Offer(_flux("flux-kontext-pro", "FLUX.1 Kontext pro", 0.04), source="input_image", inputs={"output_format": "png"}),
    Offer(
        Model(
            id="stability-ai/sdxl:7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc",
            label="SDXL 1.0",
            sizes=("1024x1024", "1152x896", "896x1152", "1216x832", "832x1216", "1344x768", "768x1344"),
            max_images=4,
            seed=True,
            negative_prompt=True,
            previous_image=True,
            price_usd=None,
            as_of=AS_OF,
            source=PRICES,
        ),
        source="image",
        count="num_outputs",
        usd_per_second=0.000975,  # an L40S
    ),
)
ANY: Final = Offer(
    Model(
        id="*",
        label="Any other model",
        max_images=4,
        per_call=1,
        seed=True,
        price_usd=None,
        as_of="2026-11-22",
        source="https://replicate.com/docs/reference/http",
    )
)
