"""What the proxies need from a network: its mode, its scored weights, and where its inputs become real numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from landscape.models.functional import Network, Weights, array_names, in_full_precision, trainable
from landscape.numerics.loss import cross_entropy
from landscape.numerics.structure import once_a_structure
from landscape.proxies._own_kernels import multiplied

SCORED = (nnx.Linear, nnx.LinearGeneral, nnx.Conv, nnx.ConvTranspose)  # their kernels; attention projections included


@runtime_checkable
class TokenModel(Protocol):
    """A network whose inputs are integers, opened where they have become vectors, which can be differentiated.

    For every batch, `model(inputs)` must equal `model.from_embeddings(model.embed(inputs), inputs)`. The second
    argument carries what the embeddings lack, such as padding or the positions of masked tokens. Each array of `inputs`
    has the examples on its first axis. The model chooses on which side positions are added.

    Example:
      >>> from landscape.models.bert import Bert
      >>> from landscape.proxies import TokenModel
      >>> issubclass(Bert, TokenModel)
      True

    References:
      Our convention: Jacov (arXiv 2006.04647) and SynFlow (arXiv 2006.05467) were published for images.
    """

    def embed(self, inputs: Any) -> Float[Array, "b ..."]:
        """The vectors that the first block reads."""

    def from_embeddings(self, embeddings: Float[Array, "b ..."], inputs: Any) -> Float[Array, "*m k"]:
        """The logits, from what `embed` returned and the inputs that it was made of."""


def evaluating(network: Network, reference: bool) -> nnx.Module:
    """The module in evaluation mode; with `reference`, BatchNorm normalises by the batch's own statistics.

    Dropout stays off in both, and layers get all the precision that is switched on, whatever type they ask for.
    """
    model = in_full_precision(network.module())
    model.eval()
    if reference:
        model.set_attributes(nnx.BatchNorm, use_running_average=False, raise_if_not_found=False)
    return model


def scored_weights(network: Network, inputs: Any) -> Weights:
    """The kernels of dense and convolution layers, but no biases, normalisations or embeddings.

    They are those of Flax's layers, and the arrays of a module's own that are multiplied in the evaluation of these
    inputs. A kernel that layers share comes once: its gradient is that of all its uses.

    Raises ValueError for a network that has none of them.
    """
    kernels, others = _matrices(network)
    found = [*kernels, *sorted(others & multiplied(network, inputs) if others else ())]
    if not found:
        raise ValueError(
            f"{type(network.module()).__name__} has no weights that could be scored: no nnx.Linear or nnx.Conv layer, "
            "and no matrix of its own in a matrix product or a convolution"
        )
    return {path: network.weights[path] for path in found}


@once_a_structure
def _matrices(network: Network) -> tuple[tuple[str, ...], frozenset[str]]:
    """The kernels of Flax's layers; and the other matrices, without those of embeddings, and biases of several axes."""
    model = network.module()
    names, layers = array_names(model), {_dotted(path): layer for path, layer in nnx.iter_modules(model)}
    scored = [path for path, layer in layers.items() if isinstance(layer, SCORED)]
    embeddings = [path for path, layer in layers.items() if isinstance(layer, nnx.Embed)]
    held = {name for alias, name in names.items() if alias.rpartition(".")[0] in (*scored, *embeddings)}
    matrices = {path for path in trainable(network) if network.weights[path].ndim > 1}
    return tuple(names[_dotted([path, "kernel"])] for path in scored), frozenset(matrices - held)


def _dotted(path: Iterable[Any]) -> str:
    return ".".join(str(part) for part in path if part != "")


def batch_loss(network: Network, inputs: Any, targets: Array, reference: bool) -> Callable[[Weights], Float[Array, ""]]:
    """Mean cross-entropy on the batch as a function of the scored weights, in nats."""

    def loss(scored: Weights) -> Array:
        return cross_entropy(evaluating(network.replace(network.weights | scored), reference)(inputs), targets)

    return loss


def total(scores: Iterable[Array]) -> Float[Array, ""]:
    """The sum of the scores of the layers."""
    return jnp.sum(jnp.stack(list(scores)))


def differentiable_inputs(
    build: Callable[[], Any], inputs: Any
) -> tuple[Float[Array, "b ..."], Callable[[Array], Float[Array, "*m k"]]]:
    """The real numbers that a network reads on this batch, and its logits as a function of them.

    They are the inputs themselves, or the embeddings of a `TokenModel`. `build` makes the module anew for each
    call, since BatchNorm changes it in passing. Raises ValueError for integer inputs to any other network.
    """
    model = build()
    if isinstance(model, TokenModel):
        return model.embed(inputs), lambda embeddings: build().from_embeddings(embeddings, inputs)
    if not jnp.issubdtype(inputs.dtype, jnp.floating):
        raise ValueError(
            f"inputs must be floating-point; got {inputs.dtype}: a network of tokens needs the methods "
            "`embed` and `from_embeddings` (landscape.proxies.TokenModel)"
        )
    return inputs, lambda x: build()(x)
