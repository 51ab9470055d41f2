"""A network and one of its unit groups: where a walk permutes it, and where it may be opened."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from flax import nnx
from jax.tree_util import register_dataclass
from jaxtyping import Array, Int

from landscape.models.batch_norm import is_reestimated
from landscape.models.cut import Cut, Opened
from landscape.models.functional import Network, Weights, split, wide
from landscape.models.symmetry import Group, between, named_group, take
from landscape.numerics.structure import once_a_structure


@register_dataclass
@dataclass(frozen=True)
class Site:
    """A unit group, by name, of a network. A pytree: its leaves are the network's arrays."""

    network: Network
    group: str = field(metadata={"static": True})

    @classmethod
    def of(cls, model: nnx.Module | Network, group: str) -> Site:
        """A group of a network, whose arrays are in float32 at least, as those of all networks between two are."""
        network = split(model)
        return cls(network.replace({path: wide(array) for path, array in network.weights.items()}), group)

    @property
    def table(self) -> Group:
        """The axes tied to the group's units. Raises ValueError for a group that the network does not have."""
        return _table(self)

    @property
    def has_cut(self) -> bool:
        """Whether the network can be cut open at the group."""
        return _has_cut(self)

    def permuted(self, permutation: Int[Array | np.ndarray, " units"]) -> Site:
        """P(θ, π), at the same group."""
        return self._with(take(self.network.weights, self.table, permutation))

    def between(self, permutation: Int[Array | np.ndarray, " units"], alpha: float | Array | np.ndarray) -> Site:
        """(1−α)θ + αP(θ, π), at the same group."""
        return self._with(between(self.network.weights, self.table, permutation, alpha))

    def _with(self, weights: Weights) -> Site:
        return replace(self, network=self.network.replace(weights))

    def cut(self) -> Cut | None:
        """The network cut open at the group; None where it has no exact fast form, at this group or at all."""
        model = self.network.evaluating()
        return model.cut(self.group) if hasattr(model, "cut") and not is_reestimated(model) else None

    def opened(self) -> Opened:
        """The network opened around all that the group touches, by its method `opened` if it has one."""
        model = self.network.evaluating()
        return model.opened(self.group) if hasattr(model, "opened") else Opened(model)


@once_a_structure
def _table(site: Site) -> Group:
    return named_group(site.network.module(), site.group)


@once_a_structure
def _has_cut(site: Site) -> bool:
    return site.cut() is not None
