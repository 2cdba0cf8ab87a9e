"""ComfyUI's answers over HTTP, as far as we read them. (image-jobs.md §1.7)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from jobs.providers.http import Reply

T = TypeVar("T")


class Image(msgspec.Struct, frozen=True):
    """Where `/view` finds a picture."""

    filename: str
    subfolder: str = ""
    type: str = "output"


class Output(msgspec.Struct, frozen=True):
    """Of one node."""

    images: tuple[Image, ...] = ()


class Status(msgspec.Struct, frozen=True):
    status_str: str = ""
    messages: tuple[tuple[str, dict[str, Any]], ...] = ()


class Ended(msgspec.Struct, frozen=True):
    """An order in the history."""

    outputs: dict[str, Output] = {}
    status: Status | None = None

    @property
    def images(self) -> tuple[Image, ...]:
        """What was saved; if nothing was, what was only shown (PreviewImage)."""
        images = tuple(image for output in self.outputs.values() for image in output.images)
        return tuple(image for image in images if image.type == "output") or images

    @property
    def was_interrupted(self) -> bool:
        """The history calls that an error; only its messages tell."""
        return "execution_interrupted" in self._messages

    @property
    def error(self) -> Mapping[str, Any] | None:
        """`node_id`, `node_type`, `exception_type`, `exception_message`, `traceback`; possibly empty."""
        if self.status is None or self.status.status_str != "error":
            return None
        return self._messages.get("execution_error", {})

    @property
    def _messages(self) -> dict[str, dict[str, Any]]:
        return dict(self.status.messages) if self.status else {}


class Queue(msgspec.Struct, frozen=True):
    """Each item begins with its number and its prompt's id."""

    queue_running: list[list[Any]]
    queue_pending: list[list[Any]]

    def is_running(self, prompt_id: str) -> bool:
        return any(item[1:2] == [prompt_id] for item in self.queue_running)

    def is_pending(self, prompt_id: str) -> bool:
        return any(item[1:2] == [prompt_id] for item in self.queue_pending)


class Uploaded(msgspec.Struct, frozen=True):
    name: str
    subfolder: str = ""

    @property
    def path(self) -> str:
        return f"{self.subfolder}/{self.name}" if self.subfolder else self.name


class Reason(msgspec.Struct, frozen=True):
    type: str = ""
    message: str = ""
    details: str = ""


class NodeErrors(msgspec.Struct, frozen=True):
    errors: tuple[Reason, ...] = ()


class PromptReply(msgspec.Struct, frozen=True):
    """Of `POST /prompt`, accepted or not."""

    prompt_id: str | None = None
    error: Reason | None = None
    node_errors: dict[str, NodeErrors] | list[Any] = {}
    """A list only when it is empty."""

    def what_is_wrong(self, titles: Mapping[str, str]) -> str:
        """The first node that it does not like, such as "KSampler: Value not in list (sampler_name: 'x')"."""
        nodes = self.node_errors.items() if isinstance(self.node_errors, dict) else ()
        for node, found in nodes:
            for reason in found.errors:
                details = f" ({reason.details})" if reason.details else ""
                return f"{titles.get(node, node)}: {reason.message}{details}"
        return self.error.message if self.error else ""


def read_or_none(reply: Reply, type_: type[T]) -> T | None:
    try:
        return msgspec.json.decode(reply.content, type=type_)
    except msgspec.DecodeError:
        return None
