"""A network of its own class that has the groups which tracing finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from types import new_class
from typing import Any, cast

import jax
from flax import nnx

from landscape.models.cut import Cut, Opened
from landscape.models.functional import Network, split, with_convolution
from landscape.models.symmetry import Group
from landscape.models.tracing.analysis import Analysis, Shapes, analysis
from landscape.models.tracing.cutting import cut
from landscape.models.tracing.opening import opened


@dataclass(frozen=True)
class Findings:
    """What a traced network keeps of the check: hashable, since it is part of the network's structure.

    shapes: of the inputs; wrong: groups that failed the check; rigid: groups whose copies did, with the reason.
    """

    shapes: Shapes
    wrong: tuple[str, ...] = ()
    rigid: tuple[tuple[str, str], ...] = ()


class Traced:
    """What `attached` adds to the class of a network."""

    findings: Findings

    def groups(self) -> dict[str, Group]:
        """The groups of the network at its present widths, traced anew; what the check has ruled out is left out."""
        found, rigid = self._analysis().table, dict(self.findings.rigid)
        return {
            name: replace(group, widenable=group.widenable and name not in rigid)
            for name, group in found.groups.items()
            if name not in self.findings.wrong
        }

    def cut(self, group: str) -> Cut | None:
        """The network cut open at a group, where it is a chain there (see `landscape.Cut`); None elsewhere."""
        return cut(self._analysis(), self._network().weights, group)

    def opened(self, group: str) -> Opened:
        """The network from where the group's arrays come in (see `landscape.models.cut`)."""
        return opened(self._analysis(), self._network().weights, group)

    def _network(self) -> Network:
        """With the convolutions that the rules of tracing know."""
        return split(with_convolution(nnx.clone(cast(nnx.Module, self)), jax.lax.conv_general_dilated))

    def _analysis(self) -> Analysis:
        return analysis(self._network(), self.findings.shapes)


def attached(model: nnx.Module, findings: Findings) -> Any:
    """A copy of the network whose class has a method `groups()`."""
    copy = nnx.clone(model)
    own: Any = object.__new__(_class(type(copy)))
    vars(own).update(vars(copy))
    own.findings = findings
    return own


@cache
def _class(own: type) -> type:
    """The class of a network with the methods of `Traced`: one for each, as compiled programs depend on it."""
    if issubclass(own, Traced):
        return own
    module = "landscape.traced" if own.__module__.startswith(("flax.", "landscape.")) else own.__module__
    about = {"__module__": module, "__doc__": own.__doc__}
    return new_class(own.__name__, (Traced, own), exec_body=lambda body: body.update(about))
