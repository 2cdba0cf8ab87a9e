"""Finished pictures: where they are kept and how "My Renders" shows them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from canvas.errors import BadRequest

VariantKind = Literal["thumbnail", "icon", "display"]
FOLDERS: dict[VariantKind | Literal["original"], str] = {
    "original": "originals",
    "display": "display",
    "thumbnail": "thumbnails",
    "icon": "icons",
}
EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
}


class KeptObject(msgspec.Struct, frozen=True):
    """Bytes that are in the object store, to be written into `objects`."""

    key: str
    content_type: str
    size_bytes: int
    sha256: bytes
    width_px: int
    height_px: int
    blur: str | None = None
    """A variant's: what to show until it has come."""


class KeptPicture(msgspec.Struct, frozen=True):
    original: KeptObject
    variants: dict[VariantKind, KeptObject]
    seed: int | None


class StoredObject(msgspec.Struct, frozen=True):
    """A row of `objects`: what the route of stored pictures needs to know."""

    key: str
    account_id: str
    content_type: str
    size_bytes: int
    sha256: bytes
    is_private: bool


class RenderVariant(msgspec.Struct, frozen=True, rename="camel"):
    kind: VariantKind
    url: str
    width: int
    height: int
    content_type: str
    blur: str | None = None
    """A ThumbHash in base64, at most 36 characters: what to show until the picture has come."""


class Origin(msgspec.Struct, frozen=True, rename="camel"):
    prompt: str
    seed: int | None
    provider: str
    model: str
    parent_id: str | None


class Render(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    job_id: str | None
    """The run that made it; null for one that was imported."""
    workflow_id: str | None
    node_id: str | None
    image_url: str
    width: int
    height: int
    content_type: str
    variants: tuple[RenderVariant, ...]
    origin: Origin
    created_at: datetime
    is_favorite: bool = False
    deleted_at: datetime | None = None
    """Since when it is in the trash."""


class RenderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of an account's pictures; each that is None does not matter."""

    workflow_id: str | None = None
    provider: str | None = None
    model: str | None = None
    parent_id: str | None = None
    is_favorite: bool | None = None
    words: tuple[str, ...] = ()
    """Each has to be somewhere in the prompt, in whatever case."""
    in_trash: bool = False


MAX_SEARCH_CHARACTERS = 200


def words_of(text: str | None) -> tuple[str, ...]:
    """What a person looks for. Raises BadRequest for more than anybody types."""
    if text is not None and len(text) > MAX_SEARCH_CHARACTERS:
        raise BadRequest(f"q has at most {MAX_SEARCH_CHARACTERS} characters.")
    return tuple((text or "").split())


class Salted(Protocol):
    """What pictures come of: a run, or an import."""

    @property
    def account_id(self) -> str: ...

    @property
    def salt(self) -> str:
        """Keys are derived from it; it leaves the database never."""


def object_key(
    of: Salted, picture: str, kind: VariantKind | Literal["original"], sha256: bytes, content_type: str
) -> str:
    """JB16: the same picture of the same run always has the same key, and without its salt nobody can guess it.

    `picture` is what it is called in its run: order and place of an original, an original's key for its sizes.

    Each size has its own unguessable part: whoever is shown a thumbnail has not been shown the original.
    """
    hidden = hashlib.sha256(f"{of.salt}:{picture}:{kind}".encode()).hexdigest()[:32]
    return f"{FOLDERS[kind]}/{of.account_id}/{hidden}-{sha256.hex()[:16]}.{EXTENSIONS[content_type]}"
