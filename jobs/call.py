"""One order of a run at a provider: what is stored of it and what may come of it. Pure; the rules are in SPEC.md."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from jobs.errors import JobError, ProviderAuth, ProviderQuota
from jobs.providers.port import Model, Picture, PromptSpec, Ticket
from jobs.run import MAX_SEED, Failure, Run

CallState = Literal["sending", "accepted", "answered", "kept", "failed", "unknown", "cancelled"]


class Part(msgspec.Struct, frozen=True):
    """What one order of a run asks for."""

    number: int
    prompt: PromptSpec


class MadePicture(msgspec.Struct, frozen=True):
    """An original that is in the object store."""

    key: str
    content_type: str
    size_bytes: int
    sha256: str
    width_px: int
    height_px: int
    seed: int | None = None


class Answered(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored of an answer, never its bytes: first where the pictures can be had, then what was kept."""

    urls: tuple[Picture, ...] = ()
    kept: tuple[MadePicture, ...] = ()
    request_id: str | None = None
    notes: tuple[str, ...] = ()


class Call(msgspec.Struct, frozen=True):
    """A row of `provider_calls`."""

    id: str
    number: int
    attempt: int
    state: CallState
    age_s: float
    """Since it was sent."""
    job_id: str | None = None
    ticket: Ticket | None = None
    answer: Answered | None = None
    failure: Failure | None = None


class Made(msgspec.Struct, frozen=True):
    pictures: tuple[MadePicture, ...]
    notes: tuple[str, ...] = ()
    """Why there are fewer than asked for, as far as somebody said it."""


class Waits(msgspec.Struct, frozen=True):
    """The order cannot be sent, or looked for, yet. That uses no attempt."""

    seconds: float
    message: str
    or_else: Failure | None = None
    """What it comes to when the provider has asked for too much patience; None: the wait is our own, and has no end."""


class Failed(msgspec.Struct, frozen=True):
    failure: Failure
    may_repeat: bool = False
    """Nothing was accepted: the order may be sent again."""


Outcome = Made | Waits | Failed


def parts_of(run: Run, model: Model) -> list[Part]:
    """As few orders as the model allows. Pictures have seeds in a row, whichever order they come from."""
    prompt = run.request.prompt_spec
    seed = run.payload.seed if prompt.seed is None else prompt.seed
    size = min(prompt.n, model.per_call or prompt.n)
    return [
        Part(
            number,
            msgspec.structs.replace(
                prompt, n=min(size, prompt.n - first), seed=None if seed is None else (seed + first) % (MAX_SEED + 1)
            ),
        )
        for number, first in enumerate(range(0, prompt.n, size))
    ]


def order_id(run: Run, attempt: int, number: int) -> str:
    """The same order has the same id after a crash, and without the run's salt nobody can guess it."""
    return hashlib.sha256(f"{run.payload.salt}:order:{attempt}:{number}".encode()).hexdigest()[:32]


def request_hash(model: Model, prompt: PromptSpec) -> bytes:
    return hashlib.sha256(msgspec.json.encode((model.id, prompt), order="deterministic")).digest()


def is_to_be_sent(call: Call | None, run: Run) -> bool:
    """Nothing was sent yet, or what was sent in an earlier attempt surely came to nothing and may be sent again."""
    if call is None:
        return True
    return call.state == "failed" and call.attempt < run.attempt and may_repeat(call.failure)


def may_repeat(failure: Failure | None) -> bool:
    return failure is not None and failure.retryable and failure.charged == "no"


def paused(code: str, name: str) -> JobError:
    """Why nothing is sent with a credential that its provider has refused. `name` is the provider's."""
    if code == ProviderQuota.default_code:
        return ProviderQuota(f"The credit at {name} is used up. Top it up there; Easel tries again by itself.")
    return ProviderAuth(
        f"{name} refuses the key. Set another one, or after putting it right there: `easel runs resume-key`."
    )
