"""Multi-layer perceptrons (Figure 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Annotated, Any, Literal

from pydantic import Field

from landscape.study.examples import Examples
from landscape.study.kinds.base import ModelSpec
from landscape.study.kinds.layers import Layer, dense_layers, in_order
from landscape.study.limits import MOST_LAYERS, MOST_UNITS


class MlpSpec(ModelSpec, title="MLP"):
    """A multi-layer perceptron with relu; hidden layer i is the unit group `hidden{i}`, counted from 1.

    Example:
      >>> from landscape.study.kinds.mlp import MlpSpec
      >>> MlpSpec(hidden=(20, 10)).group_sizes()
      {'hidden1': 20, 'hidden2': 10}
    """

    kind: Literal["mlp"] = "mlp"
    hidden: Annotated[
        tuple[Annotated[int, Field(ge=1, le=MOST_UNITS)], ...],
        Field(
            min_length=1,
            max_length=MOST_LAYERS,
            title="Hidden units",
            description="The width of each hidden layer.",
            examples=[(6,)],
        ),
    ]

    def group_sizes(self) -> dict[str, int]:
        """The width of each hidden layer, from the input on."""
        return {f"hidden{i}": size for i, size in enumerate(self.hidden, 1)}

    def with_sizes(self, sizes: Mapping[str, int]) -> MlpSpec:
        """The perceptron with hidden layers of these widths."""
        return self.model_copy(update={"hidden": tuple(sizes.values())})

    def linear_layers(self, sizes: Mapping[str, int], examples: Examples) -> list[Layer]:
        """The hidden layers and the head."""
        hidden = {name: sizes[name] for name in in_order(sizes)}
        return dense_layers(hidden, math.prod(examples.shape), examples.classes)

    def build(self, shape: tuple[int, ...], classes: int, rngs: Any) -> Any:
        """The network of `landscape.models.mlp`, which reads inputs of any shape."""
        return resolve_name("landscape.models.mlp:mlp")(math.prod(shape), self.hidden, classes, rngs)
