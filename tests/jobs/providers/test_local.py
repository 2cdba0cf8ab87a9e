from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from PIL import Image

from jobs.errors import CapabilityUnsupported
from jobs.images.sandbox import PictureWorkers
from jobs.providers.local import STUDIO, LocalProvider, size_of
from jobs.providers.port import Order, Picture, Progress, PromptSpec

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pictures() -> AsyncIterator[PictureWorkers]:
    async with PictureWorkers() as workers:
        yield workers


@pytest.fixture
def local(pictures: PictureWorkers) -> LocalProvider:
    return LocalProvider(pictures, pace_s=0)


async def generated(local: LocalProvider, prompt: PromptSpec) -> tuple[tuple[Picture, ...], list[Progress]]:
    reports: list[Progress] = []

    async def report(progress: Progress) -> None:
        reports.append(progress)

    async def woken(seconds: float) -> bool:
        raise AssertionError("it has nobody to wait for")

    return (await local.submit(Order("0" * 32, STUDIO, prompt, report, woken))).pictures, reports


def content_of(picture: Picture) -> bytes:
    assert picture.content is not None
    return picture.content


async def test_picture_has_the_size_and_the_seed_that_were_asked_for(local: LocalProvider) -> None:
    [picture], _ = await generated(local, PromptSpec("a fox", size="320x200", seed=7))

    assert picture.seed == 7
    with Image.open(BytesIO(content_of(picture))) as image:
        assert (image.format, image.size) == ("PNG", (320, 200))


async def test_same_prompt_seed_and_size_give_the_same_bytes(local: LocalProvider) -> None:
    prompt = PromptSpec("a fox", style_modifiers=("watercolour",), size="128x128", seed=7)

    [first], _ = await generated(local, prompt)
    [second], _ = await generated(local, prompt)

    assert first.content == second.content


async def test_style_modifiers_are_part_of_the_prompt(local: LocalProvider) -> None:
    [plain], _ = await generated(local, PromptSpec("a fox", size="128x128", seed=7))
    [styled], _ = await generated(local, PromptSpec("a fox", style_modifiers=("neon",), size="128x128", seed=7))

    assert plain.content != styled.content


async def test_without_a_seed_each_picture_is_another_and_tells_its_seed(local: LocalProvider) -> None:
    [first], _ = await generated(local, PromptSpec("a fox", size="64x64"))
    [second], _ = await generated(local, PromptSpec("a fox", size="64x64"))
    [again], _ = await generated(local, PromptSpec("a fox", size="64x64", seed=first.seed))

    assert first.seed != second.seed
    assert again.content == first.content


async def test_several_pictures_have_seeds_in_a_row_and_one_progress(local: LocalProvider) -> None:
    made, reports = await generated(local, PromptSpec("a fox", size="64x64", seed=7, n=3))

    assert [picture.seed for picture in made] == [7, 8, 9]
    assert len({picture.content for picture in made}) == 3
    percents = [progress.percent for progress in reports]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert reports[0].message.startswith("Picture 1 of 3: ")


async def test_each_step_is_reported_with_a_preview(local: LocalProvider) -> None:
    _, reports = await generated(local, PromptSpec("a fox", size="256x256", seed=7))

    assert [progress.step for progress in reports] == list(range(1, len(reports) + 1))
    assert all(progress.steps == len(reports) for progress in reports)
    assert all(progress.preview for progress in reports)


async def test_pace_is_spread_over_the_steps(pictures: PictureWorkers) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    await generated(LocalProvider(pictures, pace_s=6.0, pause=pause), PromptSpec("a fox", size="64x64"))

    assert sum(pauses) == pytest.approx(6.0)


async def test_cancelled_while_it_paces_it_leaves_nothing_running(pictures: PictureWorkers) -> None:
    paused = asyncio.Event()

    async def pause(seconds: float) -> None:
        paused.set()
        await asyncio.Event().wait()

    local = LocalProvider(pictures, pause=pause)
    before = asyncio.all_tasks()
    run = asyncio.create_task(generated(local, PromptSpec("a fox", size="2048x2048")))
    await paused.wait()

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (PromptSpec("a"), (1024, 1024)),
        (PromptSpec("a", size="64x2048"), (64, 2048)),
        (PromptSpec("a", size=" 800X600 "), (800, 600)),
        (PromptSpec("a", size="800x600", aspect_ratio="1:1"), (800, 600)),
        (PromptSpec("a", aspect_ratio="1:1"), (1024, 1024)),
        (PromptSpec("a", aspect_ratio="16:9"), (1368, 768)),
        (PromptSpec("a", aspect_ratio="2.35:1"), (1568, 664)),
        (PromptSpec("a", aspect_ratio="1:4"), (512, 2048)),
    ],
)
async def test_size(prompt: PromptSpec, expected: tuple[int, int]) -> None:
    assert size_of(STUDIO, prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "allowed"),
    [
        (PromptSpec("a", size="63x100"), "64 to 2048"),
        (PromptSpec("a", size="100x2049"), "64 to 2048"),
        (PromptSpec("a", size="large"), "1024x768"),
        (PromptSpec("a", size="1024"), "1024x768"),
        (PromptSpec("a", size="-64x64"), "1024x768"),
        (PromptSpec("a", aspect_ratio="wide"), "16:9"),
        (PromptSpec("a", aspect_ratio="0:9"), "1:4 to 4:1"),
        (PromptSpec("a", aspect_ratio="5:1"), "1:4 to 4:1"),
        (PromptSpec("a", n=0), "1 to 4"),
        (PromptSpec("a", n=5), "1 to 4"),
        (PromptSpec("a", seed=2**60), "seed"),
    ],
)
async def test_what_it_cannot_do_is_refused_with_what_it_can(
    local: LocalProvider, prompt: PromptSpec, allowed: str
) -> None:
    with pytest.raises(CapabilityUnsupported, match=allowed):
        await generated(local, prompt)
