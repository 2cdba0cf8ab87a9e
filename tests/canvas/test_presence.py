from __future__ import annotations

from typing import Any

import msgspec

from canvas.presence import Presences
from canvas.protocol import Camera, Point, PresenceChange

ADA, BOB = {"id": "ada", "name": "Ada", "color": "#a0f"}, {"id": "bob", "name": "Bob", "color": "#0af"}


def change(**keys: Any) -> PresenceChange:
    return msgspec.convert(keys, PresenceChange)


def here() -> Presences:
    presences = Presences()
    presences.join("s1", ADA, 0)
    presences.join("s2", BOB, 0)
    presences.take()
    return presences


def test_the_newest_value_per_session_and_key_is_told_once() -> None:
    """RM5, PR1"""
    presences = here()

    presences.change("s1", change(cursor={"x": 1, "y": 1}, editing="a"), 1, may_drag=True)
    presences.change("s1", change(cursor={"x": 2, "y": 2}), 1, may_drag=True)

    assert presences.take() == ({"s1": {"cursor": Point(2, 2), "editing": "a"}}, [])
    assert presences.take() == ({}, [])
    assert not presences.is_dirty


def test_coordinates_are_told_to_a_thousandth_and_zoom_as_it_is() -> None:
    """PR6"""
    presences = here()
    place, tiny = {"x": 100 / 3, "y": -1e300}, {"x": 1e-9, "y": 0.0005}

    presences.change("s1", change(cursor=place, drag={"a": tiny}, viewport={**place, "zoom": 1 / 3}), 1, may_drag=True)

    assert presences.take()[0]["s1"] == {
        "cursor": Point(33.333, -1e300),
        "drag": {"a": Point(0, 0.001)},
        "viewport": Camera(33.333, -1e300, 1 / 3),
    }


def test_null_removes_a_key() -> None:
    """PR1"""
    presences = here()
    presences.change("s1", change(selection=["a"]), 1, may_drag=True)

    presences.change("s1", change(selection=None), 1, may_drag=True)

    assert presences.take()[0] == {"s1": {"selection": None}}
    assert presences.everyone()["s1"] == {"user": ADA}


def test_who_left_is_told_and_nothing_more_of_them() -> None:
    """PR1"""
    presences = here()
    presences.change("s1", change(editing="a"), 1, may_drag=True)

    presences.leave("s1")
    presences.leave("s1")
    presences.change("s1", change(editing="b"), 1, may_drag=True)

    assert presences.take() == ({}, ["s1"])


def test_a_viewer_drags_nothing() -> None:
    """PR2"""
    presences = here()

    presences.change("s1", change(drag={"a": {"x": 1, "y": 1}}, editing="a"), 1, may_drag=False)

    assert presences.take()[0] == {"s1": {"editing": "a"}}


def dragging() -> Presences:
    presences = here()
    for session_id in ("s1", "s2"):
        drag = {"a": {"x": 1, "y": 1}, "b": {"x": 2, "y": 2}}
        presences.change(session_id, change(drag=drag), 1, may_drag=True)
    presences.take()
    return presences


def test_a_commit_ends_the_drag_of_its_author_alone_and_of_those_nodes() -> None:
    """PR3"""
    presences = dragging()

    presences.end_drags({"a"}, session_id="s1")
    assert presences.take()[0] == {"s1": {"drag": {"b": Point(2, 2)}}}
    presences.end_drags({"b"}, session_id="s1")
    assert presences.take()[0] == {"s1": {"drag": None}}


def test_a_node_that_is_gone_is_dragged_by_nobody() -> None:
    """PR3"""
    presences = dragging()

    presences.end_drags({"a", "b"})

    assert presences.take()[0] == {"s1": {"drag": None}, "s2": {"drag": None}}


def test_five_seconds_of_silence_end_a_drag() -> None:
    """PR3"""
    presences = dragging()
    presences.change("s2", change(drag={"a": {"x": 3, "y": 3}}), 4, may_drag=True)
    presences.take()

    presences.expire(6)
    assert presences.take()[0] == {}
    presences.expire(6.1)
    assert presences.take()[0] == {"s1": {"drag": None}}


def remote() -> Presences:
    presences = here()
    presences.hear("p2", {"r1": {"user": BOB, "editing": "a"}}, (), 1, whole=True)
    return presences


def test_another_process_sessions_are_seen_and_stay_its_own() -> None:
    """PR4"""
    presences = remote()
    presences.change("s1", change(editing="c"), 1, may_drag=True)
    changed, _ = presences.take()
    assert changed == {"r1": {"user": BOB, "editing": "a"}, "s1": {"editing": "c"}}
    assert set(presences.local()) == {"s1", "s2"}
    assert presences.local_part(changed) == {"s1": {"editing": "c"}}

    presences.hear("p3", {"r1": {"editing": "b"}}, ("r1", "s1"), 2, whole=False)

    assert presences.take() == ({}, [])


def test_a_keyframe_tells_who_is_gone_and_repeats_nothing() -> None:
    """PR4"""
    presences = remote()
    presences.take()

    presences.hear("p2", {"r1": {"user": BOB, "editing": "a"}}, (), 2, whole=True)
    assert presences.take() == ({}, [])
    presences.hear("p2", {}, (), 3, whole=True)
    assert presences.take() == ({}, ["r1"])


def test_a_session_whose_first_hint_was_lost_waits_for_the_keyframe() -> None:
    """PR4: nobody is shown without a name"""
    presences = here()

    presences.hear("p2", {"r1": {"editing": "a"}}, (), 1, whole=False)

    assert presences.take() == ({}, [])


def test_a_process_that_fell_silent_is_forgotten() -> None:
    """PR4"""
    presences = remote()
    presences.take()

    presences.expire(16)
    assert presences.take() == ({}, [])
    presences.expire(16.1)
    assert presences.take() == ({}, ["r1"])
