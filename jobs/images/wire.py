"""What a worker and its child processes say to each other: msgpack frames over the child's stdin and stdout.

Not pickle: the child reads hostile pictures, and what it answers must not be able to run code in the worker. A frame is
its length in eight bytes, big-endian, and the payload. A request is two frames: a struct from below, and the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

import msgspec

from jobs.images.decode import Facts, Limits
from jobs.images.studio.sketch import Sketch
from jobs.images.variants import Variant

LENGTH_BYTES = 8


class Inspect(msgspec.Struct, frozen=True, tag=True):
    limits: Limits


class MakeVariants(msgspec.Struct, frozen=True, tag=True):
    limits: Limits
    watermark: str
    generated: bool


class Draw(msgspec.Struct, frozen=True, tag=True):
    sketch: Sketch


class Quarter(msgspec.Struct, frozen=True, tag=True):
    limits: Limits


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The child has started and takes requests."""


class Inspected(msgspec.Struct, frozen=True, tag=True):
    facts: Facts


class VariantsMade(msgspec.Struct, frozen=True, tag=True):
    variants: list[Variant]


class Quartered(msgspec.Struct, frozen=True, tag=True):
    pictures: list[bytes]


class StepPainted(msgspec.Struct, frozen=True, tag=True):
    """One step of a drawing is done; more replies follow."""

    message: str
    step: int
    steps: int
    preview: bytes


class Drawn(msgspec.Struct, frozen=True, tag=True):
    content: bytes


class Refused(msgspec.Struct, frozen=True, tag=True):
    """An ImageInvalid on its way to the worker."""

    code: str
    detail: str


Request = Inspect | MakeVariants | Quarter | Draw
Reply = Ready | Inspected | VariantsMade | Quartered | StepPainted | Drawn | Refused
OnStep = Callable[[StepPainted], None]

requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
encode = msgspec.msgpack.Encoder().encode


def frame_length(length: int) -> bytes:
    return length.to_bytes(LENGTH_BYTES, "big")


def write_frame(out: BinaryIO, payload: bytes) -> None:
    out.write(frame_length(len(payload)))
    out.write(payload)
    out.flush()


def read_frame(source: BinaryIO) -> bytes:
    """Blocks. Raises EOFError when the other side has gone."""
    length = int.from_bytes(_exactly(source, LENGTH_BYTES), "big")
    return _exactly(source, length)


def _exactly(source: BinaryIO, length: int) -> bytes:
    payload = source.read(length)
    if len(payload) < length:
        raise EOFError
    return payload
