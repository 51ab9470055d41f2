"""How far a study is, on stderr: one live line on a terminal, elsewhere a plain line for each finished task."""

from __future__ import annotations

from contextlib import suppress
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Live

from landscape.analysis.wording import duration
from landscape.jobs.progress import Progress


class ProgressLine:
    """A context in which `show` displays the progress; a terminal is left as if nothing had been shown."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = BarColumn(), TaskProgressColumn(), TextColumn("{task.description}", markup=False)
        self._live = Live(*columns, console=self._console, transient=True, redirect_stdout=False)
        self._task = self._live.add_task("", total=1.0)
        self._parts, self._trouble, self._refused = -1, "", set[str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._console.is_interactive:
            with suppress(OSError):  # the terminal may have been closed
                self._live.stop()

    def show(self, progress: Progress) -> None:
        """Show where a study stands, and once of each worker that is passed over why it is."""
        for worker in progress.refused.keys() - self._refused:
            self._refused.add(worker)
            self._console.print(f"A worker is passed over: {progress.refused[worker]}", markup=False, highlight=False)
        if self._console.is_interactive:
            self._live.start()
            self._live.update(self._task, completed=progress.fraction, description=_text(progress))
        elif progress.parts > self._parts or progress.trouble != self._trouble:
            self._parts, self._trouble = progress.parts, progress.trouble
            print(f"{progress.fraction:4.0%}  {_text(progress)}", file=self._console.file, flush=True)


def _text(progress: Progress) -> str:
    """What is being done, how long the rest will take, and how much had been computed before."""
    left = "" if progress.left is None else f"{duration(progress.left)} left"
    return ", ".join(filter(None, (progress.activity, left, progress.found_in_words)))
