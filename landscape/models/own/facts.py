"""What building and tracing a module of one's own tells, and what it must be to take part in a study."""

from __future__ import annotations

import traceback
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from landscape.models.checks.same_function import check_alone
from landscape.models.checks.sizes import follow
from landscape.models.functional import Network, split, trainable
from landscape.models.own import Handed
from landscape.models.symmetry import Group, unit_groups
from landscape.models.tracing.analysis import Shapes, analysis
from landscape.models.tracing.symmetries import symmetries
from landscape.numerics.memory import tree_bytes
from landscape.numerics.multiply_adds import multiply_adds
from landscape.study.kinds.own import Counted, FoundModule, Units

FEW = 4  # examples on which a module is tried


def checked(handed: Handed, shape: tuple[int, ...], classes: int, inputs: Any, targets: tuple[int, ...]) -> nnx.Module:
    """A network of the function, with the groups that its own table has or that are found by tracing.

    Args:
      handed: the function; it is told how to attach the groups that are found.
      shape: of one input without the batch axis.
      classes: how many logits a vector has.
      inputs: some inputs, at least `FEW`.
      targets: the shape of the targets of one example: () for images.

    Raises:
      ValueError: if the function fails or builds no Flax module; if the network cannot be run, does not return logits
        of the right shape, depends on a random number, or computes an example otherwise beside others; or if it has no
        unit group.
    """
    model = _built(handed, shape, classes)
    name, few = type(model).__name__, jax.tree.map(lambda array: jnp.asarray(array[:FEW]), inputs)
    _check_logits(model, name, few, (FEW, *targets, classes))
    network = split(model)
    analysis(network, Shapes.of(few))  # refuses random numbers, and another computation for other numbers of examples
    check_alone(network, few)
    if not hasattr(model, "groups"):
        handed.attach[shape, classes] = symmetries(model, few).attach
        model = handed.attach[shape, classes](model)
    if not unit_groups(model):
        raise ValueError(f"{name} has no unit group: `landscape.symmetries(model, inputs)` says what fixes each axis")
    return model


def _built(handed: Handed, shape: tuple[int, ...], classes: int) -> nnx.Module:
    try:
        model = handed.build(shape, classes, nnx.Rngs(0))
    except Exception as error:  # whatever the user's function raises
        raise ValueError(f"build({shape}, {classes}, rngs) fails: {first_line(error, handed.build)}") from error
    if not isinstance(model, nnx.Module):
        raise ValueError(
            f"build(shape, classes, rngs) must return a flax.nnx.Module; it returns {type(model).__name__}"
        )
    return model


def _check_logits(model: nnx.Module, name: str, inputs: Any, expected: tuple[int, ...]) -> None:
    try:
        found = jax.eval_shape(Network.logits, split(model), inputs)
    except Exception as error:
        shapes = jax.tree.map(np.shape, inputs)
        said = first_line(error, type(model).__call__)
        raise ValueError(f"{name} cannot be run on inputs of shape {shapes}: {said}") from error
    if getattr(found, "shape", None) != expected:
        given = getattr(found, "shape", type(found).__name__)
        raise ValueError(f"{name} must return logits of shape {expected} for {FEW} examples; it returns {given}")


def first_line(error: Exception, function: Any) -> str:
    """What an error says, and in which line of the file of a function it was raised."""
    file = getattr(getattr(function, "__code__", None), "co_filename", "")
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f", in line {lines[-1]}" if lines else ""
    return f"{type(error).__name__}{where}: {str(error).strip().partition(chr(10))[0]}"


def weight_bytes(handed: Handed, shape: tuple[int, ...], classes: int) -> int:
    """Bytes of the parameters of a network of the function, none of which is made. 0 where it cannot be traced."""
    try:
        model = nnx.eval_shape(lambda: handed.build(shape, classes, nnx.Rngs(0)))
        return tree_bytes(nnx.state(model, nnx.Param))
    except Exception:  # a function that needs numbers; what is wrong with any other is said when it is run
        return 0


def facts(model: nnx.Module) -> FoundModule:
    """The groups of a network, and whether it has BatchNorm and can be deepened."""
    weights = split(model).weights
    groups = unit_groups(model).items()
    return FoundModule(
        groups=tuple(_units(model, name, group, group.size(weights)) for name, group in groups),
        deepens=hasattr(model, "deepened"),
        batch_norm=any(isinstance(layer, nnx.BatchNorm) for _, layer in nnx.iter_modules(model)),
    )


def _units(model: nnx.Module, name: str, group: Group, size: int) -> Units:
    try:
        asked = follow(model, group, size, 2 * size) if group.widenable else None
    except ValueError:  # a layer whose sizes are not known
        asked = None
    even = asked is not None and (group.even or bool(asked.even))
    return Units(name=name, size=size, widenable=asked is not None, even=even)


def counted(model: nnx.Module, shapes: Shapes) -> Counted:
    """The costs of a network on inputs of these shapes, without the batch axis: what a third example adds to two."""
    network, parameters = split(model), trainable(model)
    weights = network.weights
    sizes = tuple((name, group.size(weights)) for name, group in unit_groups(model).items())
    two, three = (multiply_adds(Network.logits, network, shapes.batch(examples)) for examples in (2, 3))
    count = sum(array.size for path, array in weights.items() if path in parameters)
    return Counted(sizes=sizes, parameters=count, multiply_adds=three - two)
