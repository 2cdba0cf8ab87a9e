from __future__ import annotations

import hashlib
from io import BytesIO
from random import Random

import pytest
from PIL import Image, ImageStat

from jobs.images.sandbox import PictureWorkers
from jobs.images.studio.painting import PREVIEW_SIDE_PX, paint
from jobs.images.studio.palette import PALETTES, Palette, choose_palette
from jobs.images.studio.sketch import Sketch

PROMPTS = ("snowy mountains", "a lake at night", "desert dunes", "a neon city", "abstract silk", "waves", "xyzzy")


def drawn(prompt: str, seed: int = 1, size: tuple[int, int] = (192, 128)) -> bytes:
    painting = paint(Sketch(prompt=prompt, seed=seed, width_px=size[0], height_px=size[1]))
    for _ in painting.steps():
        pass
    return painting.png()


def opened(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize("prompt", PROMPTS)
def test_same_sketch_gives_the_same_bytes(prompt: str) -> None:
    assert drawn(prompt) == drawn(prompt)


@pytest.mark.anyio
@pytest.mark.parametrize("prompt", ["a lake at night", "a neon city"])
async def test_same_sketch_gives_the_same_bytes_in_every_process(prompt: str) -> None:
    sketch = Sketch(prompt=prompt, seed=1, width_px=192, height_px=128)
    digests = set()
    for _ in range(2):
        async with PictureWorkers() as pictures:
            digests.add(hashlib.sha256(await pictures.draw(sketch, lambda _: None)).hexdigest())

    assert digests == {hashlib.sha256(drawn(prompt)).hexdigest()}


def test_prompt_and_seed_each_change_the_picture() -> None:
    pictures = {drawn("a fox", seed=1), drawn("a fox", seed=2), drawn("a red fox", seed=1)}

    assert len(pictures) == 3


@pytest.mark.parametrize("size", [(64, 64), (2048, 64), (64, 2048), (131, 77)])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_size_is_kept(prompt: str, size: tuple[int, int]) -> None:
    assert opened(drawn(prompt, size=size)).size == size


@pytest.mark.parametrize("prompt", PROMPTS)
def test_steps_are_visible_and_end_with_the_picture(prompt: str) -> None:
    painting = paint(Sketch(prompt=prompt, seed=1, width_px=640, height_px=400))

    steps = list(painting.steps())

    assert 8 <= len(steps) <= 12
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert {step.total for step in steps} == {len(steps)}
    assert len({step.preview for step in steps}) == len(steps)
    assert max(opened(steps[-1].preview).size) == PREVIEW_SIDE_PX
    finished = opened(painting.png())
    assert (finished.format, finished.size) == ("PNG", (640, 400))


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("seed", range(3))
def test_picture_is_neither_flat_nor_dark(prompt: str, seed: int) -> None:
    statistics = ImageStat.Stat(opened(drawn(prompt, seed)).convert("L"))

    assert statistics.stddev[0] > 12
    assert statistics.mean[0] > 15


@pytest.mark.parametrize("palette", PALETTES, ids=lambda palette: palette.name)
def test_every_palette_can_be_asked_for_by_its_name(palette: Palette) -> None:
    assert choose_palette(frozenset({palette.name}), Random(1)) is palette


def test_light_is_named_before_the_place() -> None:
    sunset, ocean = opened(drawn("sunset over the ocean")), opened(drawn("ocean"))

    assert ImageStat.Stat(sunset).mean[0] > ImageStat.Stat(ocean).mean[0]
