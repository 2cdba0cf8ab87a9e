from __future__ import annotations

from typing import Any

import msgspec

from canvas.frames import Frames, Telling

EVERYBODY = ("s1", "s2", "s3")


def told(tellings: list[Telling]) -> dict[tuple[str, ...], Any]:
    return {who: msgspec.json.decode(payload) for who, payload in tellings}


def frame(presence: Any = None, left: Any = (), runs: Any = ()) -> dict[str, Any]:
    return {"type": "frame", "presence": presence or {}, "left": list(left), "runs": list(runs)}


def test_everybody_is_told_the_same_bytes_and_nothing_when_there_is_nothing() -> None:
    """RM5"""
    frames = Frames()

    assert told(frames.tell({"s1": {"editing": "a"}}, [], [], EVERYBODY, ())) == {
        EVERYBODY: frame({"s1": {"editing": "a"}})
    }
    assert frames.tell({}, [], [], EVERYBODY, ()) == []
    assert frames.tell({"s1": {"editing": "a"}}, [], [], (), ()) == []
    assert not frames.is_owed


def test_who_reads_slowly_is_passed_over_and_told_the_newest_when_it_reads_again() -> None:
    """RM7"""
    frames = Frames()
    first = frames.tell(
        {"s1": {"editing": "a", "selection": ["a"]}}, [], [{"jobId": "j", "progress": 1}], EVERYBODY, {"s2"}
    )
    second = frames.tell({"s1": {"editing": None}, "s4": {"editing": "x"}}, [], [], EVERYBODY, {"s2"})
    third = frames.tell({}, ["s4"], [{"jobId": "j", "progress": 2}], EVERYBODY, {"s2"})

    assert [set(told(tellings)) for tellings in (first, second, third)] == [{("s1", "s3")}] * 3
    assert frames.is_owed
    assert frames.tell({}, [], [], EVERYBODY, {"s2"}) == []
    assert told(frames.tell({}, [], [], EVERYBODY, ())) == {
        ("s2",): frame({"s1": {"editing": None, "selection": ["a"]}}, ["s4"], [{"jobId": "j", "progress": 2}])
    }
    assert not frames.is_owed


def test_who_catches_up_while_there_is_news_hears_it_once() -> None:
    """RM7"""
    frames = Frames()
    frames.tell({"s1": {"editing": "a"}}, [], [], EVERYBODY, {"s2"})

    tellings = told(frames.tell({"s1": {"editing": "b"}}, [], [], EVERYBODY, {"s3"}))

    assert tellings == {("s1",): frame({"s1": {"editing": "b"}}), ("s2",): frame({"s1": {"editing": "b"}})}
    assert frames.is_owed


def test_what_was_missed_is_forgotten_with_who_missed_it() -> None:
    """RM7"""
    frames = Frames()
    frames.tell({"s1": {"editing": "a"}}, [], [], EVERYBODY, {"s2"})

    assert frames.tell({}, [], [], ("s1", "s3"), ()) == []
    assert not frames.is_owed
