"""What must be the same where a study is asked for and on each worker that computes it: versions, and the cache folder.

A worker may join a scheduler at any time, so each looks before it does anything for a study.
"""

from __future__ import annotations

from functools import cache

from distributed import get_worker

from landscape._version import __version__
from landscape.jobs.attempt import Asker, Attempt
from landscape.jobs.installed import versions
from landscape.store.partial import begun_study


class UnfitWorker(RuntimeError):
    """A worker that must not compute a study. The message says what is different there."""


@cache
def versions_here() -> dict[str, str]:
    """The versions of this package and of the libraries on which numbers and files depend."""
    return {"landscape": __version__} | versions()


def asker(attempt: Attempt) -> Asker:
    """What workers compare themselves with: the study is noted in the cache folder, where they must find it."""
    return Asker(versions_here(), attempt.parts.note_study())


def check_worker(attempt: Attempt) -> None:
    """Raise UnfitWorker where this worker has other versions than whoever asked for the study, or another folder.

    A library that one of them lacks is not compared: who asks need not be able to compute.
    """
    if attempt.asker is None:
        return
    here, name = versions_here(), f"the worker {get_worker().address}"
    for each, there in attempt.asker.versions.items():
        if here.get(each, there) != there:
            raise UnfitWorker(
                f"{name} has {each} {here[each]}, and {each} {there} asked for the study: all need the same versions"
            )
    seen = begun_study(attempt.parts.folder) or attempt.study.key in attempt.store
    if attempt.asker.noted and not seen:
        raise UnfitWorker(
            f"{name} does not see the cache folder {attempt.store.root}: all need the same folder under the same path"
        )
