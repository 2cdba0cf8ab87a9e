"""The process in which pictures are decoded and drawn: `python -m jobs.images.child <memory limit in bytes>`.

It takes requests on stdin and answers on stdout (`wire.py`) until stdin ends, which is also how it learns that its
parent was killed. It has no secrets (see the environment that `sandbox.py` gives it) and a ceiling on its memory.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO, assert_never

from jobs.errors import ImageInvalid
from jobs.images.decode import inspect
from jobs.images.grid import quarters
from jobs.images.studio.painting import paint
from jobs.images.variants import make_variants
from jobs.images.wire import (
    Draw,
    Drawn,
    Inspect,
    Inspected,
    MakeVariants,
    Quarter,
    Quartered,
    Ready,
    Refused,
    Reply,
    Request,
    StepPainted,
    VariantsMade,
    encode,
    read_frame,
    requests,
    write_frame,
)

NICENESS = 5  # a picture may wait a little longer, an edit on the canvas may not


def main() -> None:
    confine(memory_bytes=int(sys.argv[1]))
    source, out = _take_over_pipes()
    waiting: SimpleQueue[tuple[Request, bytes]] = SimpleQueue()
    Thread(target=_receive, args=(source, waiting), daemon=True).start()
    write_frame(out, encode(Ready()))
    while True:
        request, content = waiting.get()
        for reply in answer(request, content):
            write_frame(out, encode(reply))
        del content  # 50 MiB, while the next one comes in


def confine(memory_bytes: int) -> None:
    # Ctrl-C and SIGTERM are the parent's to handle: it lets a picture finish and then closes our stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(NICENESS)
    if sys.platform == "linux":  # macOS knows the limit and does not keep it
        import resource  # noqa: PLC0415  # not on every platform

        # Not RLIMIT_AS: it counts what is only reserved, such as threads' stacks, and code that is shared.
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold somebody's picture


def answer(request: Request, content: bytes) -> Iterator[Reply]:
    """The last reply ends the request; only StepPainted comes before it."""
    try:
        match request:
            case Inspect(limits=limits):
                yield Inspected(inspect(content, limits))
            case MakeVariants(limits=limits, watermark=watermark, generated=generated):
                yield VariantsMade(make_variants(content, watermark, limits, generated=generated))
            case Quarter(limits=limits):
                yield Quartered(quarters(content, limits))
            case Draw(sketch=sketch):
                painting = paint(sketch)
                for step in painting.steps():
                    yield StepPainted(step.message, step.number, step.total, step.preview)
                yield Drawn(painting.png())
            case _:
                assert_never(request)
    except ImageInvalid as error:
        yield Refused(code=error.code, detail=error.detail)


def _take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """stdin and stdout for frames alone: what a library prints goes to stderr."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, out


def _receive(source: BinaryIO, waiting: SimpleQueue[tuple[Request, bytes]]) -> None:
    """Runs beside the decoding, so that the end of stdin ends a decode under way as well."""
    try:
        while True:
            waiting.put((requests.decode(read_frame(source)), read_frame(source)))
    except EOFError:
        os._exit(0)


if __name__ == "__main__":
    main()
