"""The description of a kind of model, which everything else asks for what it needs to know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from landscape.study.base import Frozen
from landscape.study.examples import Examples, Modality
from landscape.study.kinds.layers import Layer
from landscape.study.steps import Deepen, Widen


class ModelSpec(Frozen, ABC):
    """The specification of a base model; each subclass describes one kind of model completely.

    A subclass narrows `kind` to its own name, adds the numbers that its networks depend on as pydantic fields, and
    implements the abstract methods. `landscape.register_model` then makes it known to studies, to the count of costs,
    and to the form of the app. The form takes the text of a control from a field's `title` and `description`, its
    bounds from the field, and its first value from the field's `examples` or else its default. The `title` of the
    class, a keyword behind its base, is the name of the kind in text. Only `build` imports JAX, when it is called.

    Attributes:
      kind: the name of the kind in specifications, such as "mlp".
      modality: whether networks of this kind read "images" or "text"; None if it depends on the network.
      batch_norm: whether they have BatchNorm, whose statistics a walk may re-estimate.
      named: published networks of this kind by name, each with the fields that differ from their first values.

    Example:
      >>> from landscape.study.kinds import MlpSpec
      >>> base = MlpSpec(hidden=(6,))
      >>> base.group_sizes()
      {'hidden1': 6}
      >>> base.resized({"hidden1": 12})
      MlpSpec(kind='mlp', hidden=(12,))
    """

    modality: ClassVar[Modality | None] = "images"
    batch_norm: ClassVar[bool] = False
    named: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    kind: str

    @property
    def described(self) -> bool:
        """Whether the sizes of its groups are known, which code of one's own tells only when it runs."""
        return True

    @property
    def refusal(self) -> str:
        """Why this process may not compute a study of this model at another's word; empty where any process may."""
        return ""

    @abstractmethod
    def group_sizes(self) -> dict[str, int]:
        """The number of units in each unit group, the groups in the order of the network's own table `groups()`."""

    @abstractmethod
    def with_sizes(self, sizes: Mapping[str, int]) -> Self:
        """The same kind of model with other sizes of its groups, all of which `sizes` names.

        Raises ValueError for sizes that no model of this kind has when it is not an expanded one.
        """

    @abstractmethod
    def linear_layers(self, sizes: Mapping[str, int], examples: Examples) -> list[Layer]:
        """Every linear layer of the network with these group sizes, from the input to the logits.

        `sizes` may be those of an expanded network, with inserted layers. The sums of `Layer.parameters` and of
        `Layer.multiply_adds` must be those of the network. Raises ValueError for examples that it cannot read.
        """

    @abstractmethod
    def build(self, shape: tuple[int, ...], classes: int, rngs: Any) -> Any:
        """The untrained network, a Flax NNX module with a method `groups()` (see `landscape.models`).

        Args:
          shape: the shape of one input without the batch axis; for text (tokens,).
          classes: the number of classes; for text the size of the vocabulary.
          rngs: the `flax.nnx.Rngs` that the initial weights are drawn from.

        Raises:
          ValueError: if this kind of model cannot read inputs of this shape.
        """

    def check_step(self, step: Widen | Deepen, sizes: Mapping[str, int]) -> None:
        """Raise ValueError for a step of an expansion that networks of this kind cannot take at these group sizes."""

    def resized(self, sizes: Mapping[str, int]) -> Self:
        """The specification of an untrained model with these group sizes (A.2.7).

        Raises ValueError for inserted layers, which are identities and not drawn, and as `with_sizes` does.
        """
        if inserted := [name for name in sizes if name not in self.group_sizes()]:
            raise ValueError(
                f"{inserted[0]} is inserted as the identity; from random weights candidates can be wider only"
            )
        return self.with_sizes(sizes)
