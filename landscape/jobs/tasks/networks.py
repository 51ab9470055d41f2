"""The networks of a study: untrained, expanded, or with weights that an earlier task has trained."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from landscape.jobs.tasks.examples import examples
from landscape.models.expansion.filling import filling
from landscape.models.expansion.steps import Expanded, expand
from landscape.models.functional import Network, split
from landscape.models.functional import Weights as Arrays
from landscape.models.initializers import drawn_as_pytorch
from landscape.models.prng import Stream, stream_key
from landscape.models.weights.bert import check_vocabulary, vocabulary_of
from landscape.models.weights.own import filled
from landscape.models.weights.reader import tensors_of
from landscape.numerics.memory import tree_bytes
from landscape.study import Study
from landscape.study.examples import Examples, TextSpec
from landscape.study.member import Member, members
from landscape.study.sources import Weights
from landscape.study.steps import draws


def base_start(study: Study, seed: int) -> nnx.Module:
    """What the base of a seed starts from: random weights, or those that the study brings.

    Raises ValueError where its file is missing, or a tensor in it does not fit: by its name and both shapes.
    """
    model = untrained(Member(study, 0), seed)
    if study.weights is None:
        return model
    tensors = tensors_of(study.weights.content())
    if isinstance(study.data, TextSpec) and study.data.tokens:
        check_vocabulary(vocabulary_of(tensors), study.data.vocabulary)
    return filled(model, study.model, seen(study), tensors)


def seen(study: Study) -> Examples:
    """What the examples of a study look like, now that they are loaded.

    A network that a study brings may know more tokens than its text has: those are never right, and never masked.
    """
    data = examples(study.data)
    inputs, classes = data.train.inputs, data.classes
    shape = (inputs["tokens"] if study.data.modality == "text" else inputs).shape[1:]
    if study.weights and study.data.modality == "text":
        classes = max(classes, tokens_known(study.weights))
    return Examples(shape, classes, len(data.train) + len(data.validation))


@cache
def tokens_known(weights: Weights) -> int:
    """How many tokens a network for text has an embedding of."""
    return vocabulary_of(tensors_of(weights.content()))


def untrained(member: Member, seed: int) -> nnx.Module:
    """A network of the member's sizes, with random weights."""
    study, (shape, classes, *_) = member.study, seen(member.study)
    key = stream_key(seed, Stream.INIT, member.index)
    model = study.model.resized(member.sizes).build(shape, classes, nnx.Rngs(key))
    if study.training.initialisation == "pytorch":
        return drawn_as_pytorch(model, jax.random.fold_in(key, 1))
    return model


def at_expansion(member: Member, seed: int, base: nnx.Module, inputs: Any = None) -> Expanded:
    """The member's network before it is trained further: θ⁰ of a candidate, and φ* itself of the base and the control.

    A candidate is the base's network expanded, or drawn at random where the study asks for a random start: no unit of
    it is a copy then. New units that are drawn are those of the same untrained network that a random start has.

    Raises ValueError where an expansion changes the function of the base on `inputs`.
    """
    if not member.is_candidate:
        return Expanded(base, {})
    study = member.study
    if study.expansion.start == "random":
        return Expanded(untrained(member, seed), {})
    key, steps = stream_key(seed, Stream.EXPAND, member.index), study.candidates[member.index - 1]
    drawn = split(untrained(member, seed)).weights if draws(steps) else None
    return expand(base, steps, study.expansion, key, inputs=inputs, drawn=drawn)


@cache
def abstract_network(member: Member) -> nnx.Module:
    """The member's network with shapes and dtypes in place of its weights, which are equal for all seeds.

    The base is not drawn: zeros take its place.
    """
    base = jax.eval_shape(lambda: split(untrained(Member(member.study, 0), 0)))
    network = split(at_expansion(member, 0, zeros(base)).model)
    return jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype), network).module()


@cache
def structure(member: Member) -> Network:
    """The same as a network, with the structure that its tasks share."""
    return split(abstract_network(member))


def zeros(network: Network) -> nnx.Module:
    """A network of the structure of this one whose arrays, which may be shapes, hold zeros."""
    plain = jax.eval_shape(partial(jax.tree.map, _without_keys), network.weights)
    arrays = {path: np.zeros(array.shape, array.dtype) for path, array in plain.items()}
    return network.replace(_with_keys(network.weights, arrays)).module()


def network_with(member: Member, weights: Mapping[str, np.ndarray]) -> nnx.Module:
    """The member's network with these weights, as a module."""
    return network_of(member, weights).module()


def network_of(member: Member, weights: Mapping[str, np.ndarray]) -> Network:
    """The member's network with these weights, where they are."""
    network = structure(member)
    return network.replace(_with_keys(network.weights, weights))


def kept_epochs(member: Member) -> set[int]:
    """The epochs since the expansion whose weights later tasks need."""
    return {*member.checkpoints, *member.moments.values()}


def kept_bytes(study: Study) -> int:
    """The size of the weights that training one seed of the largest member keeps."""
    return max(len(kept_epochs(one)) * tree_bytes(split(abstract_network(one)).weights) for one in members(study))


def with_dead_units(member: Member, model: nnx.Module) -> nnx.Module:
    """The member's network as it is trained: filled up, so that members share their programs."""
    return filling(structure(member)).module(split(model).weights)


def without_dead_units(member: Member, weights: Arrays) -> dict[str, np.ndarray]:
    """The weights of the member's network as they are kept, from those of the network filled up."""
    return filling(structure(member)).cut(to_numpy(weights))


def to_numpy(weights: Arrays) -> dict[str, np.ndarray]:
    """Weights in the memory of the host, with the numbers of the keys that a module keeps for its dropout."""
    return jax.tree.map(lambda array: np.asarray(_without_keys(array)), weights)


def _is_key(array: Any) -> bool:
    return jnp.issubdtype(array.dtype, jax.dtypes.prng_key)


def _without_keys(array: Any) -> Any:
    """An array, or the numbers of an array of keys."""
    return jax.random.key_data(array) if _is_key(array) else array


def _with_keys(like: Arrays, weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights with keys in place of their numbers where a network like it has keys."""
    return {path: jax.random.wrap_key_data(array) if _is_key(like[path]) else array for path, array in weights.items()}
