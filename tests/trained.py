"""One trained network of each kind that a study knows, with the batch on which it is looked at."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from filelock import FileLock
from flax import nnx

from landscape.data import Data
from landscape.data import load as load_data
from landscape.data.masking import mask
from landscape.models.functional import Network, Weights, split
from landscape.study import Training
from landscape.study.examples import DataSpec
from landscape.study.kinds import BertSpec, CnnSpec, MlpSpec, ModelSpec, ResNetSpec
from landscape.training.fit import fit

LENGTH, VOCABULARY = 20, 40
SPECS: dict[str, ModelSpec] = {
    "mlp": MlpSpec(kind="mlp", hidden=(6, 5)),
    "cnn-cifar10": CnnSpec(kind="cnn", channels=(4, 6), dense=(7,)),
    "cnn-cifar100": CnnSpec(kind="cnn", channels=(4, 5, 6, 5), dense=(7,)),
    "resnet18": ResNetSpec(kind="resnet18", width=4),
    "tinybert": BertSpec(kind="bert", layers=2, hidden=12, heads=3, ffn=(10, 9)),
    "minibert": BertSpec(kind="bert", layers=3, hidden=16, heads=4, ffn=8),
}


class Trained(NamedTuple):
    """A network in evaluation mode, a batch of what it was trained on, and its weights before."""

    model: nnx.Module
    inputs: Any
    targets: np.ndarray
    start: Weights

    def outputs(self, model: nnx.Module | None = None) -> np.ndarray:
        """Logits on the batch: of the network itself, or of another one."""
        return np.asarray(forward(split(self.model if model is None else model), self.inputs))


forward = jax.jit(Network.logits)  # one program, where a network run operation by operation compiles dozens


@cache
def trained(name: str) -> Trained:
    """The network of `SPECS` after some epochs of `fit`, in which its loss has fallen.

    The first process of a test run that asks for it trains it, and the others read it from the run's folder.
    """
    network = split(nnx.eval_shape(partial(build, name)))
    file = Path(os.environ["LANDSCAPE_TESTS"]) / f"{name}.npz"
    with FileLock(file.with_suffix(".lock")):
        if not file.exists():
            np.savez(file, **{f"{when} {path}": array for when, weights in fitted(name) for path, array in weights})
    kept = np.load(file)
    start, end = ({path: jnp.asarray(kept[f"{when} {path}"]) for path in network.weights} for when in ("start", "end"))
    model = network.replace(end).module()
    model.eval()
    return Trained(model, *jax.tree.map(lambda array: array[:8], data(name).train), start)


def fitted(name: str) -> list[tuple[str, Any]]:
    """The weights of the network at the start and at the end of its training."""
    training = Training(learning_rate=1e-2, batch_size=16)
    (start,), (first,), *_, (last,) = fit([drawn(partial(build, name))], data(name), training, 10, [jax.random.key(3)])
    assert last.train_loss < 0.95 * first.train_loss
    return [("start", start.weights.items()), ("end", last.weights.items())]


def drawn(build: Callable[[], nnx.Module]) -> Any:
    """An untrained network with weights drawn on the host, which compiles nothing."""
    network, rng = split(nnx.eval_shape(build)), np.random.default_rng(0)

    def draw(path: str, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        if leaf.ndim == 1:
            return jnp.asarray(np.full(leaf.shape, path.endswith((".scale", ".var")), np.float32))
        values = rng.normal(size=leaf.shape) / math.sqrt(leaf.size / leaf.shape[-1])
        return jnp.asarray(values.astype(np.float32))

    return network.replace({path: draw(path, leaf) for path, leaf in network.weights.items()}).module()


def build(name: str) -> nnx.Module:
    inputs = data(name).train.inputs
    shape = (LENGTH,) if isinstance(inputs, dict) else inputs.shape[1:]
    return SPECS[name].build(shape, data(name).classes, nnx.Rngs(0))


def data(name: str) -> Data:
    return text() if isinstance(SPECS[name], BertSpec) else images()


@cache
def images() -> Data:
    """Real images of 8×8×1."""
    return load_data(DataSpec(train_size=64, validation_size=16))


@cache
def text() -> Data:
    """Sequences in which a token tells much of the next one."""
    rng = np.random.default_rng(0)
    tokens = (rng.integers(5, VOCABULARY, (64, 1)) + np.cumsum(rng.integers(1, 3, (64, LENGTH)), 1)) % 35 + 5
    examples = mask(tokens.astype(np.int32), rng, VOCABULARY)
    return Data(examples, examples, VOCABULARY)
