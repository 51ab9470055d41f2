"""BERT for masked language modelling (Devlin et al., arXiv 1810.04805), encoder only.

The blocks are post-LN, GELU is exact, and the decoder's weights are the token embeddings. Some parts of BERT are left
out: dropout, since a study compares the losses of one fixed function; segment embeddings and the pooler, which serve
pairs of sentences; and the attention mask, since every sequence is full. In shapes, b is the number of examples, s that
of tokens, p that of masked positions, and there are a heads of d features.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.models.cut import Cut, Opened
from landscape.models.initializers import truncated_normal
from landscape.models.symmetry import Axis, Group, check_named

NORMAL = truncated_normal(0.02)
KINDS = ("ffn", "heads", "query_key", "value")  # of the groups of a block
EPSILON = 1e-12  # BERT's; it is so small that normalising twice equals normalising once


def dense(features: int, out: int, rngs: nnx.Rngs) -> nnx.Linear:
    """A linear layer with BERT's initialisation."""
    return nnx.Linear(features, out, kernel_init=NORMAL, rngs=rngs)


def normalisation(features: int, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """A LayerNorm that computes the variance from centred values: E[x²] − E[x]² would round too coarsely."""
    return nnx.LayerNorm(features, epsilon=EPSILON, use_fast_variance=False, rngs=rngs)


def gelu(x: Array) -> Array:
    """x Φ(x), exactly."""
    return nnx.gelu(x, approximate=False)


def at(x: Float[Array, "b s h"], positions: Int[Array, "b p"]) -> Float[Array, "b p h"]:
    """The vectors of the tokens at some positions."""
    return jnp.take_along_axis(x, positions[..., None], axis=1)


class Block(nnx.Module):
    """LN₂(x' + FFN(x')) of x' = LN₁(x + attention(x)).

    A head takes `features` of the projections' outputs, so that the number of heads follows from the arrays.
    """

    attention_weights = staticmethod(jax.nn.softmax)  # from scores to weights

    def __init__(self, hidden: int, heads: int, ffn: int, rngs: nnx.Rngs):
        self.features = hidden // heads
        self.query, self.key, self.value, self.output = (dense(hidden, hidden, rngs) for _ in range(4))
        self.attention_norm = normalisation(hidden, rngs)
        self.up, self.down = dense(hidden, ffn, rngs), dense(ffn, hidden, rngs)
        self.norm = normalisation(hidden, rngs)

    def __call__(self, x: Float[Array, "b s h"], read: Float[Array, "b t h"]) -> Float[Array, "b t h"]:
        """The block at the tokens in `read`, which are all or only those that are needed; they attend to all of `x`."""
        return self.fed(self.attended(x, read))

    def attended(self, x: Float[Array, "b s h"], read: Float[Array, "b t h"]) -> Float[Array, "b t h"]:
        """LN₁(read + attention): the residual stream that the FFN reads."""
        mixed = self.mixed(x, read)
        return self.attention_norm(read + self.output(mixed.reshape(*read.shape[:2], -1)))

    def mixed(self, x: Float[Array, "b s h"], read: Float[Array, "b t h"]) -> Float[Array, "b t a d"]:
        """The values of each head, averaged for each token by its attention."""
        query, key, value = (self._heads(layer(y)) for layer, y in ((self.query, read), (self.key, x), (self.value, x)))
        scores = jnp.einsum("btad,bsad->bats", query, key) / self.features**0.5
        return jnp.einsum("bats,bsad->btad", self.attention_weights(scores), value)

    def fed(self, x: Float[Array, "b t h"]) -> Float[Array, "b t h"]:
        """LN₂(x + FFN(x))."""
        return self.joined(self.down(gelu(self.up(x))), x)

    def _heads(self, x: Array) -> Array:
        return x.reshape(*x.shape[:2], -1, self.features)  # b s a d

    def joined(self, y: Float[Array, "b t h"], x: Float[Array, "b t h"]) -> Float[Array, "b t h"]:
        """The block's output from that of the FFN's second layer."""
        return self.norm(x + y)


class Bert(nnx.Module):
    """Tokens and positions → LN → blocks → dense, GELU, LN → logits of the masked tokens.

    Inputs are {"tokens": (b, s), "positions": (b, p)}. The head runs on the tokens at `positions` only, and so does the
    last block except for its keys and values. Each block has a tag, listed in `tags`: the block with the tag "1" is the
    attribute `block1` and has the groups `ffn1`, `heads1`, `query_key1` and `value1`.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape.models.bert import Bert
      >>> model = Bert(hidden=8, heads=2, ffn=(16,), vocabulary=50, length=12, rngs=nnx.Rngs(0))
      >>> model({"tokens": jnp.zeros((3, 12), int), "positions": jnp.zeros((3, 2), int)}).shape
      (3, 2, 50)
      >>> list(model.groups())
      ['ffn1', 'heads1', 'query_key1', 'value1']

    References:
      Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", 2019,
      arXiv 1810.04805.
    """

    def __init__(self, hidden: int, heads: int, ffn: tuple[int, ...], vocabulary: int, length: int, rngs: nnx.Rngs):
        """One block for each width in `ffn`, for sequences of up to `length` tokens."""
        self.tokens = nnx.Embed(vocabulary, hidden, embedding_init=NORMAL, rngs=rngs)
        self.places = nnx.Embed(length, hidden, embedding_init=NORMAL, rngs=rngs)
        self.norm = normalisation(hidden, rngs)
        self.tags = tuple(str(i) for i in range(1, len(ffn) + 1))
        for tag, width in zip(self.tags, ffn, strict=True):
            setattr(self, f"block{tag}", Block(hidden, heads, width, rngs))
        self.head, self.head_norm = dense(hidden, hidden, rngs), normalisation(hidden, rngs)
        self.bias = nnx.Param(jnp.zeros(vocabulary))

    def __call__(self, inputs: dict[str, Array]) -> Float[Array, "b p vocabulary"]:
        """Logits of the tokens at `positions`."""
        return self.from_embeddings(self.embed(inputs), inputs)

    def embed(self, inputs: dict[str, Array]) -> Float[Array, "b s h"]:
        """What the first block reads: the normalised sum of token and position embeddings."""
        tokens = inputs["tokens"]
        return self.norm(self.tokens(tokens) + self.places(jnp.arange(tokens.shape[1])))

    def from_embeddings(self, embeddings: Float[Array, "b s h"], inputs: dict[str, Array]) -> Array:
        """Logits from what the first block reads."""
        return self._predicted(self._run(embeddings, 0, inputs["positions"]))

    def _run(self, x: Array, start: int, positions: Array) -> Array:
        """The blocks from place `start` on: (b, s, h) -> (b, p, h); where none is left, x is at `positions` already."""
        for tag in self.tags[start:]:
            x = getattr(self, f"block{tag}")(x, self._read(x, tag, positions))
        return x

    def _read(self, x: Array, tag: str, positions: Array) -> Array:
        """The tokens that a block has to compute: the masked ones in the last block, all in the others."""
        return at(x, positions) if tag == self.tags[-1] else x

    def _predicted(self, x: Float[Array, "b p h"]) -> Float[Array, "b p vocabulary"]:
        return self.tokens.attend(self._features(x)) + self.bias[...]

    def _features(self, x: Float[Array, "b p h"]) -> Float[Array, "b p h"]:
        """What the decoder multiplies with the embeddings."""
        return self.head_norm(gelu(self.head(x)))

    def groups(self) -> dict[str, Group]:
        """The unit groups of each block in turn."""
        return {f"{kind}{tag}": group for tag in self.tags for kind, group in self._block_groups(tag).items()}

    def _block_groups(self, tag: str) -> dict[str, Group]:
        """The units of the FFN, whole heads, and features within heads.

        The outputs of a projection are (heads, features): a head is a run of neighbours, and a feature recurs once in
        every head. Features can be reordered only, alike in every head: those of query and key together, since they
        meet in a product that copies would change; those of value on their own, since the width of a head is fixed.
        """
        block: Block = getattr(self, f"block{tag}")
        path, d = f"block{tag}", block.features
        heads = block.query.out_features // d

        def outputs(*layers: str, inner: int = 1) -> tuple[Axis, ...]:
            return tuple(Axis(f"{path}.{layer}.{part}", -1, inner) for layer in layers for part in ("kernel", "bias"))

        def inputs(layer: str, inner: int = 1) -> tuple[Axis, ...]:
            return (Axis(f"{path}.{layer}.kernel", -2, inner),)

        return {
            "ffn": Group(outputs("up"), inputs("down")),
            "heads": Group(outputs("query", "key", "value", inner=d), inputs("output", inner=d)),
            "query_key": Group(outputs("query", "key"), (), widenable=False, repeats=heads),
            "value": Group(outputs("value"), inputs("output"), widenable=False, repeats=heads),
        }

    def cut(self, group: str) -> Cut | None:
        """The network opened at an FFN's intermediate layer, or where a block's values have been mixed, in which they
        are linear (see `landscape.models.cut`); None for heads, and for query and key.

        Raises ValueError for an unknown group.
        """
        check_named(group, self.groups())
        kind, tag = self._place(group)
        cuts = {"ffn": self._cut_at_ffn, "value": self._cut_at_values}
        return cuts[kind](tag) if kind in cuts else None

    def _place(self, group: str) -> tuple[str, str]:
        """The kind of a group, and the tag of its block."""
        return next((kind, tag) for tag in self.tags for kind in KINDS if group == f"{kind}{tag}")

    def _cut_at_ffn(self, tag: str) -> Cut:
        block = getattr(self, f"block{tag}")

        def before(inputs: dict[str, Array]) -> tuple[Array, Any]:
            x = self._entering(tag, inputs)
            x = block.attended(x, self._read(x, tag, inputs["positions"]))
            return block.up(x), (x, inputs["positions"])

        def settle(y: Array, carry: Any) -> Array:
            x, positions = carry
            return self._leaving(tag, block.joined(y + block.down.bias[...], x), positions)

        return Cut(before, gelu, jnp.matmul, block.down.kernel[...], _settled, settle, self._decoder)

    def _cut_at_values(self, tag: str) -> Cut:
        block = getattr(self, f"block{tag}")
        kernel = block.output.kernel[...]

        def before(inputs: dict[str, Array]) -> tuple[Array, Any]:
            x = self._entering(tag, inputs)
            read = self._read(x, tag, inputs["positions"])
            return block.mixed(x, read), (read, inputs["positions"])

        def linear(mixed: Array, kernel: Array) -> Array:
            return jnp.einsum("btad,ado->bto", mixed, kernel)

        def settle(y: Array, carry: Any) -> Array:
            read, positions = carry
            x = block.attention_norm(read + y + block.output.bias[...])
            return self._leaving(tag, block.fed(x), positions)

        by_head = kernel.reshape(-1, block.features, kernel.shape[-1])
        return Cut(before, lambda mixed: mixed, linear, by_head, _settled, settle, self._decoder)

    def _entering(self, tag: str, inputs: dict[str, Array]) -> Array:
        """What enters a block."""
        x = self.embed(inputs)
        for earlier in self.tags[: self.tags.index(tag)]:
            x = getattr(self, f"block{earlier}")(x, x)
        return x

    def _leaving(self, tag: str, x: Array, positions: Array) -> Array:
        """What the decoder reads, from what leaves a block."""
        return self._features(self._run(x, self.tags.index(tag) + 1, positions))

    @property
    def _decoder(self) -> tuple[Array, Array]:
        """Kernel and bias of the logits."""
        return self.tokens.embedding[...].T, self.bias[...]

    def opened(self, group: str) -> Opened:
        """The network from the block of this group up to the decoder (see `landscape.models.cut`)."""
        _, tag = self._place(group)

        def before(inputs: dict[str, Array]) -> tuple[Array, Array]:
            return self._entering(tag, inputs), inputs["positions"]

        def between(carry: tuple[Array, Array]) -> Array:
            x, positions = carry
            return self._features(self._run(x, self.tags.index(tag), positions))

        return Opened(between, before, self._decoder)

    def deepened(self, after: str, name: str) -> Bert:
        """The network with a block behind that of group `after`; its FFN is the group `name`.

        A post-LN block whose output layers are zero is not the identity yet, since it still normalises twice. So the
        new block takes over the scale and bias of the LayerNorm before it, and leaves 1 and 0 there and in its own
        first LayerNorm. Both of these then get a normalised stream, which LayerNorm does not change (up to EPSILON).
        The other weights are copies of those of the block before.

        Raises ValueError where `after` is not an FFN, or `name` is not "ffn" followed by a tag that is free.
        """
        tag, new = self._tag(after), name.removeprefix("ffn")
        if name == new or new in self.tags:
            raise ValueError(f"{name!r} cannot name a block's FFN: it must start with 'ffn' and not be there already")
        deeper = nnx.clone(self)
        ahead = getattr(deeper, f"block{tag}")
        block = nnx.clone(ahead)
        for layer in (block.output, block.down):
            layer.kernel[...], layer.bias[...] = jnp.zeros_like(layer.kernel), jnp.zeros_like(layer.bias)
        for norm in (ahead.norm, block.attention_norm):
            norm.scale[...], norm.bias[...] = jnp.ones_like(norm.scale), jnp.zeros_like(norm.bias)
        setattr(deeper, f"block{new}", block)
        place = self.tags.index(tag) + 1
        deeper.tags = (*self.tags[:place], new, *self.tags[place:])
        return deeper

    def _tag(self, ffn: str) -> str:
        """The tag of an FFN's block. Raises ValueError, which lists the FFNs, for another group."""
        names = {f"ffn{tag}": tag for tag in self.tags}
        if ffn not in names:
            raise ValueError(f"a block can be inserted behind {', '.join(names)}; got {ffn!r}")
        return names[ffn]


def _settled(x: Array, carry: Any) -> Array:
    """The identity, since the decoder follows at once."""
    return x
