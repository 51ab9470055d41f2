"""Networks of torchvision and Hugging Face compute the same here: their logits, and the barriers of their walks.

They are built from their configurations with random weights, so nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx
from numpy.testing import assert_allclose
from trained import forward

from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.walk import compose, draw_swaps
from landscape.models.functional import split
from landscape.models.weights.own import filled
from landscape.models.weights.reader import read
from landscape.models.weights.sizes import model_of
from landscape.study.examples import Examples
from landscape.study.kinds import BertSpec, CnnSpec, MlpSpec, ModelSpec, ResNetSpec

if missing := [name for name in ("torch", "torchvision", "transformers") if find_spec(name) is None]:
    pytest.skip(f"{missing[0]} is not installed (tests/requirements-torch.txt)", allow_module_level=True)
import torch

pytestmark = [pytest.mark.torch, pytest.mark.slow]

State = dict[str, Any]


def ours(spec: ModelSpec, examples: Examples, path: Path) -> Any:
    """The network in a file, whose sizes the file itself tells."""
    tensors = read(path)
    assert model_of(tensors, examples) == spec
    model = filled(spec.build(examples.shape, examples.classes, nnx.Rngs(0)), spec, examples, tensors)
    model.eval()
    return model


def saved(model: Any, path: Path) -> Path:
    from safetensors.torch import save_file

    save_file(model.state_dict(), path)
    return path


def assert_same_barriers(
    model: Any, inputs: Any, targets: np.ndarray, group: str, loss_of: Callable[[State], float], state: State,
    axes: dict[str, int],
) -> None:  # fmt: skip
    """Midpoint barriers by Algorithm 1 on PyTorch's own tensors, whose axes `axes` belong to the units of the group."""
    name, axis = next(iter(axes.items()))
    units = state[name].shape[axis]
    permutations = compose(draw_swaps(jax.random.key(1), 3, units), units)
    found = midpoint_barriers(model, permutations, inputs, targets, group=group)

    expected = []
    for order in map(torch.as_tensor, permutations):
        following = state | {name: state[name].index_select(axis, order) for name, axis in axes.items()}
        middle = state | {name: (state[name] + following[name]) / 2 for name in axes}
        expected.append(abs(loss_of(middle) - (loss_of(state) + loss_of(following)) / 2))
        state = following
    assert_allclose(found, expected, rtol=1e-2, atol=5e-6)
    assert min(expected) > 1e-4


@pytest.fixture(autouse=True, scope="module")
def torchvision() -> Iterator[Any]:
    """Builds of torchvision for CUDA do not load their own operators beside a PyTorch for processors; none is used.

    Where torchvision is installed, transformers imports it too.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")
    try:
        import torchvision
    except RuntimeError:
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    yield torchvision


def test_resnet18_of_torchvision(torchvision: Any, tmp_path: Path) -> None:
    spec, examples = ResNetSpec(width=64), Examples((16, 16, 3), 10, 100)
    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=10)
    with pytest.raises(ValueError, match="a stem of 7×7, stride 2 and max-pooling"):
        ours(spec, examples, saved(network, tmp_path / "imagenet.safetensors"))
    network.conv1, network.maxpool = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False), torch.nn.Identity()
    for norm in (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        norm.weight.data.uniform_(0.5, 1.5), norm.bias.data.normal_(), setattr(norm, "momentum", 1.0)
    network(torch.randn(32, 3, 16, 16))  # its running statistics are those of this batch now
    network.eval()
    x, targets = torch.randn(8, 3, 16, 16), torch.arange(8)
    model, inputs = ours(spec, examples, saved(network, tmp_path / "cifar.safetensors")), nhwc(x)
    with torch.no_grad():
        assert_allclose(forward(split(model), inputs), network(x).numpy(), rtol=1e-4, atol=1e-4)

        def loss_of(state: State) -> float:
            return float(torch.nn.functional.cross_entropy(torch.func.functional_call(network, state, x), targets))

        block = "layer2.1"
        axes = dict.fromkeys((f"{block}.{name}" for name in (
            "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
        )), 0) | {f"{block}.conv2.weight": 1}  # fmt: skip
        assert_same_barriers(model, inputs, targets.numpy(), "stage2_block2", loss_of, network.state_dict(), axes)


def nhwc(x: Any) -> np.ndarray:
    return np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1))


@pytest.mark.parametrize(("layers", "spec"), [
    ([torch.nn.Flatten(), torch.nn.Linear(72, 7), torch.nn.ReLU(), torch.nn.Linear(7, 10)], MlpSpec(hidden=(7,))),
    ([torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 5, 3, padding=1), torch.nn.ReLU(),
      torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(30, 6), torch.nn.ReLU(), torch.nn.Linear(6, 10)],
     CnnSpec(channels=(4, 5), dense=(6,))),
])  # fmt: skip
def test_chains(layers: list[Any], spec: ModelSpec, tmp_path: Path) -> None:
    network, x = torch.nn.Sequential(*layers), torch.randn(5, 3, 6, 4)
    model = ours(spec, Examples((6, 4, 3), 10, 100), saved(network, tmp_path / "chain.safetensors"))
    assert_allclose(forward(split(model), nhwc(x)), network(x).detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spec", [BertSpec(), BertSpec(layers=4, hidden=256, heads=4, ffn=(1024,) * 4)])
def test_bert_of_hugging_face(spec: BertSpec, tmp_path: Path) -> None:
    """The published BERT-Tiny and BERT-Mini."""
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        hidden_size=spec.hidden, num_hidden_layers=spec.layers, num_attention_heads=spec.heads,
        intermediate_size=spec.ffn[0],
    )  # fmt: skip
    network = transformers.BertForMaskedLM(config)
    for numbers in network.parameters():  # biases and scales too, which begin at 0 and 1
        numbers.data += 0.02 * torch.randn_like(numbers)
    network.eval()
    network.save_pretrained(tmp_path)
    rng, examples = np.random.default_rng(0), Examples((32,), config.vocab_size, 100)
    tokens = rng.integers(0, config.vocab_size, (4, 32))
    positions = np.sort([rng.permutation(32)[:5] for _ in tokens])
    inputs, targets = {"tokens": tokens, "positions": positions}, rng.integers(0, config.vocab_size, (4, 5))
    model = ours(spec, examples, tmp_path / "model.safetensors")
    rows = np.arange(4)[:, None]

    def logits(state: State) -> Any:
        return torch.func.functional_call(network, state, (torch.as_tensor(tokens),)).logits[rows, positions]

    state = dict(network.named_parameters())
    with torch.no_grad():
        assert_allclose(forward(split(model), inputs), logits(state).numpy(), rtol=1e-4, atol=1e-4)

        def loss_of(state: State) -> float:
            return float(
                torch.nn.functional.cross_entropy(logits(state).flatten(0, 1), torch.as_tensor(targets.ravel()))
            )

        block = "bert.encoder.layer.0"
        axes = {f"{block}.intermediate.dense.weight": 0, f"{block}.intermediate.dense.bias": 0}
        axes |= {f"{block}.output.dense.weight": 1}
        assert_same_barriers(model, inputs, targets, "ffn1", loss_of, state, axes)
