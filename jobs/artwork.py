"""What an artwork is: a picture that somebody brought along, with a title, in four sizes. No I/O here."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from datetime import datetime
from typing import Literal

import msgspec

from canvas.errors import BadRequest, Invalid
from canvas.values import check_json
from jobs.renders import KeptObject, VariantKind

PictureKind = VariantKind | Literal["original"]
UNTITLED = "artwork"
DEFAULT_CATEGORY = "other"
MAX_SLUG_CHARACTERS = 50
MAX_TITLE_CHARACTERS = 200
MAX_DESCRIPTION_CHARACTERS = 10_000
MAX_LINE_CHARACTERS = 500
MAX_WORD_CHARACTERS = 50
MAX_TAGS = 50


class Artwork(msgspec.Struct, frozen=True, rename="camel"):
    """CONTRACT §4."""

    id: str
    user_id: str
    slug: str
    title: str
    description: str | None
    materials: str | None
    dimensions: str | None
    created_date: str | None
    """As the artist writes it: `2024`, `2024-05`, `around 1960`."""
    category: str
    tags: list[str]
    original_url: str
    """The file as it came, for its owner alone."""
    display_url: str
    thumbnail_url: str
    icon_url: str
    status: Literal["active", "trashed"]
    is_featured: bool
    created_at: datetime
    updated_at: datetime
    thumbnail_blur: str | None = None
    """A ThumbHash in base64 to show until the thumbnail has come; null of artworks from before."""
    display_blur: str | None = None


class NewArtwork(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    title: str | None = None
    original_key: str | None = None
    """The `key` that came with the upload's address."""
    description: str | None = None
    materials: str | None = None
    dimensions: str | None = None
    created_date: str | None = None
    category: str | None = None
    tags: list[str] | None = None
    workflow_id: str | None = None
    node_id: str | None = None
    """The node of that workflow that is to show it."""


class ChangeArtwork(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A merge patch: absent stays, null removes. A category or tags that are removed go back to their default."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    materials: str | msgspec.UnsetType | None = msgspec.UNSET
    dimensions: str | msgspec.UnsetType | None = msgspec.UNSET
    created_date: str | msgspec.UnsetType | None = msgspec.UNSET
    category: str | msgspec.UnsetType | None = msgspec.UNSET
    tags: list[str] | msgspec.UnsetType | None = msgspec.UNSET
    is_featured: bool | msgspec.UnsetType = msgspec.UNSET


class Words(msgspec.Struct, frozen=True):
    """What is said of an artwork, checked and tidied: the columns of its row that people write."""

    title: str
    description: str | None
    materials: str | None
    dimensions: str | None
    created_date: str | None
    category: str
    tags: list[str]


class Place(msgspec.Struct, frozen=True):
    workflow_id: str
    node_id: str | None


class KeptArtwork(msgspec.Struct, frozen=True):
    """An artwork whose bytes are in the object store, to be written down."""

    id: str
    account_id: str
    words: Words
    place: Place | None
    pictures: dict[PictureKind, KeptObject]


def read_new(new: NewArtwork) -> tuple[str, Words, Place | None]:
    """The upload's key, the words, the node. Raises BadRequest when title or key is missing, Invalid for the rest."""
    missing = [
        name for name, value in (("title", new.title), ("originalKey", new.original_key)) if not (value or "").strip()
    ]
    if missing:
        raise BadRequest(f"Missing required fields: {', '.join(missing)}.")
    assert new.title is not None
    assert new.original_key is not None
    words = Words(
        title=_line("title", new.title, MAX_TITLE_CHARACTERS) or "",
        description=_text("description", new.description),
        materials=_line("materials", new.materials),
        dimensions=_line("dimensions", new.dimensions),
        created_date=_line("createdDate", new.created_date, MAX_WORD_CHARACTERS),
        category=_category(new.category),
        tags=_tags(new.tags),
    )
    if new.workflow_id is None and new.node_id is not None:
        raise Invalid("nodeId needs the workflowId that it is in.")
    place = Place(new.workflow_id, new.node_id) if new.workflow_id is not None else None
    check_json([new.original_key, new.workflow_id, new.node_id])
    return new.original_key, words, place


def read_change(change: ChangeArtwork) -> dict[str, object]:
    """Columns and their new values. The slug stays: addresses that people have passed on go on working."""
    given = {name: value for name in change.__struct_fields__ if (value := getattr(change, name)) is not msgspec.UNSET}
    columns: dict[str, object] = {}
    for name, value in given.items():
        match name:
            case "title":
                columns[name] = _line("title", value, MAX_TITLE_CHARACTERS)
                if columns[name] is None:
                    raise Invalid("An artwork has a title.")
            case "description":
                columns[name] = _text(name, value)
            case "created_date":
                columns[name] = _line("createdDate", value, MAX_WORD_CHARACTERS)
            case "category":
                columns[name] = _category(value)
            case "tags":
                columns[name] = _tags(value)
            case "is_featured":
                columns[name] = value
            case _:
                columns[name] = _line(name, value)
    return columns


def slug_of(title: str) -> str:
    """Letters and digits of any script, in lower case, words joined by hyphens; `artwork` when there are none."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", title).casefold())
    kept = "".join(character if _is_of_a_word(character) else " " for character in text if character not in "'’")
    slug = "-".join(kept.split())[:MAX_SLUG_CHARACTERS].strip("-")
    return slug or UNTITLED


def free_slug(base: str, taken: Collection[str]) -> str:
    """`base`, or the first free of `base-1`, `base-2`, …"""
    slug, number = base, 0
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug


def _is_of_a_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"  # marks too: Devanagari's vowels are some


def _line(name: str, value: str | None, longest: int = MAX_LINE_CHARACTERS) -> str | None:
    """One line, its spaces tidied; None for an empty one."""
    return _checked(name, " ".join(value.split()), longest) if value is not None else None


def _text(name: str, value: str | None) -> str | None:
    return _checked(name, value.strip(), MAX_DESCRIPTION_CHARACTERS) if value is not None else None


def _checked(name: str, value: str, longest: int) -> str | None:
    check_json(value)
    if len(value) > longest:
        raise Invalid(f"{name} has at most {longest} characters.")
    if any(unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\r\t" for character in value):
        raise Invalid(f"{name} holds control characters; remove them.")
    return value or None


def _category(value: str | None) -> str:
    return _line("category", value, MAX_WORD_CHARACTERS) or DEFAULT_CATEGORY


def _tags(values: list[str] | None) -> list[str]:
    tags = list(dict.fromkeys(tag for value in values or [] if (tag := _line("tags", value, MAX_WORD_CHARACTERS))))
    if len(tags) > MAX_TAGS:
        raise Invalid(f"An artwork has at most {MAX_TAGS} tags.")
    return tags
