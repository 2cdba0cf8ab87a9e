from __future__ import annotations

import msgspec
import pytest

from benchmarks.generator import Load, Seen, holds

DRAGS = Load(rooms=1, clients=50, senders=50, hz=60)
PUSHES = Load(rooms=1, clients=10, senders=10, hz=20, is_durable=True)
GOOD = Seen(sent=100, acked=100, expected=1000, ratio=1.0, p99=20, ack_p99=20)


def test_relay_is_held_to_latency() -> None:
    assert holds(GOOD, DRAGS, None)
    assert not holds(msgspec.structs.replace(GOOD, p99=100.0), DRAGS, None)


@pytest.mark.parametrize("fault", [{"closed": 1}, {"errors": 1}, {"rejected": 1}, {"error": "no such server"}])
def test_nobody_may_be_sent_away(fault: dict[str, int | str]) -> None:
    assert not holds(msgspec.structs.replace(GOOD, **fault), DRAGS, None)


@pytest.mark.parametrize(("ratio", "passes"), [(0.41, True), (0.40, False)])
def test_merging_server_shows_what_its_tick_promises(ratio: float, passes: bool) -> None:
    """33 ms is 30.3 a second of the 60 that are sent; 80 % of it has to arrive."""
    assert holds(msgspec.structs.replace(GOOD, ratio=ratio), DRAGS, 33) is passes


def test_slow_senders_must_be_shown_nearly_whole() -> None:
    slow = msgspec.structs.replace(DRAGS, hz=20)

    assert not holds(msgspec.structs.replace(GOOD, ratio=0.79), slow, 33)


def test_every_push_is_stored_in_time() -> None:
    assert holds(GOOD, PUSHES, 33)
    assert not holds(msgspec.structs.replace(GOOD, acked=99), PUSHES, 33)
    assert not holds(msgspec.structs.replace(GOOD, ack_p99=100.0), PUSHES, 33)


def test_who_is_alone_hears_nobody() -> None:
    assert holds(msgspec.structs.replace(GOOD, expected=0, ratio=0, p99=99999), PUSHES, None)


def test_load_becomes_the_generators_words() -> None:
    words = PUSHES.arguments()

    assert words[words.index("--clients") + 1] == "10"
    assert words[-1] == "--push"


def test_generator_is_the_end_of_it_when_only_the_server_had_time_left() -> None:
    assert Seen(gen_cpu=0.95, srv_cpu=0.7).is_generator_bound
    assert Seen(lag_p99=30, srv_cpu=0.7).is_generator_bound
    assert not Seen(gen_cpu=0.95, srv_cpu=0.98).is_generator_bound
    assert not Seen(gen_cpu=0.5, srv_cpu=0.7).is_generator_bound


def test_what_never_arrived_has_no_latency() -> None:
    assert GOOD.latency_ms == 20
    assert msgspec.structs.replace(GOOD, p99=99999).latency_ms is None
    assert msgspec.structs.replace(GOOD, expected=0).latency_ms is None


def test_run_is_disturbed_by_others_on_the_machine_and_by_those_beside_it() -> None:
    assert not GOOD.is_disturbed
    assert Seen(foreign=0.06).is_disturbed
    assert Seen(slowness=1.1).is_disturbed
    assert not Seen(foreign=0.05, slowness=1.09).is_disturbed
