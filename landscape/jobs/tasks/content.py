"""What the numbers of a task depend on: a task of which two studies have all of this in common is computed once.

A content starts from all that a study's key is made of and leaves out what the task's numbers do not depend on. So a
setting that is added later counts, until somebody knows that it does not. What earlier tasks contribute is not
described but hashed: a key holds the checksums of the weights that the task starts from.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import jax

from landscape.data.registry import IMAGE_SETS
from landscape.jobs.installed import versions
from landscape.jobs.provenance import device
from landscape.jobs.tasks.networks import kept_epochs
from landscape.study import Study
from landscape.study.member import Member
from landscape.study.predictors import proxies

Content: TypeAlias = dict[str, Any]

CODE = (  # of this package, which numbers depend on
    *("study", "data", "numerics", "models", "training", "proxies", "barriers"),
    *("jobs/tasks", "jobs/measurements.py", "analysis/plane.py"),
)
OF_THE_SET = ("candidates", "seeds", "control")  # which members there are, and how many of each
OF_TRAINING = ("training", "expansion")  # on which what is measured of a network depends through its weights alone
OF_BASE = ("training.base_epochs", "training.patience")
ASKED = ("walk.sharpness", "walk.batches")  # for tasks of their own
LENGTHS = ("walk.permutations", "walk.nodes", "walk.checkpoints", "walk.surface", *ASKED)
SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision")  # of JAX
DIGITS = 16  # of a SHA-256


def of_base(study: Study, seeds: range) -> Content:
    """Of training the bases of some seeds together."""
    return _without(study, *OF_THE_SET, "expansion", "walk", "training.epochs") | {"task": "base", "seeds": [*seeds]}


def of_candidate(member: Member, seeds: range) -> Content:
    """Of training candidates, or controls, of some seeds together, beside the bases."""
    left = _without(member.study, *OF_THE_SET, *OF_BASE, "walk", *(["expansion"] if member.is_control else []))
    return left | _place(member) | {"task": "candidate", "seeds": [*seeds]} | _epochs(member)


def of_look(member: Member, seed: int) -> Content:
    """Of what is measured of a network beside its barriers. The first nodes of longer walks are the same."""
    walk, first = member.study.walk, seed == 0
    more = {
        "nodes": min(walk.nodes, walk.permutations + 1),
        "moments": [*member.moments.values()],
        "surface": walk.surface if first else 0,
        "proxies": [*proxies()] if member.is_candidate else [],
    }
    return _measured(member) | {"task": "look", "seed": seed} | more


def of_walk(member: Member, seed: int, steps: int) -> Content:
    """Of the barriers of the first steps of a walk, at all checkpoints: a shorter walk is a prefix of a longer one."""
    return _measured(member) | {"task": "walk", "seed": seed, "steps": steps, "checkpoints": member.checkpoints}


def of_batches(member: Member, seed: int) -> Content:
    """Of the barriers of a walk on further batches."""
    walk = member.study.walk
    return _measured(member) | {"task": "batches", "seed": seed, "steps": walk.permutations, "batches": [*walk.batches]}


def of_sharpness(member: Member, seed: int) -> Content:
    """Of the Hessian at all checkpoints."""
    return _measured(member) | {"task": "sharpness", "seed": seed, "checkpoints": member.checkpoints}


def of_pair(member: Member, first: int) -> Content:
    """Of the lines from the network of a seed to that of the next."""
    return _measured(member) | {"task": "pair", "first": first, "moments": [*member.moments.values()]}


def task_key(study: Study, content: Content, needs: Iterable[str]) -> str:
    """The name under which the outcome of a task serves every study; empty where it must not.

    `needs` are the checksums of the weights of what the task needs. Code outside of this package may change between
    two runs without being noticed, so what a task computes by it stays with its study.
    """
    if any(module.partition(".")[0] != "landscape" for module in _modules(study)) or not all(needs := [*needs]):
        return ""
    return _digest(json.dumps([circumstances(), content, needs], sort_keys=True).encode())


def _modules(study: Study) -> Iterable[str]:
    """The modules of registered functions and classes that a study may use."""
    yield type(study.model).__module__
    if study.data.name in IMAGE_SETS:
        yield IMAGE_SETS[study.data.name].read.__module__
    for proxy in proxies().values():
        yield proxy.function if isinstance(proxy.function, str) else str(getattr(proxy.function, "__module__", ""))


@cache
def circumstances() -> list[str]:
    """What else decides the last bits: this package's code, the versions of libraries, the device, and its settings."""
    package, code = Path(str(resources.files("landscape"))), hashlib.sha256()
    for path in sorted(file for name in CODE for file in _files(package / name)):
        code.update(path.read_bytes())
    settings = [str(getattr(jax.config, name)) for name in SETTINGS]
    return [code.hexdigest(), json.dumps(versions()), device(), *settings, os.environ.get("XLA_FLAGS", "")]


def _files(path: Path) -> Iterable[Path]:
    return path.rglob("*.py") if path.is_dir() else [path]


def _without(study: Study, *names: str) -> Content:
    """The content of a study without some of its sections, or `section.setting`s."""
    content = study.content
    for name in names:
        section, _, setting = name.rpartition(".")
        (content[section] if section else content).pop(setting, None)
    return content


def _measured(member: Member) -> Content:
    return _without(member.study, *OF_THE_SET, *OF_TRAINING, *LENGTHS) | _place(member)


def _epochs(member: Member) -> Content:
    """The epochs whose weights are kept, and those at which the copies of units are compared."""
    return {"kept": sorted(kept_epochs(member)), "checkpoints": member.checkpoints}


def _place(member: Member) -> Content:
    """Which member it is: random keys depend on its index."""
    steps = member.study.candidates[member.index - 1] if member.is_candidate else ()
    return {
        "member": member.index,
        "control": member.is_control,
        "steps": [step.model_dump(mode="json") for step in steps],
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]
