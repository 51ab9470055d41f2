"""A study of a module of one's own, described: built, tried on a few examples and counted, before it is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from landscape.analysis.wording import size_in_words
from landscape.data import Data
from landscape.jobs.own import surveyed
from landscape.jobs.own.code import builder
from landscape.jobs.own.computation import computation_digest
from landscape.jobs.processes import capacity
from landscape.jobs.tasks.examples import examples
from landscape.jobs.tasks.networks import at_expansion, seen, zeros
from landscape.models.functional import split, trainable
from landscape.models.own import HANDED, Handed, hand_over
from landscape.models.own.facts import FEW, checked, counted, facts, first_line, weight_bytes
from landscape.models.symmetry import check_rows, unit_groups
from landscape.models.tracing.analysis import Shapes
from landscape.proxies import TokenModel
from landscape.proxies._network import scored_weights
from landscape.proxies._synflow import score as synflow
from landscape.study import Study, validated
from landscape.study.kinds import OwnSpec
from landscape.study.kinds.own import Counted, FoundModule
from landscape.study.member import Member, members


def handed_over(study: Study, build: Callable[..., Any]) -> Study:
    """The study with a function of this process as its module, which is known by what it computes.

    Raises ValueError for a study of another kind, and where the function fails.
    """
    if not isinstance(study.model, OwnSpec):
        raise ValueError(f"`build` is for a model of kind 'own'; the study has one of kind {study.model.kind!r}")
    data = examples(study.data)
    content = computation_digest(build, seen(study).shape, data.classes, _few(data))
    hand_over(content, build)
    return study.model_copy(update={"model": OwnSpec(content=content)})


def described(study: Study) -> Study:
    """The study with what its data hold and its module has been found to be: groups, and costs of base and candidates.

    The file that the study names is run, unless the function was handed over before.

    Raises ValueError for a module that cannot take part, for candidates that it cannot become, and for a study that was
    stored or sent, whose file is not run.
    """
    spec = study.model
    assert isinstance(spec, OwnSpec)
    if spec.content not in HANDED:
        if spec.described:
            raise ValueError(f"{study.name} is not computed here: {spec.refusal}")
        hand_over(str(spec.content), builder(spec))
    study = surveyed(study)
    data = examples(study.data)
    shape, targets = seen(study).shape, data.train.targets.shape[1:]
    _check_room(HANDED[str(spec.content)], shape, data.classes)
    base = checked(HANDED[str(spec.content)], shape, data.classes, _few(data), targets)
    _check_compared(base)
    _check_scored(base, study, _few(data))
    found = facts(base)
    study = _with(study, found)
    start, shapes = zeros(split(base)), Shapes.of(data.train.inputs)
    networks = [_counted(each, start, shapes) for each in members(study) if not each.is_control]
    return _with(study, found.model_copy(update={"networks": tuple(networks)}))


def _check_room(handed: Handed, shape: tuple[int, ...], classes: int) -> None:
    """Raises ValueError for a network whose weights alone are more than the memory, before it is built."""
    if (needed := weight_bytes(handed, shape, classes)) > capacity.memory():
        raise ValueError(
            f"the weights of what build({shape}, {classes}, rngs) returns take {size_in_words(needed)}, and "
            f"this computer has {size_in_words(capacity.memory())} of memory"
        )


def _check_compared(model: nnx.Module) -> None:
    """Raises ValueError for a network whose seeds could not be aligned in the end."""
    for group in unit_groups(model).values():
        try:
            check_rows(group, trainable(model))
        except ValueError as error:
            raise ValueError(
                f"{type(model).__name__} can be walked in a notebook, but takes no part in a study, which aligns its "
                f"seeds: {error}"
            ) from None


def _check_scored(model: nnx.Module, study: Study, inputs: Any) -> None:
    """Raises ValueError for a network that the proxies could not score, before hours are spent on it."""
    scored_weights(split(model), inputs)
    if study.data.modality == "text" and not isinstance(model, TokenModel):
        raise ValueError(
            f"{type(model).__name__} reads tokens, so it needs the methods `embed` and `from_embeddings` "
            "(landscape.proxies.TokenModel)"
        )
    try:
        synflow.check(model, inputs, None)
    except Exception as error:  # whatever the user's network raises
        raise ValueError(
            f"{type(model).__name__} cannot be scored by SynFlow, which computes in 64 bits, so that arrays that the "
            f"network makes must have the type of its inputs: {first_line(error, type(model).__call__)}"
        ) from error


def _few(data: Data) -> Any:
    """The examples on which a module is tried."""
    if len(data.train) < FEW:
        raise ValueError(f"a module is tried on {FEW} training examples; there are {len(data.train)}")
    return jax.tree.map(lambda array: jnp.asarray(array[:FEW]), data.train.inputs)


def _with(study: Study, found: FoundModule) -> Study:
    """The study with what is known of its module. Raises ValueError where the rest of the study does not fit it."""
    model = study.model.model_copy(update={"found": found})
    return validated({name: getattr(study, name) for name in Study.model_fields} | {"model": model})


def _counted(member: Member, base: nnx.Module, shapes: Shapes) -> Counted:
    try:
        found = counted(at_expansion(member, 0, base).model, shapes)
    except ValueError as error:
        raise ValueError(f"{member.label}: {error}") from None
    if dict(found.sizes) != member.sizes:
        raise ValueError(f"{member.label} gives groups of {dict(found.sizes)} units; they must be {member.sizes}")
    return found
