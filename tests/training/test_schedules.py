import math
from typing import get_args

import pytest

from deepernets.recipes.recipe import ScheduleName
from deepernets.training.schedules import (
    SCHEDULES,
    constant,
    cosine,
    get_schedule,
    one_cycle,
    reduce_on_plateau,
    step,
    warm_up,
)

PROGRESS = [step / 200 for step in range(200)]


def test_recipes_name_every_schedule() -> None:
    assert get_args(ScheduleName) == tuple(SCHEDULES)


@pytest.mark.parametrize("name", list(SCHEDULES))
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_every_schedule_stays_between_nothing_and_the_full_rate(name: str, share: float) -> None:
    schedule = get_schedule(name, share)
    factors = [schedule(progress) for progress in PROGRESS]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) > 0.9


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_a_schedule_is_a_function_of_its_arguments_alone(name: str) -> None:
    schedule = get_schedule(name, 0.1)
    forwards = [schedule(progress) for progress in PROGRESS]
    assert [schedule(progress) for progress in reversed(PROGRESS)] == forwards[::-1]


def test_step_has_the_papers_milestones() -> None:
    """He et al. 2016, section 4.2: 0.1, divided by 10 at 32k and 48k of 64k iterations."""
    rates = [0.1 * step(iteration / 64_000) for iteration in (0, 31_999, 32_000, 47_999, 48_000, 63_999)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_plateau_drops_three_times_at_most() -> None:
    stuck = [0.3] * 100
    factors = [reduce_on_plateau(stuck[:epochs], patience=5) for epochs in range(100)]
    assert sorted(set(factors), reverse=True) == pytest.approx([1, 0.1, 0.01, 0.001])
    assert sum(factor == 1 for factor in factors) == 6  # the first epoch, and five that were no better


def test_plateau_waits_while_the_error_falls() -> None:
    assert reduce_on_plateau([1 / epoch for epoch in range(1, 50)]) == 1


def test_cosine_and_one_cycle_follow_their_formulas() -> None:
    for progress in PROGRESS:
        assert cosine(progress) == pytest.approx((1 + math.cos(math.pi * progress)) / 2)
    assert max(PROGRESS, key=one_cycle) == pytest.approx(0.3)
    assert one_cycle(0.15) == pytest.approx((1 + 0.04) / 2)


def test_warm_up_ends_where_the_schedule_goes_on() -> None:
    assert warm_up(0.2, schedule=cosine, share=0.2) == cosine(0.2)
    assert warm_up(0.1, schedule=constant, share=0.2, first=0.5) == pytest.approx(0.75)
