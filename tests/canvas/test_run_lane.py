"""What a room shows of runs, from hints that come late, twice, or not at all."""

from __future__ import annotations

from typing import Any

from canvas.run_lane import RunLane

PLACE = {"jobId": "j", "nodeId": "n", "inLine": {"place": 3, "text": "3rd in line"}}


def said(status: str, **more: Any) -> dict[str, Any]:
    return {"jobId": "j", "nodeId": "n", "status": status, **more}


def test_a_place_is_believed_of_a_run_that_waits_and_keeps_what_was_said_of_it() -> None:
    """JB46"""
    lane = RunLane()
    lane.show([PLACE])
    assert lane.take() == []

    lane.show([said("pending", message="Waiting for a worker")])
    lane.show([PLACE])

    assert lane.take() == lane.live() == [said("pending", message="Waiting for a worker") | PLACE]


def test_whatever_moves_a_run_takes_its_place_away_and_a_late_one_is_not_believed() -> None:
    """JB46"""
    lane = RunLane()
    lane.show([said("pending"), PLACE, said("running", progress=0), PLACE])
    assert lane.live() == [said("running", progress=0)]

    lane.show([said("pending", message="Waiting for OpenAI")])
    assert "inLine" not in lane.live()[0]

    lane.show([said("completed"), PLACE])
    assert lane.live() == []
