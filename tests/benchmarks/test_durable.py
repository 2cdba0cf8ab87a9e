"""W6: what a stored operation costs, from rounds of which some met a busy neighbour."""

from __future__ import annotations

from benchmarks.durable import of_rounds, total_us


def test_cost_is_the_mean_of_the_middle_half() -> None:
    rounds = [{"server_us_per_op": cost, "database_us_per_op": cost / 2} for cost in (610, 590, 1_900, 600, 400, 605)]

    told = of_rounds(rounds)

    assert (told["server_us_per_op"], told["database_us_per_op"]) == (601.25, 300.62)
    assert total_us(told) == 901.87
    assert (told["least_us"], told["most_us"], told["rounds"]) == (600, 2_850, 6)


def test_single_round_counts_whole() -> None:
    assert of_rounds([{"server_us_per_op": 600.0, "database_us_per_op": 300.0}])["server_us_per_op"] == 600
