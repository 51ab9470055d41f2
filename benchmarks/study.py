"""A small study from its first to its last second: one process against several, and a plain program in PyTorch.

What is timed is a command in a process of its own, its imports included, as a user waits for it: `landscape run` with
one worker and with several, first in an empty folder and then with the compiled programs of the first run at hand; and
`benchmarks._algorithm1`, where PyTorch is installed. They take turns. The plain program computes less: training and
walks, but no curves, surfaces, predictors or lines between seeds. So several workers also run these tasks of the study
alone, in an empty folder, which compares like with like; no setting of a study leaves out the others. The plain program
runs some of the seeds, and its time is multiplied by how many there are; each takes as long as the others.

How much several workers can save is bounded by what one leaves idle: XLA's threads use other cores in parts of it. So
the processor time of one worker, spread over all cores, is given as a share of its wall time too.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks._measure import Aim, digits, short_of
from landscape.jobs.processes import capacity
from landscape.store.upkeep import PROGRAMS
from landscape.study import from_toml
from landscape.study.presets import preset

CNN = """
candidates = [[{ widen = "conv1", size = 6 }], [{ widen = "conv1", size = 8 }]]
seeds = 4
data = { train_size = 1000, validation_size = 797 }
model = { kind = "cnn", channels = [4, 8], dense = [32] }
training = { batch_size = 100, base_epochs = 20, patience = 20, epochs = 20 }
walk = { group = "conv1", permutations = 250, batch_size = 512, checkpoints = 3, nodes = 3 }
"""
TINY = """
candidates = [[{ widen = "hidden1", size = 6 }]]
seeds = 2
data = { train_size = 120, validation_size = 100 }
model = { kind = "mlp", hidden = [5] }
training = { batch_size = 60, base_epochs = 2, epochs = 1 }
walk = { group = "hidden1", permutations = 4, batch_size = 60, nodes = 2 }
"""
RUN = """
import sys
from pathlib import Path
from landscape.store import places
places.GALLERY = Path(sys.argv[2]) / "nothing"  # what is shipped is computed as well
if sys.argv[4] == "alone":
    from landscape.jobs.processes import programs
    programs.share(Path(sys.argv[2]))  # before the next line, which imports JAX
    from landscape.jobs import resume
    every = resume.plan_study
    resume.plan_study = lambda *study: {
        name: task for name, task in every(*study).items() if not name.endswith(("-look", "-pair"))
    }
from landscape.cli.parser import main
sys.exit(main(["run", sys.argv[1], "--cache", sys.argv[2], "--workers", sys.argv[3], "--json"]))
"""
LEAST = "processor time of 1 worker / N / its wall time"
SHARE, WARM_SHARE = "N workers / 1 worker", "N workers / 1 worker, compiled before"
OURS, WARM_OURS = "PyTorch / N workers", "PyTorch / N workers, compiled before"
ALONE, ALONE_OURS = "N workers, training and walks alone (s)", "PyTorch / N workers, training and walks alone"


class Work(NamedTuple):
    """One row: a study, its TOML file where it is no preset, and how many of its seeds the plain program runs."""

    name: str
    toml: str
    seeds: int
    aims: tuple[Aim, ...]


WORKS = [
    Work("digits-mlp", "", 1, (Aim(SHARE, 0.55, most=True), Aim(OURS, 10))),
    Work("digits-cnn", CNN, 1, (Aim(OURS, 5),)),
]


def run(quick: bool) -> Iterator[dict[str, Any]]:
    """One row a study."""
    with TemporaryDirectory() as folder:
        works = [Work("tiny", TINY, 1, ())] if quick else WORKS
        for work in works:
            yield _measured(work, Path(folder), 1 if quick else 2, quick)


def _measured(work: Work, folder: Path, turns: int, quick: bool) -> dict[str, Any]:
    """Each command once a turn; of several turns the median."""
    name, workers = work.name, max(2, capacity.cores())
    if work.toml:
        name = str(folder / f"{work.name}.toml")
        Path(name).write_text(work.toml)
    study = from_toml(name) if work.toml else preset(name)
    laps: dict[str, list[float]] = {}
    least: list[float] = []
    for turn in range(turns):
        for count in (workers, 1):
            cache = folder / f"{work.name}-{turn}-{count}"
            before = _processor_seconds()
            laps.setdefault(f"{count}", []).append(_lap(_ours(name, cache, count), quick))
            if count == 1:
                least.append((_processor_seconds() - before) / workers / laps["1"][-1])
            programs = len([*(cache / PROGRAMS).rglob("*-cache")])
            if not quick:
                _keep_programs(cache)
                laps.setdefault(f"{count}, warm", []).append(_lap(_ours(name, cache, count), quick))
        alone = _ours(name, folder / f"{work.name}-{turn}-alone", workers, "alone")
        laps.setdefault("alone", []).append(_lap(alone, quick))
        if find_spec("torch"):
            plain = [sys.executable, "-m", "benchmarks._algorithm1", name, str(work.seeds)]
            laps.setdefault("PyTorch", []).append(_lap(plain, quick) * study.seeds / work.seeds)
    seconds = {each: statistics.median(taken) for each, taken in laps.items()}
    row: dict[str, Any] = {
        "study": work.name,
        "workers": workers,
        "programs compiled by 1 worker": programs,
        "1 worker (s)": _digits(seconds, "1"),
        "N workers (s)": _digits(seconds, f"{workers}"),
        SHARE: _ratio(seconds, f"{workers}", "1"),
        LEAST: digits(statistics.median(least)),
        "1 worker, compiled before (s)": _digits(seconds, "1, warm"),
        "N workers, compiled before (s)": _digits(seconds, f"{workers}, warm"),
        WARM_SHARE: _ratio(seconds, f"{workers}, warm", "1, warm"),
        "PyTorch (s)": _digits(seconds, "PyTorch"),
        OURS: _ratio(seconds, "PyTorch", f"{workers}"),
        WARM_OURS: _ratio(seconds, "PyTorch", f"{workers}, warm"),
        ALONE: _digits(seconds, "alone"),
        ALONE_OURS: _ratio(seconds, "PyTorch", "alone"),
    }
    return row | {"short of its aim": short_of(row, work.aims)}


def _ours(name: str, cache: Path, workers: int, tasks: str = "all") -> list[str]:
    return [sys.executable, "-c", RUN, name, str(cache), str(workers), tasks]


def _lap(command: Sequence[str], quick: bool) -> float:
    """The seconds of a command. Programs that were compiled for others are not at hand, but in a test."""
    environment = {name: value for name, value in os.environ.items() if quick or not name.startswith("JAX_")}
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[-3:]} failed: {done.stderr[-2000:]}")
    return time.perf_counter() - start


def _processor_seconds() -> float:
    """What all commands that have ended took on all cores."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _keep_programs(cache: Path) -> None:
    """Remove everything that was computed; compiled programs stay."""
    for path in cache.iterdir():
        if path.name != PROGRAMS:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _digits(seconds: dict[str, float], name: str) -> float | None:
    return digits(seconds[name]) if name in seconds else None


def _ratio(seconds: dict[str, float], numerator: str, denominator: str) -> float | None:
    if not {numerator, denominator} <= seconds.keys():
        return None
    return digits(seconds[numerator] / seconds[denominator])
