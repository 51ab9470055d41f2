"""A command that is asked to stop does, in one sentence, and leaves nothing behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from waiting import PATIENCE

from landscape.cli import signals
from landscape.cli.signals import STOPPING, Stopped, stoppable


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    """A run in the background, or under nohup, inherits that some are ignored."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOPPING)
def test_each_signal_stops_with_its_code_and_what_was_there_before_comes_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped, stoppable():
        os.kill(os.getpid(), number)
        time.sleep(10)
    assert stopped.value.code == 128 + number and signal.getsignal(number) is before


def test_while_what_is_open_is_closed_further_signals_are_ignored() -> None:
    closed = []
    with pytest.raises(Stopped), stoppable():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        finally:
            for number in STOPPING:
                os.kill(os.getpid(), number)
            closed.append(True)
    assert closed


def test_a_signal_that_comes_in_a_callback_of_the_garbage_collector_is_not_lost() -> None:
    """Python prints what such a callback raises, and goes on: JAX has one."""
    waiting = [True]

    def callback(phase: str, info: object) -> None:
        if waiting and waiting.pop():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)

    with pytest.raises(Stopped), stoppable():
        gc.callbacks.append(callback)
        try:
            gc.collect()
            time.sleep(10)
        finally:
            gc.callbacks.remove(callback)
    assert not waiting


def test_under_nohup_the_end_of_the_terminal_stops_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(2 * signals.AGAIN)
    finally:
        signal.signal(signal.SIGHUP, before)


TOML = """
seeds = 2
candidates = [[{ widen = "hidden1", size = 6 }]]
data = { name = "digits", train_size = 120, validation_size = 100 }
model = { kind = "mlp", hidden = [5] }
training = { batch_size = 60, base_epochs = 2, epochs = 1 }
walk = { group = "hidden1", permutations = 4, batch_size = 60, nodes = 2 }
"""


@pytest.mark.slow
def test_ctrl_c_of_several_processes_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    """A terminal sends it to all of them."""
    (study := tmp_path / "study.toml").write_text(TOML)
    command = [
        sys.executable,
        "-m",
        "landscape",
        "run",
        str(study),
        "--workers",
        "2",
        "--cache",
        str(tmp_path / "cache"),
    ]
    with (tmp_path / "told").open("w") as heard:  # a pipe that nobody reads may be full before the run has begun
        run = subprocess.Popen(command, stderr=heard, start_new_session=True)
    while not list(tmp_path.glob("cache/.parts/*/*/record.json")):
        time.sleep(0.05)
        assert run.poll() is None
    workers = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=PATIENCE) == 130
    told = (tmp_path / "told").read_text()
    assert told.splitlines()[-1] == "Stopped. What is finished is kept; the same command continues from there."
    assert "Traceback" not in told and "KeyboardInterrupt" not in told
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE)
    assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []
    assert list(tmp_path.rglob(".tmp-*")) == []
