"""Where pictures are worked on: in child processes with a memory limit and a deadline, never on the event loop.

A picture that crashes or stalls its child costs that child and nothing else; the next picture gets a fresh one.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from types import TracebackType
from typing import Self

import msgspec
import structlog

from jobs.errors import ImageInvalid, ProviderFailed
from jobs.images.decode import Facts, Limits
from jobs.images.studio.sketch import Sketch
from jobs.images.variants import Variant
from jobs.images.wire import (
    LENGTH_BYTES,
    Draw,
    Drawn,
    Inspect,
    Inspected,
    MakeVariants,
    OnStep,
    Quarter,
    Quartered,
    Ready,
    Refused,
    Reply,
    Request,
    StepPainted,
    VariantsMade,
    encode,
    frame_length,
    replies,
)

# Of a child's own, beside the libraries' code: it stays below 512 MiB resident, whatever the picture.
MEMORY_BYTES = 480 * 1024**2
DEADLINE_S = 30.0  # 64 million pixels of the slowest format take a fifth of it
START_DEADLINE_S = 30.0  # a cold disk under load
PICTURES_PER_CHILD = 200  # bounds what a leak in a codec can gather
LARGEST_REPLY_BYTES = 64 * 1024**2  # a child that a picture has taken over must not fill the worker's memory
MALLOC_MMAP_BYTES = 1024**2
SLICE_BYTES = 256 * 1024  # written between two turns of the event loop

# The child decodes what strangers send: it gets no keys and no addresses, only what Python needs to start.
INHERITED_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

logger = structlog.get_logger(__name__)


class PictureWorkers:
    """Inspects, makes variants and draws, `processes` pictures at a time. Children start when they are first needed.

    Cancelling a call kills the child that worked on it.
    """

    def __init__(
        self,
        processes: int = 1,
        limits: Limits | None = None,
        memory_bytes: int = MEMORY_BYTES,
        deadline_s: float = DEADLINE_S,
        pictures_per_child: int = PICTURES_PER_CHILD,
    ) -> None:
        self.limits = limits or Limits()
        self._memory_bytes = memory_bytes
        self._deadline_s = deadline_s
        self._pictures_per_child = pictures_per_child
        self._free_places = asyncio.Semaphore(processes)
        self._idle: list[_Child] = []
        self._children: set[_Child] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(self._end(child) for child in list(self._children)))

    @property
    def pids(self) -> frozenset[int]:
        """Of the children that are running, idle ones too."""
        return frozenset(child.pid for child in self._children)

    async def inspect(self, content: bytes) -> Facts:
        """Raises ImageInvalid."""
        reply = await self._decode(Inspect(self.limits), content)
        assert isinstance(reply, Inspected)
        return reply.facts

    async def variants(self, content: bytes, watermark: str, *, generated: bool) -> list[Variant]:
        """Thumbnail, icon and display, or ImageInvalid. `generated` marks them as made by a model."""
        reply = await self._decode(MakeVariants(self.limits, watermark, generated), content)
        assert isinstance(reply, VariantsMade)
        return reply.variants

    async def quarters(self, content: bytes) -> list[bytes]:
        """A grid's four pictures as PNGs, row by row, or ImageInvalid."""
        reply = await self._decode(Quarter(self.limits), content)
        assert isinstance(reply, Quartered)
        return reply.pictures

    async def draw(self, sketch: Sketch, on_step: OnStep) -> bytes:
        """A PNG. `on_step` is called on the event loop as each step is done. Raises ProviderFailed."""
        try:
            reply = await self._run(Draw(sketch), b"", on_step)
        except (_ChildDied, TimeoutError) as error:
            raise ProviderFailed("The drawing stopped before it was done. Run it again.") from error
        assert isinstance(reply, Drawn)
        return reply.content

    async def _decode(self, request: Request, content: bytes) -> Reply:
        try:
            try:
                return await self._run(request, content)
            except _ChildDied:  # perhaps not the picture's fault: a machine short of memory kills whom it likes
                return await self._run(request, content)
        except _ChildDied as error:
            raise ImageInvalid("The picture crashes the decoder. Open it in an editor and export it again.") from error
        except TimeoutError as error:
            raise ImageInvalid(
                f"The picture takes longer than {self._deadline_s:g} s to decode. Export it smaller."
            ) from error

    async def _run(self, request: Request, content: bytes, on_step: OnStep | None = None) -> Reply:
        async with self._free_places:
            child = self._idle.pop() if self._idle else await self._start()
            is_reusable = False
            try:
                async with asyncio.timeout(self._deadline_s):
                    reply = await child.ask(request, content, on_step)
                is_reusable = child.requests_taken < self._pictures_per_child
            except (_ChildDied, TimeoutError) as error:
                logger.warning("picture child lost", request=type(request).__name__, reason=type(error).__name__)
                raise
            finally:
                if is_reusable:
                    self._idle.append(child)
                else:
                    await self._end(child)
        if isinstance(reply, Refused):
            raise ImageInvalid(reply.detail, code=reply.code)
        return reply

    async def _start(self) -> _Child:
        child = _Child(await _spawn(self._memory_bytes))
        self._children.add(child)
        is_ready = False
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                is_ready = isinstance(await child.reply(), Ready)
        except (_ChildDied, TimeoutError) as error:
            # Not the picture's fault, so not ImageInvalid: a memory limit too low to start Python, a broken install.
            raise RuntimeError("The picture process does not start; its standard error says why.") from error
        finally:
            if not is_ready:
                await self._end(child)
        return child

    async def _end(self, child: _Child) -> None:
        self._children.discard(child)
        await child.end()


class _ChildDied(Exception):
    """Never leaves this module."""


class _Child:
    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self.pid = process.pid
        self.requests_taken = 0

    async def ask(self, request: Request, content: bytes, on_step: OnStep | None) -> Reply:
        self.requests_taken += 1
        await self._send(encode(request))
        await self._send(content)
        while isinstance(reply := await self.reply(), StepPainted):
            if on_step is not None:
                on_step(reply)
        return reply

    async def reply(self) -> Reply:
        try:
            length = int.from_bytes(await self._stdout.readexactly(LENGTH_BYTES), "big")
            if length > LARGEST_REPLY_BYTES:
                raise _ChildDied("answers more than a picture")
            return replies.decode(await self._stdout.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError) as error:
            raise _ChildDied from error

    async def _send(self, payload: bytes) -> None:
        try:
            self._stdin.write(frame_length(len(payload)))
            view = memoryview(payload)
            for start in range(0, len(payload), SLICE_BYTES):
                self._stdin.write(view[start : start + SLICE_BYTES])
                await self._stdin.drain()
        except ConnectionError as error:
            raise _ChildDied from error

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._stdin.close()


async def _spawn(memory_bytes: int) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "jobs.images.child", str(memory_bytes)),
        stdin=PIPE,
        stdout=PIPE,
        env=_environment(),
        start_new_session=True,  # Ctrl-C in the terminal is for the parent
        limit=SLICE_BYTES,
    )


def _environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED_ENVIRONMENT if name in os.environ}
    # glibc gives back what is freed at once, instead of keeping the holes between pictures.
    inherited |= {"MALLOC_MMAP_THRESHOLD_": str(MALLOC_MMAP_BYTES), "MALLOC_ARENA_MAX": "2"}
    return inherited | {"PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)}
