"""Which of the pushes that wait go into the next commit."""

from __future__ import annotations

from canvas.protocol import Author
from canvas.push import Push
from canvas.waiting import MAX_BATCH, MAX_BATCH_BYTES, Waiting


def waiting(session_id: str | None, number: int, size_bytes: int = 100) -> Push:
    return Push(Author("ada", "user", session_id, number), [], b"", session_id=session_id, size_bytes=size_bytes)


def in_turn(pushes: list[Push]) -> list[Push]:
    return queued(pushes).take()


def queued(pushes: list[Push]) -> Waiting:
    queue = Waiting()
    for push in pushes:
        queue.add(push)
    return queue


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


def test_the_next_commit_begins_with_whose_turn_it_is() -> None:
    """PU12"""
    queue = queued([waiting(f"s{session}", number) for session in range(MAX_BATCH + 50) for number in (1, 2)])

    first, second = queue.take(), queue.take()

    assert told(first) == [(f"s{session}", 1) for session in range(MAX_BATCH)]
    assert told(second)[:51] == [(f"s{session}", 1) for session in range(MAX_BATCH, MAX_BATCH + 50)] + [("s0", 2)]


def test_what_is_put_back_goes_first_and_suspects_go_alone() -> None:
    """PU10"""
    queue = queued([waiting("a", number) for number in (1, 2, 3)])
    taken = queue.take()
    queue.add(waiting("a", 4))

    queue.put_back(taken)
    assert told(queue.take()) == [("a", number) for number in (1, 2, 3, 4)]

    queue.add(waiting("a", 5))
    queue.isolate(taken)
    alone = queue.take()
    assert told(alone) == [("a", 1)]
    queue.put_back(alone)  # the database went away: it is still a suspect
    assert [told(queue.take()) for _ in range(4)] == [[("a", number)] for number in (1, 2, 3, 5)]
    assert not queue


def test_what_is_removed_leaves_the_others_in_their_order() -> None:
    """PU9"""
    pushes = [waiting(name, number) for number in (1, 2) for name in "ab"]
    queue = queued(pushes)

    queue.remove({pushes[0], pushes[3]})

    assert told(queue.take()) == [("a", 2), ("b", 1)]
    assert not queue
