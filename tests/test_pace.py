"""The time that is left, by the tasks that are done: of invented durations, in the order of real studies."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.jobs.plan import plan_study
from landscape.jobs.progress import StudyUpdate, Tally, TaskUpdate
from landscape.jobs.tasks.names import kind_of
from landscape.jobs.tasks.pace import Pace
from landscape.study.presets import preset

WEIGHTS = {name: task.weight for name, task in plan_study(preset("digits-mlp").scaled(seeds=4)).items()}
KINDS = sorted({kind_of(name)[0] for name in WEIGHTS})


@settings(max_examples=30)
@given(st.lists(st.floats(0.01, 10), min_size=len(KINDS), max_size=len(KINDS)), st.floats(0, 1))
def test_the_time_left_is_within_a_factor_of_two_after_a_task_of_each_kind(
    rates: list[float], compiling: float
) -> None:
    """Where the first task of each kind and member compiles, for up to as long as it then runs; and exact after two."""
    pace, run = Pace(WEIGHTS), {name: rates[KINDS.index(kind_of(name)[0])] * each for name, each in WEIGHTS.items()}
    for name in of_seed(0):
        pace.add(name, run[name] * (1 + compiling))
    for missing in (of_seed(1), of_seed(2) + of_seed(3)):
        true = sum(run[name] for name in missing)
        assert true * (1 - 1e-9) <= pace.left(missing) <= 2 * true * (1 + 1e-9)
    for name in of_seed(1):
        pace.add(name, run[name])
    trained = [name for name in of_seed(2) if name.count("-") == 1]
    assert pace.left(trained) == pytest.approx(sum(run[name] for name in trained))


def of_seed(seed: int) -> list[str]:
    """Its tasks in the order of the plan, without those that compare it with others."""
    return [name for name in WEIGHTS if f"-seed{seed}" in name]


def test_a_member_takes_as_long_as_the_first_of_the_others_and_nothing_is_said_before() -> None:
    pace = Pace(WEIGHTS)
    assert pace.left(WEIGHTS) == 0
    for name in ("base-seed0", "candidate1-seed0"):
        pace.add(name, 3 * WEIGHTS[name])
    assert pace.left(["candidate2-seed0"]) == pytest.approx(3 * WEIGHTS["candidate2-seed0"])
    assert pace.left(["candidate2-seed0-walk0"]) == pace.left([]) == 0
    pace.add("candidate1-seed1", 1.5 * WEIGHTS["candidate1-seed1"])
    assert pace.left(["candidate1-seed2"]) == pytest.approx(1.5 * WEIGHTS["candidate1-seed2"])


def test_what_one_member_has_compiled_for_all_does_not_count_for_the_others() -> None:
    """The first takes ten times as long, as it compiles the program of all; the second already does not."""
    pace = Pace(WEIGHTS)
    pace.add("candidate1-seed0", 30 * WEIGHTS["candidate1-seed0"])
    pace.add("candidate2-seed0", 3 * WEIGHTS["candidate2-seed0"])
    for name in ("candidate1-seed1", "candidate2-seed1", "candidate3-seed0"):
        assert pace.left([name]) == pytest.approx(3 * WEIGHTS[name])


def test_tasks_that_run_share_what_is_left() -> None:
    """Four at the same time, each half done, of eight equal ones that take 10 s each."""
    tally, now = Tally(expected=1e6), time.time()
    tally.add(
        StudyUpdate("a", 0, "running", now, now, done=4.0, total=12.0, parts=4, tasks=12, finished="x", ahead=80.0)
    )
    assert tally.progress().activity == "4 of 12 tasks are done"
    for i in range(4):
        tally.add(TaskUpdate("a", 0, f"task{i}", 1.0, "half done", 0.5))
    assert tally.progress().left == pytest.approx(80 * 6 / 8 / 4)
