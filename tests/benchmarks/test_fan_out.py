"""W1: how many pushes reached everybody, from rounds of which some met a busy neighbour."""

from __future__ import annotations

import pytest

from benchmarks.fan_out import delivered_per_s, figures
from benchmarks.generator import Seen

WHOLE = Seen(sent=12_000, acked=12_000, sent_per_s=10_000, ratio=1.0, p50=20, p99=40, ack_p99=41, pace_us=16)


def _round(**changes: float | str) -> Seen:
    return Seen(**({name: getattr(WHOLE, name) for name in WHOLE.__struct_fields__} | changes))


def test_rate_is_the_mean_of_the_middle_half_of_the_rounds() -> None:
    rates = (9_000, 10_100, 20_000, 9_900, 1_000, 10_000, 10_200, 9_800)

    told = figures([_round(sent_per_s=rate) for rate in rates], usual_us=16)

    assert told["load"] == 9_950
    assert told["delivered_per_s"] == 995_000
    assert (told["least"], told["most"], told["looks"]) == (1_000, 20_000, 8)
    assert told["stored_p99_ms"] == 41


def test_rate_is_told_as_if_its_core_had_been_at_the_usual_pace() -> None:
    assert figures([_round(pace_us=20)], usual_us=16)["load"] == 12_500
    assert figures([_round(pace_us=0)], usual_us=16)["load"] == 10_000, "nobody looked at the pace"


@pytest.mark.parametrize("trouble", [{"error": "no"}, {"errors": 1}, {"closed": 1}, {"rejected": 1}, {"acked": 11_999}])
def test_round_in_which_somebody_was_refused_delivered_nothing(trouble: dict[str, int | str]) -> None:
    assert delivered_per_s(_round(**trouble)) == 0


def test_peer_that_acknowledges_nothing_is_counted_by_what_arrived() -> None:
    assert delivered_per_s(_round(acked=0, ratio=0.5)) == 5_000
    assert "stored_p99_ms" not in figures([_round(acked=0)], usual_us=16)
