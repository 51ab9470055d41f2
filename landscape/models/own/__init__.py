"""Networks that a function of the user builds: which functions were handed over, and the networks that they build.

Only what runs in this process at the user's word puts a function here: the command line, which was given the file of a
study, and `landscape.run` in a notebook. A description of a model cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flax import nnx

from landscape.study.kinds.own import OwnSpec

Build = Callable[[tuple[int, ...], int, nnx.Rngs], Any]


@dataclass
class Handed:
    """A function that was handed over.

    build: from the shape of an input, the number of classes and the generators of random numbers to a module; attach:
    gives a module the groups that were found for inputs of this shape and so many classes; it is missing for a module
    with a table of its own.
    """

    build: Build
    attach: dict[tuple[tuple[int, ...], int], Callable[[Any], Any]] = field(default_factory=dict)


HANDED: dict[str, Handed] = {}  # by `OwnSpec.content`


def hand_over(content: str, build: Build) -> Handed:
    """Let studies whose module has this content build their networks by the function."""
    return HANDED.setdefault(content, Handed(build))


def built(spec: OwnSpec, shape: tuple[int, ...], classes: int, rngs: nnx.Rngs) -> Any:
    """A network of the module with its groups. Raises ValueError where its function was not handed over."""
    handed = HANDED.get(spec.content or "")
    if handed is None:
        raise ValueError(f"{spec.module or 'this module'} is not built here: {spec.refusal}")
    attach = handed.attach.get((shape, classes), lambda model: model)
    return attach(handed.build(shape, classes, rngs))
