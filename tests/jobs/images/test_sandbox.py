from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from jobs.errors import ImageInvalid, ProviderFailed
from jobs.images.decode import Limits
from jobs.images.sandbox import PictureWorkers
from jobs.images.studio.sketch import Sketch
from jobs.images.wire import StepPainted
from tests.jobs.images.conftest import Encode

pytestmark = pytest.mark.anyio

SKETCH = Sketch(prompt="a fox", seed=1, width_px=256, height_px=256)
LARGE_SKETCH = Sketch(prompt="a fox", seed=1, width_px=2048, height_px=2048)


@pytest.fixture
async def pictures() -> AsyncIterator[PictureWorkers]:
    workers = PictureWorkers()
    async with workers:
        yield workers
        pids = workers.pids
    assert not any(is_running(pid) for pid in pids)


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_facts_and_variants_come_back(pictures: PictureWorkers, encode: Encode, photo: Image.Image) -> None:
    content = encode(photo)

    facts = await pictures.inspect(content)
    variants = await pictures.variants(content, "Ada", generated=True)

    assert (facts.content_type, facts.width_px, facts.size_bytes) == ("image/png", 400, len(content))
    assert [variant.kind for variant in variants] == ["thumbnail", "icon", "display"]
    assert len(pictures.pids) == 1


async def test_refusal_keeps_its_code_and_sentence(pictures: PictureWorkers) -> None:
    with pytest.raises(ImageInvalid, match="The file is empty") as refusal:
        await pictures.inspect(b"")

    assert (refusal.value.code, refusal.value.charged) == ("IMAGE_INVALID", "no")


async def test_limits_reach_the_child(encode: Encode, photo: Image.Image) -> None:
    async with PictureWorkers(limits=Limits(max_pixels=100)) as pictures:
        with pytest.raises(ImageInvalid, match="the 100 that are taken") as refusal:
            await pictures.variants(encode(photo), "Ada", generated=False)

    assert refusal.value.code == "IMAGE_TOO_LARGE"


async def test_picture_after_a_killed_child_gets_a_fresh_one(
    pictures: PictureWorkers, encode: Encode, photo: Image.Image
) -> None:
    await pictures.inspect(encode(photo))
    [pid] = pictures.pids
    os.kill(pid, signal.SIGKILL)

    facts = await pictures.inspect(encode(photo))

    assert facts.width_px == 400
    assert pid not in pictures.pids


async def test_child_killed_while_drawing_fails_that_drawing_alone(pictures: PictureWorkers) -> None:
    def kill(_step: StepPainted) -> None:
        [pid] = pictures.pids
        os.kill(pid, signal.SIGKILL)

    with pytest.raises(ProviderFailed, match="stopped"):
        await pictures.draw(LARGE_SKETCH, kill)

    assert (await pictures.draw(SKETCH, lambda _: None)).startswith(b"\x89PNG")


async def test_picture_past_the_deadline_is_refused_and_its_child_killed(encode: Encode, photo: Image.Image) -> None:
    async with PictureWorkers(deadline_s=0.001) as pictures:
        with pytest.raises(ImageInvalid, match="takes longer than"):
            await pictures.inspect(encode(photo.resize((4000, 4000))))

        assert pictures.pids == frozenset()


async def test_cancelling_leaves_nothing_running(pictures: PictureWorkers) -> None:
    started = asyncio.Event()
    drawing = asyncio.create_task(pictures.draw(LARGE_SKETCH, lambda _: started.set()))
    await started.wait()
    [pid] = pictures.pids

    drawing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing

    assert not is_running(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a limit on memory")
async def test_bomb_meets_the_memory_limit_of_its_child(corpus: Path, encode: Encode, photo: Image.Image) -> None:
    bomb = (corpus / "gen-bomb-1bit-20000x20000.png").read_bytes()
    credulous = Limits(max_pixels=2**31, max_side_px=2**31 - 1)
    async with PictureWorkers(limits=credulous, memory_bytes=256 * 1024**2) as pictures:
        with pytest.raises(ImageInvalid) as refusal:
            await pictures.variants(bomb, "Ada", generated=False)

        assert refusal.value.code == "IMAGE_TOO_LARGE"
        assert "more memory" in refusal.value.detail
        assert (await pictures.inspect(encode(photo))).width_px == 400


async def test_child_is_replaced_after_its_share_of_pictures(encode: Encode, photo: Image.Image) -> None:
    content = encode(photo)
    async with PictureWorkers(pictures_per_child=2) as pictures:
        pids = []
        for _ in range(3):
            await pictures.inspect(content)
            pids.append(pictures.pids)

    assert len(pids[0]) == 1
    assert pids[1] == frozenset()
    assert len(pids[2]) == 1
    assert pids[2] != pids[0]


async def test_pictures_are_worked_on_side_by_side(encode: Encode, photo: Image.Image) -> None:
    content = encode(photo)
    async with PictureWorkers(processes=2) as pictures:
        await asyncio.gather(*(pictures.inspect(content) for _ in range(6)))

        assert len(pictures.pids) == 2


async def test_child_is_deaf_to_ctrl_c(pictures: PictureWorkers, encode: Encode, photo: Image.Image) -> None:
    await pictures.inspect(encode(photo))
    [pid] = pictures.pids

    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    await pictures.inspect(encode(photo))

    assert pictures.pids == {pid}
    assert os.getpgid(pid) != os.getpgid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_child_knows_no_secrets(
    pictures: PictureWorkers, encode: Encode, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    await pictures.inspect(encode(photo))
    [pid] = pictures.pids

    assert b"sk-secret" not in environment_of(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a limit on memory")
async def test_child_that_cannot_start_is_no_fault_of_the_picture(encode: Encode, photo: Image.Image) -> None:
    async with PictureWorkers(memory_bytes=1024**2) as pictures:
        with pytest.raises(RuntimeError, match="does not start"):
            await pictures.inspect(encode(photo))

        assert pictures.pids == frozenset()


PARENT = """
import asyncio
from jobs.images.sandbox import PictureWorkers
from jobs.images.studio.sketch import Sketch

async def main():
    async with PictureWorkers() as pictures:
        sketch = Sketch(prompt="a fox", seed=1, width_px=2048, height_px=2048)
        await pictures.draw(sketch, lambda step: print(*pictures.pids, flush=True))

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="waits on a pidfd")
async def test_child_ends_when_its_parent_is_killed_while_it_draws() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = os.pidfd_open(int(await parent.stdout.readline()))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(child, ended.set)

    parent.kill()

    async with asyncio.timeout(20):
        await ended.wait()
    asyncio.get_running_loop().remove_reader(child)
    os.close(child)
    await parent.communicate()
