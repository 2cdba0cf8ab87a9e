"""W1: how many pushes reached everybody, from rounds of which some met a busy neighbour."""

from __future__ import annotations

import pytest

from benchmarks.fan_out import figures, pushes_per_s, usual_pace
from benchmarks.generator import Seen
from benchmarks.results import LOWER_BOUND

WHOLE = Seen(sent=12_000, acked=12_000, sent_per_s=10_000, ratio=1.0, p50=20, p99=40, ack_p99=41, pace_us=16)


def _round(**changes: float | str) -> Seen:
    return Seen(**({name: getattr(WHOLE, name) for name in WHOLE.__struct_fields__} | changes))


def test_rate_is_the_mean_of_the_middle_half_of_the_rounds() -> None:
    rates = (9_000, 10_100, 20_000, 9_900, 1_000, 10_000, 10_200, 9_800)

    told = figures([_round(sent_per_s=rate) for rate in rates], usual_us=16, is_stored=True)

    assert told["load"] == 9_950
    assert told["delivered_per_s"] == 995_000
    assert (told["least"], told["most"], told["rounds"]) == (1_000, 20_000, 8)
    assert told["stored_p99_ms"] == 41


def test_rate_is_told_as_if_its_core_had_been_at_the_usual_pace() -> None:
    assert figures([_round(pace_us=20)], usual_us=16, is_stored=True)["load"] == 12_500
    assert figures([_round(pace_us=0)], usual_us=16, is_stored=True)["load"] == 10_000, "nobody looked at the pace"
    assert usual_pace([_round(), _round(pace_us=0, error="no"), _round(pace_us=20)]) == 18


@pytest.mark.parametrize("trouble", [{"error": "no"}, {"errors": 1}, {"closed": 1}, {"rejected": 1}, {"sent": 0}])
def test_round_in_which_somebody_was_refused_delivered_nothing(trouble: dict[str, int | str]) -> None:
    assert pushes_per_s(_round(**trouble), is_stored=True) == 0


def test_only_what_arrived_and_was_acknowledged_counts() -> None:
    assert pushes_per_s(_round(ratio=0.5), is_stored=True) == 5_000
    assert pushes_per_s(_round(acked=6_000), is_stored=True) == 5_000
    assert pushes_per_s(_round(acked=0), is_stored=True) == 0
    assert pushes_per_s(_round(acked=0), is_stored=False) == 10_000, "a peer acknowledges nothing"
    assert "stored_p99_ms" not in figures([_round(acked=0)], usual_us=16, is_stored=False)


def test_rate_at_which_the_generator_was_busy_is_a_lower_bound() -> None:
    busy = _round(gen_cpu=0.95, srv_cpu=0.5)

    assert figures([busy, busy, _round()], usual_us=16, is_stored=True)[LOWER_BOUND] == 1
    assert LOWER_BOUND not in figures([busy, _round()], usual_us=16, is_stored=True)
