from collections import Counter

from chaos.faults import ALONE, FAULTS
from chaos.plan import LATEST_STRIKE, plan


def test_the_same_seed_is_the_same_plan_and_another_seed_another() -> None:
    assert plan(list(FAULTS), 50, 1, ALONE) == plan(list(FAULTS), 50, 1, ALONE) != plan(list(FAULTS), 50, 2, ALONE)


def test_every_fault_strikes_even_in_a_short_run() -> None:
    for seed in range(50):
        assert {strike.fault for strikes in plan(list(FAULTS), 7, seed, ALONE) for strike in strikes} == FAULTS.keys()


def test_in_a_long_run_all_faults_strike_about_as_often_and_at_most_two_at_once() -> None:
    planned = plan(list(FAULTS), 100, 1, ALONE)
    times = Counter(strike.fault for strikes in planned for strike in strikes)
    assert max(times.values()) - min(times.values()) <= 1
    assert {len(strikes) for strikes in planned} == {1, 2}


def test_no_fault_strikes_twice_in_a_round_and_each_early_in_it() -> None:
    for strikes in plan(list(FAULTS), 100, 3, ALONE):
        assert len({strike.fault for strike in strikes}) == len(strikes)
        assert all(0 < strike.after <= LATEST_STRIKE for strike in strikes)


def test_what_needs_the_stage_for_itself_has_a_round_for_itself() -> None:
    for strikes in plan(list(FAULTS), 100, 4, ALONE):
        names = {strike.fault for strike in strikes}
        assert len(names) == 1 or not names & ALONE
