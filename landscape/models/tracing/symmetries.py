"""`symmetries`: the unit groups of a network, found by tracing it, and checked; `traced`: the network that has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flax import nnx

from landscape.models.functional import split
from landscape.models.symmetry import Axis, Group
from landscape.models.tracing.analysis import Shapes, analysis
from landscape.models.tracing.certificate import certified
from landscape.models.tracing.module import Findings, attached


@dataclass(frozen=True)
class Symmetries:
    """The permutation symmetries of a network that tracing found and a check confirmed.

    Printing it gives a table: who makes the units of each group, and who reads them.

    Attributes:
      groups: the unit groups by name, of the type of tables by hand. A group has the name of the layer whose array
        makes its units. Where a layer makes two, one within the other as the features within heads, the outer one ends
        in `.blocks` and the inner one in `.within`; where it makes several otherwise, they are counted: `.1`, `.2`.
      fixed: every axis of an array that is in no group, and why: one phrase that names the operation and the line.
      rigid: groups that can be permuted and not widened, and why.
      sizes: how many units each group has.
      findings: what `attach` hands on to a network.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> import landscape
      >>> rngs = nnx.Rngs(0)
      >>> model = nnx.Sequential(nnx.Linear(3, 8, rngs=rngs), nnx.relu, nnx.Linear(8, 2, rngs=rngs))
      >>> landscape.symmetries(model, jnp.ones((4, 3))).sizes
      {'layers.0': 8}

    References:
      Ainsworth et al. (2022), arXiv 2209.04836.
    """

    groups: dict[str, Group]
    fixed: dict[Axis, str]
    rigid: dict[str, str]
    sizes: dict[str, int]
    findings: Findings

    def attach(self, model: nnx.Module) -> Any:
        """A copy of a network of the same structure that has these groups: see `landscape.traced`. Nothing is run."""
        return attached(model, self.findings)

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for name, group in self.groups.items():
            yield f"{name}: {self.sizes[name]} units{', not widenable' if name in self.rigid else ''}"
            yield f"  made by {', '.join(map(_written, group.produces))}"
            if group.consumes:
                yield f"  read by {', '.join(map(_written, group.consumes))}"
            if name in self.rigid:
                yield f"  copies would change the function: {self.rigid[name]}"
        for axis, reason in self.fixed.items():
            yield f"axis {axis.axis} of {axis.path} is fixed: {reason}"


def _written(axis: Axis) -> str:
    part = f"[{axis.segment[0]}:{axis.segment[1]}]" if axis.segment else ""
    return f"{axis.path}({axis.axis}){part}"


def symmetries(model: nnx.Module, inputs: Any) -> Symmetries:
    r"""The permutation symmetries of any Flax NNX network, found in its computation and checked on inputs.

    A permutation symmetry re-orders units and leaves the function as it is: for weights θ and any π of a group's units

    .. math:: f(P(\theta, \pi), x) = f(\theta, x) \quad \text{for all } x.

    The network is traced to its jaxpr, in evaluation mode. Starting from every axis of every array, the axes that an
    operation reads by one index are tied, through products, convolutions, element-wise operations, reshapes that split
    or merge axes, concatenations, reductions, normalisations and loops; an axis is fixed where its units are told
    apart: as positions, as inputs or outputs, by a sort, or by a primitive that is not known here. Each class of tied
    axes that is left is a group. Every group is then permuted at random, at weights without coincidences, and must
    leave the outputs on `inputs` as they were to 1e-5 of the largest; and groups that copies can widen are widened
    likewise. What is found is a symmetry; more may exist, such as re-ordering features in every head differently.

    Args:
      model: a Flax NNX module whose call takes a batch and returns one array; it is left as it is. It needs no method
        `groups()`.
      inputs: a few inputs: an array, or a tree of arrays, with the examples on the first axis.

    Returns:
      The groups, with the reason for every axis that is in none.

    Raises:
      ValueError: if the network cannot be run, its outputs depend on a random number, are not finite, or are not one
        array; if it computes differently for another number of examples, or an example otherwise beside others; or if
        there are no inputs.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> import landscape
      >>> rngs = nnx.Rngs(0)
      >>> model = nnx.Sequential(nnx.Linear(3, 8, rngs=rngs), nnx.relu, nnx.Linear(8, 2, rngs=rngs))
      >>> found = landscape.symmetries(model, jnp.ones((4, 3)))
      >>> found.groups["layers.0"].consumes
      (Axis(path='layers.2.kernel', axis=0),)

    References:
      Entezari et al. (2022), "The Role of Permutation Invariance in Linear Mode Connectivity of Neural Networks", arXiv
      2110.06296; Ainsworth et al. (2022), "Git Re-Basin: Merging Models modulo Permutation Symmetries", arXiv
      2209.04836, whose specifications are written by hand. The inference is ours (`landscape.models.tracing`).
    """
    network, shapes = split(model), Shapes.of(inputs)
    found = analysis(network, shapes).table
    wrong, rigid = certified(model, found, inputs)
    groups = {name: group for name, group in found.groups.items() if name not in wrong}
    findings = Findings(shapes, tuple(wrong), tuple(rigid.items()))
    kept = attached(model, findings).groups()
    fixed = found.fixed | {axis: wrong[name] for name in wrong for axis in found.groups[name].produces}
    sizes = {name: group.size(network.weights) for name, group in groups.items()}
    return Symmetries(kept, fixed, found.rigid | rigid, sizes, findings)


def traced(model: nnx.Module, inputs: Any) -> Any:
    """A copy of a network that has the groups which `landscape.symmetries` finds, in place of a table by hand.

    It is an instance of the network's own class with the same arrays, under the same names, and with a method
    `groups()`: so it can be permuted, widened, matched and walked. Widened copies have the wider groups.

    Args:
      model: a Flax NNX module; it is left as it is.
      inputs: a few inputs, with the examples on the first axis.

    Raises:
      ValueError: as `landscape.symmetries` does.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import nnx
      >>> import landscape
      >>> rngs, inputs = nnx.Rngs(0), jnp.ones((4, 3))
      >>> model = nnx.Sequential(nnx.Linear(3, 8, rngs=rngs), nnx.relu, nnx.Linear(8, 2, rngs=rngs))
      >>> network = landscape.traced(model, inputs)
      >>> wider = landscape.widen(network, "layers.0", 12, jax.random.key(0))
      >>> bool(jnp.allclose(wider(inputs), model(inputs), atol=1e-6))
      True

    References:
      Ainsworth et al. (2022), arXiv 2209.04836, as for `landscape.symmetries`.
    """
    return symmetries(model, inputs).attach(model)
