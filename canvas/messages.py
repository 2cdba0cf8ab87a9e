"""What a client hears, as types (CONTRACT §5): what is written, and what the TypeScript client is held to."""

from typing import Any, Literal, Required, TypedDict

from canvas.access import Role
from canvas.protocol import PresenceChange, Result, ResultError, Transaction

# Parts


class User(TypedDict):
    id: str
    name: str
    color: str


class Shown(PresenceChange, total=False):
    """What everybody sees of a session; in a frame what has changed of it, and null is what it shows no more."""

    user: User


class InLine(TypedDict):
    """The place of a run that waits."""

    place: int | None
    """1: it is next; null: more begin before it than are counted."""
    text: str


class RunNews(TypedDict, total=False):
    """The latest of a run; what is absent was not said."""

    jobId: Required[str]
    nodeId: Required[str]
    status: Required[Literal["pending", "running", "completed", "failed", "cancelled"]]
    progress: int | None
    step: int | None
    steps: int | None
    message: str | None
    previewUrl: str | None
    inLine: InLine | None
    """Only while it waits for its turn."""


# Messages


class Welcome(TypedDict):
    type: Literal["welcome"]
    protocol: int
    sessionId: str
    role: Role
    mayRun: bool
    epoch: str
    seq: int
    mode: Literal["resume", "snapshot"]
    lastClientSeq: int
    results: list[Result]
    limits: dict[str, int]
    presence: dict[str, Shown]
    runs: list[RunNews]
    name: str
    viewport: Any


class SnapshotPart(TypedDict):
    type: Literal["snapshot"]
    part: int
    parts: int
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]


class News(TypedDict):
    type: Literal["ops"]
    transactions: list[Transaction]


class ResultMessage(TypedDict, total=False):
    """A Result, with its type beside it."""

    type: Required[Literal["result"]]
    clientSeq: Required[int | None]
    seq: Required[int]
    outcome: Required[Literal["commit", "rebase", "reject"]]
    ops: Any
    error: ResultError
    lastClientSeq: int


class Frame(TypedDict):
    type: Literal["frame"]
    presence: dict[str, Shown]
    left: list[str]
    runs: list[RunNews]


class RoleMessage(TypedDict):
    type: Literal["role"]
    role: Role


class Notice(TypedDict, total=False):
    """A word on something that is no change of the document."""

    type: Required[Literal["notice"]]
    code: Required[str]
    detail: str


class Pong(TypedDict):
    type: Literal["pong"]
    t: Any
    seq: int


class ErrorMessage(TypedDict):
    type: Literal["error"]
    code: str
    detail: str


SERVER_MESSAGES = (Welcome, SnapshotPart, News, ResultMessage, Frame, RoleMessage, Notice, Pong, ErrorMessage)
