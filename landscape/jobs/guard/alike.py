"""What must be the same where a study is asked for and on each worker that computes it: versions, and the cache folder.

A worker may join a scheduler at any time, so each looks before it does anything for a study.
"""

from __future__ import annotations

from functools import cache

from distributed import get_worker

from landscape._version import __version__
from landscape.jobs.attempt import Asker, Attempt
from landscape.jobs.installed import versions
from landscape.store.parts.kept import begun_study


@cache
def versions_here() -> dict[str, str]:
    """The versions of this package and of the libraries on which numbers and files depend."""
    return {"landscape": __version__} | versions()


def asker(attempt: Attempt) -> Asker:
    """What workers compare themselves with: the study is noted in the cache folder, where they must find it."""
    return Asker(versions_here(), attempt.parts.note_study())


def difference(attempt: Attempt) -> str:
    """What forbids this worker to compute a study, in words: another version, or another folder. Empty where nothing.

    A library that only one of them has is not compared: who asks need not be able to compute.
    """
    if attempt.asker is None:
        return ""
    here, name = versions_here(), f"the worker {get_worker().address}"
    for each, there in attempt.asker.versions.items():
        if here.get(each, there) != there:
            return f"{name} has {each} {here[each]}, and {each} {there} asked for the study: all need the same versions"
    seen = begun_study(attempt.parts.folder) or attempt.study.key in attempt.store
    if attempt.asker.noted and not seen:
        return (
            f"{name} does not see the cache folder {attempt.store.root}: all need the same folder under the same path"
        )
    return ""
