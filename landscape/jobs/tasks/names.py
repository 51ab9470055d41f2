"""The names of tasks, read: what a task does, to which member and for which seeds. `landscape.jobs.plan` gives them."""

from __future__ import annotations

import re
from functools import lru_cache

from landscape.study import Study
from landscape.study.member import Member, members

DOING = {  # what a task does with a member, by what its name has behind the seeds
    "stored": "Reading what is stored",
    "look": "Measuring curves and predictors of {member}",
    "walk": "Measuring barriers of {member}",
    "pair": "Comparing two networks of {member}",
    "batches": "Measuring barriers of {member} on other batches",
    "sharpness": "Measuring the Hessian of {member}",
}
TASK = re.compile(r"(?P<member>[a-z]+\d*)-seeds?(?P<first>\d+)(?:_to_(?P<last>\d+))?(?:-(?P<what>[a-z]+)\d*)?")


def task_in_words(study: Study, task: str) -> str:
    """What a task does, as a progress line shows it. Seeds are counted from 1 here.

    >>> from landscape.jobs.tasks.names import task_in_words
    >>> from landscape.study.presets import preset
    >>> task_in_words(preset("digits-mlp"), "candidate4-seed0")
    'Training hidden1 → 12, seed 1 of 10'
    >>> task_in_words(preset("digits-mlp"), "base-seeds0_to_4")
    'Training the base, seeds 1 to 5 of 10'
    >>> task_in_words(preset("digits-mlp"), "candidate1-seeds0_to_1-pair")
    'Comparing two networks of hidden1 → 7, seeds 1 to 2 of 10'
    """
    every = {each.name: each for each in members(study)}
    names = {name: each.label if each.is_candidate else f"the {each.label}" for name, each in every.items()}
    found = TASK.fullmatch(task)
    if found is None:
        return task
    first, last = int(found["first"]) + 1, int(found["last"] or found["first"]) + 1
    seeds = f"seed {first}" if first == last else f"seeds {first} to {last}"
    doing = DOING[found["what"]] if found["what"] else _made(every[found["member"]])
    return f"{doing.format(member=names[found['member']])}, {seeds} of {study.seeds}"


def _made(member: Member) -> str:
    """How a member comes about, as an entry of `DOING`."""
    if member.epochs:
        return "Training {member}"
    return "Expanding to {member}" if member.is_candidate else "Evaluating {member}"


@lru_cache(maxsize=2**16)
def kind_of(name: str) -> tuple[str, str]:
    """What a task does, and to which member: tasks of which both are the same run the same programs.

    The base is apart, since early stopping may end its training soon.

    Example:
      >>> from landscape.jobs.tasks.names import kind_of
      >>> [kind_of(name) for name in ("candidate2-seed0", "base-seed1-walk0")]
      [('', 'candidate2'), ('base walk', 'base')]
    """
    found = TASK.fullmatch(name)
    if found is None:
        return name, ""
    member, what = found["member"], found["what"] or ""
    return (f"base {what}" if member == "base" else what), member
