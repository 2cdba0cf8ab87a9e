"""What a prompt wishes for, in the words of a model: the nearest it offers. Whatever is changed is said in a sentence.

Pure. The sentences go into `said`, which becomes `Plan.adjustments`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Set

import msgspec

from jobs.errors import CapabilityUnsupported
from jobs.providers.port import Model, PromptSpec, Source


class Shape(msgspec.Struct, frozen=True):
    """As somebody asked for it: pixels of a size, or the two sides of a ratio."""

    width: float
    height: float
    in_pixels: bool
    text: str

    @property
    def ratio(self) -> float:
        return self.width / self.height


def wanted_shape(prompt: PromptSpec) -> Shape | None:
    """`size` goes before `aspect_ratio`; None: whatever the model likes. Raises CapabilityUnsupported."""
    if prompt.size and prompt.size != "auto":
        return _shape(prompt.size, r"([0-9]{1,5})[x×]([0-9]{1,5})", "size", "1024x768")
    if prompt.aspect_ratio and prompt.aspect_ratio != "auto":
        number = r"([0-9]{1,4}(?:\.[0-9]{1,4})?)"
        return _shape(prompt.aspect_ratio, f"{number}:{number}", "aspect ratio", "16:9")
    return None


def nearest_size(shape: Shape, sizes: Iterable[str], said: list[str]) -> str:
    """The same proportions count for more than the same number of pixels."""
    found = min(sizes, key=lambda size: _distance(shape, *_sides(size, "x")))
    width, height = _sides(found, "x")
    fits = shape.text == found if shape.in_pixels else math.isclose(shape.ratio, width / height, rel_tol=1e-3)
    if not fits:
        said.append(f"{shape.text} is not offered; {found} is used.")
    return found


def nearest_ratio(shape: Shape, ratios: Iterable[str], said: list[str]) -> str:
    found = min(ratios, key=lambda ratio: _distance(shape, *_sides(ratio, ":"))[0])
    across, down = _sides(found, ":")
    if not math.isclose(shape.ratio, across / down, rel_tol=1e-3):
        said.append(f"The shape {shape.text} is not offered; {found} is used.")
    elif shape.in_pixels:
        said.append(f"This model draws by ratio, not by pixels: {shape.text} becomes {found}.")
    return found


def words_of(model: Model, prompt: PromptSpec, said: list[str]) -> str:
    """The prompt with its style; what is to be avoided too, where the model has no other place for it.

    Raises CapabilityUnsupported when it is too long.
    """
    words = ", ".join((prompt.base_prompt, *prompt.style_modifiers))
    if prompt.negative_prompt and not model.negative_prompt:
        words = f"{words}\nAvoid: {prompt.negative_prompt}"
        said.append(f"{model.label} takes no negative prompt; “Avoid: …” is added to the prompt.")
    if len(words) > model.max_prompt_characters:
        raise CapabilityUnsupported(
            f"{model.label} takes prompts of up to {model.max_prompt_characters} characters, not {len(words)}."
        )
    return words


def check_capabilities(model: Model, prompt: PromptSpec) -> None:
    """Raises CapabilityUnsupported for what no adjustment can mend."""
    if not 1 <= prompt.n <= model.max_images:
        raise CapabilityUnsupported(f"{model.label} makes 1 to {model.max_images} pictures a run, not {prompt.n}.")
    if prompt.previous_image and not model.previous_image:
        raise CapabilityUnsupported(
            f"{model.label} cannot start from a picture. Choose another model, or take it away."
        )


def check_source(model: Model, source: Source, types: Set[str]) -> None:
    """Raises CapabilityUnsupported for a picture to start from that the vendor does not read."""
    if source.content_type not in types:
        offered = ", ".join(sorted(kind.removeprefix("image/").upper() for kind in types))
        kind = source.content_type.removeprefix("image/").upper()
        raise CapabilityUnsupported(f"{model.label} starts from {offered}, not from {kind}. Convert the picture first.")


def seed_within(largest: int, model: Model, prompt: PromptSpec, said: list[str]) -> int | None:
    """The seed, folded into what the vendor's field holds; None when there is none or no model takes it."""
    if prompt.seed is None:
        return None
    if not model.seed:
        said.append(f"{model.label} takes no seed: the picture cannot be made again exactly.")
        return None
    seed = prompt.seed % (largest + 1)
    if seed != prompt.seed:
        said.append(f"The seed {prompt.seed} is not offered; {seed} is used.")
    return seed


def _shape(text: str, pattern: str, kind: str, example: str) -> Shape:
    found = re.fullmatch(pattern, text.strip().lower())
    width, height = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not (found and width and height):
        raise CapabilityUnsupported(
            f"The {kind} {text[:40]!r} cannot be read. Use width and height, such as {example}."
        )
    in_pixels = kind == "size"
    shown = f"{found[1]}x{found[2]}" if in_pixels else f"{found[1]}:{found[2]}"
    return Shape(width, height, in_pixels, shown)


def _sides(text: str, between: str) -> tuple[float, float]:
    width, height = text.split(between)
    return float(width), float(height)


def _distance(shape: Shape, width: float, height: float) -> tuple[float, float]:
    stretch = abs(math.log(shape.ratio / (width / height)))
    growth = abs(math.log(shape.width * shape.height / (width * height))) if shape.in_pixels else 0.0
    return round(stretch, 6), growth
