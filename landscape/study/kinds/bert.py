"""BERT for masked language modelling (Devlin et al., arXiv 1810.04805)."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pkgutil import resolve_name
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from landscape.study.examples import Examples, Modality
from landscape.study.kinds.base import ModelSpec
from landscape.study.kinds.layers import Layer, in_order
from landscape.study.limits import MOST_UNITS
from landscape.study.steps import Deepen, Widen


class BertSpec(ModelSpec, title="BERT"):
    """A BERT encoder with a head for masked language modelling; the defaults are TinyBERT's (2, 128, 2, 512).

    MiniBERT has layers = 4, hidden = 256, heads = 4 and ffn = 1024. `ffn` is one width for all blocks, or one for each.
    The unit groups of block i are `ffn{i}`, the intermediate units of its feed-forward network; `heads{i}`, its whole
    heads; and `query_key{i}` and `value{i}`, the features within heads, which a permutation reorders alike in every
    head.

    Example:
      >>> from landscape.study.kinds.bert import BertSpec
      >>> BertSpec(layers=1, hidden=128, heads=2, ffn=512).group_sizes()
      {'ffn1': 512, 'heads1': 2, 'query_key1': 64, 'value1': 64}
    """

    modality: ClassVar[Modality | None] = "text"
    named: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "TinyBERT": {},
        "MiniBERT": {"layers": 4, "hidden": 256, "heads": 4, "ffn": [1024] * 4},
    }

    kind: Literal["bert"] = "bert"
    layers: Annotated[int, Field(ge=1, le=64, title="Blocks")] = 2
    hidden: Annotated[
        int, Field(ge=1, le=MOST_UNITS, title="Features", description="H, a multiple of the number of heads.")
    ] = 128
    heads: Annotated[int, Field(ge=1, le=MOST_UNITS, title="Heads", description="Of the self-attention.")] = 2
    ffn: Annotated[
        tuple[Annotated[int, Field(ge=1, le=MOST_UNITS)], ...],
        Field(title="FFN units", description="One width for all blocks, or one for each."),
    ] = (512, 512)

    @field_validator("ffn", mode="before")
    @classmethod
    def _one_for_each_block(cls, value: Any, info: ValidationInfo) -> Any:
        one = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
        return (one,) * info.data.get("layers", 1) if isinstance(one, int) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.ffn) != self.layers:
            raise ValueError(f"ffn has {len(self.ffn)} widths for {self.layers} layers; give one each, or one number")
        if self.hidden % self.heads:
            raise ValueError(f"hidden = {self.hidden} must be a multiple of heads = {self.heads}")
        return self

    def group_sizes(self) -> dict[str, int]:
        """The units of each group, block by block."""
        features = self.hidden // self.heads
        sizes: dict[str, int] = {}
        for i, width in enumerate(self.ffn, 1):
            sizes |= {f"ffn{i}": width, f"heads{i}": self.heads, f"query_key{i}": features, f"value{i}": features}
        return sizes

    def with_sizes(self, sizes: Mapping[str, int]) -> BertSpec:
        """The BERT with other FFNs. Raises ValueError for other sizes of the attention, which `hidden` fixes."""
        other = self.model_copy(update={"ffn": tuple(sizes[f"ffn{i}"] for i in range(1, self.layers + 1))})
        if other.group_sizes() != sizes:
            raise ValueError("a BERT from random weights can be wider in its FFNs only")
        return other

    def check_step(self, step: Widen | Deepen, sizes: Mapping[str, int]) -> None:
        """Raise ValueError unless the step inserts blocks behind FFNs, or widens FFNs or numbers of heads.

        Features within heads keep their number: copies of them would change the products of queries and keys.
        """
        ffns = [name for name in sizes if name.startswith("ffn")]
        if isinstance(step, Deepen):
            if step.deepen not in ffns:
                raise ValueError(f"a block can be inserted behind {', '.join(ffns)}; got {step.deepen!r}")
            return
        allowed = [name for name in sizes if name.startswith(("ffn", "heads"))]
        for name in sizes:
            if fnmatchcase(name, step.widen) and name not in allowed:
                reason = f"{name} cannot be widened, since copying its units changes the function"
                raise ValueError(f"widen {step.widen!r}: {reason}; {', '.join(allowed)} can")

    def linear_layers(self, sizes: Mapping[str, int], examples: Examples) -> list[Layer]:
        """Embeddings, blocks, head and logits, whose weights are the token embeddings.

        The last block computes the masked tokens only, as do head and logits.
        """
        length, hidden = _tokens(examples.shape), self.hidden
        norm = Layer("norm", hidden, 0, 0, beside=2)
        tokens = Layer("tokens", examples.classes, hidden, 0, beside=0)
        found = [tokens, Layer("places", length, hidden, 0, beside=0), norm]
        tags = [name.removeprefix("ffn") for name in in_order(name for name in sizes if name.startswith("ffn"))]
        for tag in tags:
            inner = sizes.get(f"heads{tag}", self.heads) * (hidden // self.heads)
            read = examples.predictions if tag == tags[-1] else length
            found += self._block(tag, inner, sizes[f"ffn{tag}"], length, read)
        masked = examples.predictions
        logits = Layer("logits", examples.classes, hidden, masked, own=False)
        return [*found, Layer("head", hidden, hidden, masked), norm, logits]

    def _block(self, tag: str, inner: int, ffn: int, length: int, read: int) -> list[Layer]:
        """The layers of a block whose queries and FFN compute `read` of the `length` tokens."""
        hidden = self.hidden
        norm = Layer("norm", hidden, 0, 0, beside=2)
        return [
            Layer(f"key{tag}", inner, hidden, length),
            Layer(f"value_of{tag}", inner, hidden, length),
            Layer(f"query{tag}", inner, hidden, read),
            Layer(f"scores{tag}", length, inner, read, own=False, beside=0),
            Layer(f"mixed{tag}", inner, length, read, own=False, beside=0),
            Layer(f"output{tag}", hidden, inner, read, reads=f"value{tag}"),
            norm,
            Layer(f"up{tag}", ffn, hidden, read),
            Layer(f"down{tag}", hidden, ffn, read, reads=f"ffn{tag}"),
            norm,
        ]

    def build(self, shape: tuple[int, ...], classes: int, rngs: Any) -> Any:
        """The network of `landscape.models.bert`. Raises ValueError for inputs that are not sequences of tokens."""
        network = resolve_name("landscape.models.bert:Bert")
        return network(self.hidden, self.heads, self.ffn, classes, _tokens(shape), rngs)


def _tokens(shape: tuple[int, ...]) -> int:
    """The length of a sequence. Raises ValueError for other shapes."""
    if len(shape) != 1:
        raise ValueError(f"BERT needs sequences of tokens, of shape (length,); got shape {shape}")
    return shape[0]
