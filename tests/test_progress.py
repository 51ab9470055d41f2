"""What is said of a study that is computed: how far it is, what it does, how long it takes."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landscape.jobs.plan import plan_study
from landscape.jobs.progress import STARTUP, Meter, StudyUpdate, Tally, TaskUpdate, Update
from landscape.jobs.tasks.names import task_in_words
from landscape.study.presets import preset

updates = st.lists(
    st.one_of(
        st.builds(
            StudyUpdate,
            st.just("a"),
            st.integers(0, 2),
            st.sampled_from(["waiting", "running", "done", "failed", "cancelled"]),
            st.just(1.0),
            st.just(2.0),
            total=st.just(10.0),
            done=st.floats(0, 4),
            finished=st.sampled_from(["", "x", "y"]),
        ),
        st.builds(
            TaskUpdate,
            st.just("a"),
            st.integers(0, 2),
            st.sampled_from("xy"),
            st.just(3.0),
            st.just("s"),
            st.floats(0, 1),
        ),
    ),
    max_size=12,
)


@given(updates, st.data())
def test_tally_of_updates_heard_twice_and_late(sent: list[Update], data: st.DataObject) -> None:
    """Whoever joins in the middle, and hears old updates after new ones, ends at what all others see."""
    there, late = Tally(), Tally()
    for at, update in enumerate(sent):
        there.add(update, float(at))
    start = data.draw(st.integers(0, len(sent)))
    for at, update in [*enumerate(sent)][start:]:
        there.add(update, float(at))
    for at, update in enumerate(sent):
        late.add(update, float(at))
    seen, seen_late = there.progress(), late.progress()
    if seen is None:
        assert seen_late is None
    else:
        assert seen._replace(elapsed=0, left=None) == seen_late._replace(elapsed=0, left=None)
        assert 0 <= seen.fraction <= 1


def test_time_left_is_in_proportion_to_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    tally, now = Tally(), time.time()
    monkeypatch.setattr("landscape.jobs.progress.time.time", lambda: now)
    tally.add(StudyUpdate("a", 0, "running", now - 30, now, kept=20.0, done=20.0, total=100.0))
    assert tally.progress().left is None
    tally.add(StudyUpdate("a", 0, "running", now - 30, now, kept=20.0, done=40.0, total=100.0, finished="x"))
    tally.add(TaskUpdate("a", 0, "y", 40.0, "half of y", 0.5))
    progress = tally.progress()
    assert progress.state == "running" and progress.activity == "half of y" and progress.fraction == 0.6
    assert progress.left == pytest.approx(30 * 40 / 40)  # 40 in 30 seconds, and 40 to go


def test_time_left_is_steady_where_it_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that takes 100 s, of which 20 compile at first, where 80 were expected: within a quarter at any time.

    And it reaches 0 whatever was expected. The engine's start comes on top, and does not count as the pace of the work.
    """
    clock = [1000.0]
    monkeypatch.setattr("landscape.jobs.progress.time.time", lambda: clock[0])
    tally = Tally()
    tally.add(StudyUpdate("a", 0, "waiting", 1000.0, 1000.0, expected=80.0))
    assert tally.progress().left == 80.0 + STARTUP
    for seconds in range(0, 101, 5):
        clock[0] = 1020.0 + seconds
        done = max(0.0, (seconds - 20) / 80 * 100)
        tally.add(StudyUpdate("a", 0, "running", 1020.0, clock[0], done=done, total=100.0, finished="x"))
        left = tally.progress().left
        assert left == pytest.approx(100 - seconds, rel=0.25, abs=20) and (seconds < 100 or left == 0)


@pytest.mark.parametrize("name", ["digits-mlp", "cnn-cifar10-gpu", "tinybert"])
def test_every_task_says_what_it_does(name: str) -> None:
    study = preset(name).scaled(seeds=3)
    assert task_in_words(study.scaled(epochs=0), "candidate1-seed0").startswith("Expanding to ")
    told = {task: task_in_words(study, task) for task in plan_study(study)}
    assert len({*told.values()}) == len([task for task in told if not re.search("walk[1-9]", task)])
    assert all(text.split()[0] in ("Training", "Measuring", "Comparing") for text in told.values())
    assert not any(re.search("candidate[0-9]|seed0|look", text) for text in told.values())


def test_meter_sends_what_a_task_is_doing_and_that_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landscape.jobs.progress.PERIOD", 0)
    sent: list[TaskUpdate] = []
    meter = Meter("a", 0, "x", "Training", 1.0, sent.append)
    for call in [("epoch", 0, 10), ("epoch", 1, 10), ("nothing", 0, 0)]:
        meter(*call)
    meter.end()
    assert [update.fraction for update in sent] == [0, 0, 0.1, 1, 1]
    assert [update.activity for update in sent][1:3] == ["Training: epoch 0 of 10", "Training: epoch 1 of 10"]
