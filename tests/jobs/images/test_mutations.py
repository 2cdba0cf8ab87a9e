"""Damaged pictures cost a refusal, whatever they are."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from jobs.errors import ImageInvalid
from jobs.images import sandbox
from jobs.images.sandbox import PictureWorkers
from tests.jobs.images.conftest import CORPUS, Encode, corpus_entries
from tests.jobs.images.mutations import mutated
from tests.jobs.images.test_memory import MOST_BYTES, noisy, peak_bytes

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

CHILDREN = 2
MOST_STALL_S = 0.05
LARGEST_SEED_BYTES = 100_000
TICK_S = 0.005


class Watch:
    def __init__(self) -> None:
        self.longest_stall_s = 0.0
        self.peak_bytes = 0
        self.children: set[int] = set()

    def look_at(self, pictures: PictureWorkers) -> None:
        for pid in pictures.pids:
            self.children.add(pid)
            if not is_gone(pid):
                self.peak_bytes = max(self.peak_bytes, peak_bytes(pid))


@asynccontextmanager
async def watched(pictures: PictureWorkers) -> AsyncIterator[Watch]:
    """Ticks on the loop: what lies between two of them, less what the machine gave to others, is how long it stood."""
    watch = Watch()

    async def tick() -> None:
        while True:
            before, waited = time.monotonic(), waited_for_cpu_s()
            await asyncio.sleep(TICK_S)
            late_s = time.monotonic() - before - TICK_S - (waited_for_cpu_s() - waited)
            watch.longest_stall_s = max(watch.longest_stall_s, late_s)

    task = asyncio.create_task(tick())
    try:
        yield watch
    finally:
        task.cancel()


def waited_for_cpu_s() -> float:
    """Of this thread, ready to run while the machine ran others (proc(5), schedstat)."""
    fields = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()
    return int(fields[1]) / 1e9


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}/exe").exists()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def sound_pictures(encode: Encode) -> list[bytes]:
    """Of every format and its odd kinds, and the corpus where it is."""
    colour, clear = noisy((90, 60)), noisy((90, 60), "RGBA")
    exif = Image.Exif()
    exif[0x0112] = 6
    more = [colour.rotate(angle) for angle in (90, 180)]
    made = [
        encode(colour, "PNG", exif=exif),
        encode(clear, "PNG"),
        encode(colour.quantize(16), "PNG"),
        encode(Image.new("I;16", (40, 40), 32896), "PNG"),
        encode(colour, "PNG", save_all=True, append_images=more),
        encode(colour, "JPEG", exif=exif, icc_profile=b"\x00" * 128),
        encode(colour, "JPEG", progressive=True, subsampling=0),
        encode(colour.convert("CMYK"), "JPEG"),
        encode(colour, "WEBP", exif=exif),
        encode(clear, "WEBP", lossless=True),
        encode(colour, "WEBP", save_all=True, append_images=more),
        encode(colour.quantize(16), "GIF", save_all=True, append_images=more),
        encode(colour, "AVIF", exif=exif),
        encode(clear, "AVIF"),
    ]
    corpus = (CORPUS / entry["file"] for entry in corpus_entries() if 0 < entry["bytes"] <= LARGEST_SEED_BYTES)
    return made + [path.read_bytes() for path in corpus]


@pytest.mark.parametrize(
    "count", [250, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(7200)], id="ten thousand")]
)
async def test_damaged_pictures_cost_a_refusal_and_nothing_else(
    encode: Encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """JB37, JB40"""
    seed = int(os.environ.get("EASEL_TEST_SEED", random.randrange(2**32)))
    print(f"EASEL_TEST_SEED={seed}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(sandbox, "INHERITED_ENVIRONMENT", (*sandbox.INHERITED_ENVIRONMENT, "TMPDIR"))
    sound, rng, outcomes = sound_pictures(encode), random.Random(seed), Counter[str]()
    numbers = iter(range(count))

    async def feed() -> None:
        for number in numbers:
            content = mutated(sound, rng)
            try:
                await pictures.inspect(content)
                variants = await pictures.variants(content, "Ada", generated=True)
                outcomes["three variants" if len(variants) == 3 else f"{len(variants)} variants"] += 1
            except ImageInvalid as refusal:
                outcomes[
                    refusal.detail if "decoder" in refusal.detail or " s to " in refusal.detail else refusal.code
                ] += 1
            except Exception as error:  # which of them: the next run needs it
                raise AssertionError(f"number {number} of EASEL_TEST_SEED={seed}") from error
            watch.look_at(pictures)

    files_before = open_files()
    started = time.monotonic()
    async with PictureWorkers(processes=CHILDREN) as pictures, watched(pictures) as watch:
        await asyncio.gather(*(feed() for _ in range(CHILDREN)))
        files_while = {file for pid in pictures.pids for file in os.listdir(f"/proc/{pid}/fd")}
    print(
        f"{count} in {time.monotonic() - started:.0f} s: {dict(outcomes)}; peak {watch.peak_bytes / 2**20:.0f} MiB, "
        f"longest stall {watch.longest_stall_s * 1000:.1f} ms, {len(watch.children)} children"
    )

    assert outcomes.total() == count
    assert set(outcomes) <= {"three variants", "IMAGE_INVALID", "IMAGE_TOO_LARGE"}
    assert len(outcomes) >= 2
    assert watch.peak_bytes < MOST_BYTES
    assert watch.longest_stall_s < MOST_STALL_S
    assert all(is_gone(pid) for pid in watch.children)
    assert open_files() == files_before
    assert len(files_while) <= 8
    assert not os.listdir(tmp_path)
