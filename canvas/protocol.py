"""The messages of `/ws/workflows/{id}` (CONTRACT §5): what a client may say, and what it hears."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, TypedDict

import msgspec

from canvas.errors import BadRequest, EaselError, Invalid
from canvas.ops import Op
from canvas.values import MAX_SAFE_INTEGER

PROTOCOL = 1
MAX_MESSAGE_BYTES = 4 << 20
MAX_SNAPSHOT_PART_BYTES = 256 << 10  # a part is applied in one go: small enough that no browser stutters
MAX_PRESENCE_BYTES = 32 << 10
TICK_S = 0.033
DRAG_SILENCE_S = 5.0

Origin = Literal["user", "rest", "job", "restore"]

GOING_AWAY, TOO_SLOW, RESYNC, REPLACED = 4000, 4008, 4009, 4010
SIGN_IN = 4100
WRONG_PROTOCOL, FORBIDDEN, DELETED, TOO_LARGE, ABUSE = 4500, 4503, 4504, 4509, 4513

encode = msgspec.json.Encoder().encode


Number = Annotated[int, msgspec.Meta(ge=1, le=MAX_SAFE_INTEGER)]
"""A seq or a client's number: whatever is larger, neither JavaScript nor PostgreSQL could hold."""

# Client to server


class Point(msgspec.Struct, frozen=True, gc=False):
    x: float
    y: float


class Camera(msgspec.Struct, frozen=True, gc=False):
    x: float
    y: float
    zoom: float


class ResumePoint(msgspec.Struct, frozen=True, rename="camel"):
    epoch: str
    seq: Annotated[int, msgspec.Meta(ge=0, le=MAX_SAFE_INTEGER)]
    acked_client_seq: Annotated[int, msgspec.Meta(ge=0, le=MAX_SAFE_INTEGER)] = 0


class Hello(msgspec.Struct, frozen=True, tag="hello", rename="camel"):
    protocol: int
    client_id: str
    resume: ResumePoint | None = None


class Push(msgspec.Struct, frozen=True, tag="push", rename="camel"):
    client_seq: Number
    ops: msgspec.Raw
    """Decoded by `decode_ops`: a malformed op refuses its push, not the socket."""
    undo_of: Number | None = None


class PresenceChange(TypedDict, total=False):
    """Keys that are absent stay as they are; null removes one."""

    cursor: Point | None
    selection: list[str] | None
    drag: dict[str, Point] | None
    viewport: Camera | None
    editing: str | None


class Presence(msgspec.Struct, frozen=True, tag="presence"):
    set: PresenceChange


class Resync(msgspec.Struct, frozen=True, tag="resync"):
    pass


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    t: Any = None


CLIENT_MESSAGES = (Hello, Push, Presence, Resync, Ping)
ClientMessage = Hello | Push | Presence | Resync | Ping

_messages: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_ops: msgspec.json.Decoder[list[Op]] = msgspec.json.Decoder(list[Op])
_raw_ops = msgspec.json.Decoder(list[msgspec.Raw])
_op: msgspec.json.Decoder[Op] = msgspec.json.Decoder(Op)


def check_size(size_bytes: int) -> None:
    """Raises Invalid for a message that closes its socket."""
    if size_bytes > MAX_MESSAGE_BYTES:
        raise Invalid(f"A message has at most {MAX_MESSAGE_BYTES >> 20} MiB.", code="MESSAGE_TOO_LARGE")


def decode_message(text: str | bytes | None) -> ClientMessage:
    """Raises BadRequest (BAD_MESSAGE) for what cannot be understood; None is what came in a binary frame."""
    if text is None:
        raise BadRequest("Messages are JSON in text frames; this one was binary.", code="BAD_MESSAGE")
    try:
        return _messages.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadRequest(f"This message cannot be understood: {error}", code="BAD_MESSAGE") from error


def decode_ops(raw: bytes | msgspec.Raw) -> list[Op]:
    """Raises Invalid with `opIndex` for the first op that is none."""
    try:
        return _ops.decode(raw)
    except RecursionError as error:
        raise Invalid("The ops are nested too deep.") from error
    except (msgspec.DecodeError, UnicodeError) as error:
        index = _first_bad_op(raw)
        raise Invalid(f"Not an op: {error}", opIndex=index) from error


def _first_bad_op(raw: bytes | msgspec.Raw) -> int | None:
    try:
        for index, one in enumerate(_raw_ops.decode(raw)):
            try:
                _op.decode(one)
            except (msgspec.DecodeError, UnicodeError):
                return index
    except (msgspec.DecodeError, UnicodeError):
        pass  # not even a list: there is no index to name
    return None


def check_client(client_id: str, client_seq: int = 1) -> None:
    """Raises Invalid for a client that cannot be told from others, and for a number that nobody can count to."""
    if not 1 <= len(client_id) <= 64 or "\0" in client_id:
        raise Invalid("A clientId has 1 to 64 characters.")
    if not 1 <= client_seq <= MAX_SAFE_INTEGER:
        raise Invalid("A clientSeq counts from 1.")


def digest_of(ops: list[Op]) -> bytes:
    """What makes two pushes the same push, whatever their white space."""
    return sha256(encode(ops)).digest()


def digest_of_raw(ops: bytes | msgspec.Raw) -> bytes:
    """The same for ops that could not be decoded."""
    return sha256(bytes(ops)).digest()


# Server to client


class Author(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    user_id: str
    origin: Origin
    client_id: str | None = None
    client_seq: int | None = None


class Transaction(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A committed push: its ops are the effective ones, what every replica does."""

    seq: int
    by: Author
    at: datetime
    ops: list[Op]
    undo_of: int | None = None


_transactions: msgspec.json.Decoder[list[Transaction]] = msgspec.json.Decoder(list[Transaction])


class ResultError(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    code: str
    detail: str
    op_index: int | None = None

    @classmethod
    def of(cls, error: EaselError) -> ResultError:
        return cls(error.code, error.detail, error.facts.get("opIndex"))


class Result(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The answer to a push. `commit` and `rebase` mean: stored."""

    client_seq: int | None
    seq: int
    outcome: Literal["commit", "rebase", "reject"]
    ops: list[Op] | None = None
    error: ResultError | None = None
    last_client_seq: int | None = None
    """Told with SEQ_GAP: where to go on."""


def result_message(result: Result) -> bytes:
    return encode({"type": "result", **msgspec.to_builtins(result)})


def encode_each(transactions: Iterable[Transaction]) -> list[bytes]:
    """Once for everybody who is told of them, here and at other processes."""
    return [encode(transaction) for transaction in transactions]


def array_of(encoded: Iterable[bytes]) -> bytes:
    return b"[%b]" % b",".join(encoded)


def decode_transactions(array: bytes | msgspec.Raw) -> list[Transaction]:
    """What `array_of` has written. Raises msgspec.DecodeError."""
    return _transactions.decode(array)


def ops_message(encoded: Iterable[bytes]) -> bytes:
    return b'{"type":"ops","transactions":%b}' % array_of(encoded)


def ops_messages(encoded: Iterable[bytes]) -> list[bytes]:
    """The same in messages of about MAX_SNAPSHOT_PART_BYTES, or of one transaction."""
    parts: list[list[bytes]] = []
    size = 0
    for transaction in encoded:
        if not parts or size + len(transaction) > MAX_SNAPSHOT_PART_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(transaction)
        size += len(transaction)
    return [ops_message(part) for part in parts]


def error_message(error: EaselError) -> bytes:
    return encode({"type": "error", "code": error.code, "detail": error.detail})


def pong_message(t: Any, seq: int) -> bytes:
    return encode({"type": "pong", "t": t, "seq": seq})


def role_message(role: str) -> bytes:
    return encode({"type": "role", "role": role})


def shortened(keys: dict[str, Any]) -> dict[str, Any]:
    """Presence with coordinates to a thousandth: finer than any screen shows, and a third of the digits."""
    return {key: _shorten(value) for key, value in keys.items()}


def _shorten(value: Any) -> Any:
    if type(value) is Point:
        return Point(round(value.x, 3), round(value.y, 3))
    if type(value) is Camera:
        return Camera(round(value.x, 3), round(value.y, 3), value.zoom)
    if type(value) is dict and value and type(next(iter(value.values()))) is Point:
        return {id_: Point(round(at.x, 3), round(at.y, 3)) for id_, at in value.items()}
    return value


def frame_message(presence: dict[str, Any], left: list[str], runs: list[dict[str, Any]]) -> bytes:
    return encode({"type": "frame", "presence": presence, "left": left, "runs": runs})


def snapshot_messages(nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> list[bytes]:
    """The document in parts of about MAX_SNAPSHOT_PART_BYTES, or of one record; an empty one is one part."""
    parts: list[tuple[list[bytes], list[bytes]]] = [([], [])]
    size = 0
    for column, records in enumerate((nodes, edges)):
        for record in records:
            encoded = encode(record)
            if size and size + len(encoded) > MAX_SNAPSHOT_PART_BYTES:
                parts.append(([], []))
                size = 0
            parts[-1][column].append(encoded)
            size += len(encoded)
    return [
        b'{"type":"snapshot","part":%d,"parts":%d,"nodes":[%b],"edges":[%b]}'
        % (number, len(parts), b",".join(in_nodes), b",".join(in_edges))
        for number, (in_nodes, in_edges) in enumerate(parts, 1)
    ]
