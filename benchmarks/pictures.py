"""W8: three variants of a photograph of 12 million pixels, beside sharp: the same sizes, one core each."""

import asyncio
import os
import random
import re
import subprocess
import time
from io import BytesIO
from pathlib import Path
from statistics import mean

import msgspec
from PIL import Image

from benchmarks import machine
from benchmarks.bench import Bench
from benchmarks.errors import BenchmarkError
from benchmarks.results import Row
from jobs.images.sandbox import PictureWorkers
from jobs.images.watermark import stamp

SIZE = (4000, 3000)
ROUNDS, PICTURES_A_ROUND = 10, 3
FORMATS = ("webp", "jpeg")
NAME = "Ada Lovelace"
SCRIPT = Path(__file__).with_name("sharp_variants.mjs")


class Measured(msgspec.Struct, frozen=True):
    times_ms: list[float]
    cpu_ms: float
    """Of one picture."""
    peak_mb: float


def measure_variants(bench: Bench) -> None:
    """Rounds of each in turn, so that what disturbs the machine disturbs all of them."""
    photo, mark = bench.harness.work / "photo.jpg", bench.harness.work / "mark.png"
    photo.write_bytes(photograph())
    _mark().save(mark)
    measured: dict[tuple[str, str], list[Measured]] = {}
    for _ in range(ROUNDS):
        machine.wait_until_quiet()
        measured.setdefault(("easel", ""), []).append(asyncio.run(_easel(photo.read_bytes())))
        for format_ in FORMATS if not bench.chosen_peers or "sharp" in bench.chosen_peers else ():
            sharp = _sharp(bench.harness.work / "node", photo, mark, format_)
            measured.setdefault(("sharp", format_), []).append(sharp)
    for (contender, case), rounds in measured.items():
        bench.results.add(Row("W8", contender, _figures(rounds), case=case))


def _figures(rounds: list[Measured]) -> dict[str, float | None]:
    times = [time_ms for each in rounds for time_ms in each.times_ms]
    return {
        "mean_ms": round(mean(times), 1),
        "best_ms": round(min(times), 1),
        "cpu_ms": round(min(each.cpu_ms for each in rounds), 1),
        "peak_mb": round(max(each.peak_mb for each in rounds), 1),
    }


async def _easel(content: bytes) -> Measured:
    """As a worker does it: in a child process, over its pipes, with the blur previews and the mark of a model."""
    async with PictureWorkers() as pictures:
        await pictures.variants(content, NAME, generated=True)
        [pid] = pictures.pids
        os.sched_setaffinity(pid, {machine.SERVER_CORE})
        cpu_before, times = machine.cpu_s([pid]), []
        for _ in range(PICTURES_A_ROUND):
            started = time.perf_counter()
            await pictures.variants(content, NAME, generated=True)
            times.append((time.perf_counter() - started) * 1000)
        cpu_ms = (machine.cpu_s([pid]) - cpu_before) * 1000 / PICTURES_A_ROUND
        return Measured(times, cpu_ms, _peak_mb(pid))


def _sharp(folder: Path, photo: Path, mark: Path, format_: str) -> Measured:
    command = ["taskset", "-c", str(machine.SERVER_CORE), "node", str(SCRIPT), str(photo), str(mark), format_]
    done = subprocess.run(  # noqa: S603 - our own script
        [*command, str(PICTURES_A_ROUND)], capture_output=True, text=True, check=False, cwd=folder
    )
    if done.returncode:
        raise BenchmarkError(f"sharp did not make its variants: {done.stderr.strip()[-600:]}")
    return msgspec.json.decode(done.stdout, type=Measured)


def _peak_mb(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def photograph() -> bytes:
    """Noise of several scales, always the same: as many bytes as a phone's photograph has."""
    rng = random.Random(1)  # noqa: S311 - a picture, not a secret
    image = Image.new("RGB", SIZE, "grey")
    for cells, share in ((8, 0.5), (32, 0.4), (128, 0.3), (512, 0.2), (2048, 0.2), (4096, 0.1)):
        small = (SIZE[0] * cells // 4096, SIZE[1] * cells // 4096)
        noise = Image.frombytes("RGB", small, rng.randbytes(small[0] * small[1] * 3))
        image = Image.blend(image, noise.resize(SIZE, Image.Resampling.BICUBIC), share)
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=90, subsampling=2)
    return buffer.getvalue()


def _mark() -> Image.Image:
    """The same corner, ready made: sharp draws no text here."""
    return stamp(Image.new("RGB", (2000, 1500), "grey"), NAME).crop((1600, 1400, 2000, 1500))
