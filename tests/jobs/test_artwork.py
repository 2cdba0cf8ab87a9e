"""What is said of an artwork, tidied; and the slug that follows from its title."""

from __future__ import annotations

import pytest

from jobs.artwork import ChangeArtwork, NewArtwork, free_slug, read_change, read_new, slug_of


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Test Artwork", "test-artwork"),
        ("  Don't  look--back! ", "dont-look-back"),
        ("Größe & Farbe", "grösse-farbe"),
        ("Ｆｕｌｌ width ①", "full-width-1"),
        ("夕暮れの灯台", "夕暮れの灯台"),
        ("हिन्दी चित्र", "हिन्दी-चित्र"),
        ("under_score/../x", "under-score-x"),
        ("🎨", "artwork"),
        ("…", "artwork"),
        ("a" * 49 + " bc", "a" * 49),
    ],
)
def test_slug_is_the_titles_letters_and_digits(title: str, slug: str) -> None:
    """AW5"""
    assert slug_of(title) == slug


def test_slug_that_is_taken_gets_the_first_free_number() -> None:
    """AW5"""
    assert free_slug("a", set()) == "a"
    assert free_slug("a", {"a", "a-1", "a-3"}) == "a-2"
    assert free_slug("a", {"a-1"}) == "a"


def test_empty_words_are_none() -> None:
    """AW11"""
    _, words, _ = read_new(NewArtwork("x", "k", materials=" ", description="\n", category=" ", tags=["", "b", "b"]))

    assert (words.materials, words.description, words.category, words.tags) == (None, None, "other", ["b"])
    assert read_change(ChangeArtwork()) == {}
