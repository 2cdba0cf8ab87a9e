"""Which of the pushes that wait go into the next commit."""

from __future__ import annotations

from canvas.open_room import MAX_BATCH, MAX_BATCH_BYTES, in_turn
from canvas.protocol import Author
from canvas.push import Push


def waiting(session_id: str | None, number: int, size_bytes: int = 100) -> Push:
    return Push(Author("ada", "user", session_id, number), [], b"", session_id=session_id, size_bytes=size_bytes)


def told(pushes: list[Push]) -> list[tuple[str | None, int | None]]:
    return [(push.session_id, push.author.client_seq) for push in pushes]


def test_nobody_waits_for_anothers_flood() -> None:
    """PU12"""
    flood = [waiting("flood", number) for number in range(1, 3 * MAX_BATCH)]
    calm = [waiting("calm", 1), waiting(None, 1), waiting("calm", 2), waiting(None, 2)]

    taken = in_turn([*flood, *calm])

    assert len(taken) == MAX_BATCH
    assert told(taken)[:6] == [("flood", 1), ("calm", 1), (None, 1), (None, 2), ("flood", 2), ("calm", 2)]
    assert [push for push in taken if push.session_id == "flood"] == flood[: MAX_BATCH - 4]


def test_a_commit_is_bounded_in_bytes_and_holds_one_push_at_least() -> None:
    """PU12"""
    large = [waiting("a", number, MAX_BATCH_BYTES // 2) for number in range(1, 5)]
    huge = waiting("b", 1, 3 * MAX_BATCH_BYTES)

    assert told(in_turn(large)) == [("a", 1), ("a", 2)]
    assert told(in_turn([huge, *large])) == [("b", 1)]
    assert told(in_turn([large[0], huge])) == [("a", 1)]


def test_what_fits_goes_at_once() -> None:
    """PU12"""
    some = [waiting(name, number) for number in (1, 2) for name in "abc"]

    assert in_turn(some) == some
    assert in_turn([]) == []
