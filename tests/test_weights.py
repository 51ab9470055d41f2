"""Trained weights from files: read with care, and turned from PyTorch's layout, against networks in plain NumPy."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import save
from trained import LENGTH, VOCABULARY, forward

from landscape.models.functional import split
from landscape.models.weights.bert import check_config
from landscape.models.weights.layouts import SLOTS, arrays_of, check, expected_shapes
from landscape.models.weights.own import filled, save_weights
from landscape.models.weights.reader import read, tensors_of
from landscape.models.weights.sizes import check_kind, model_of
from landscape.study.examples import Examples
from landscape.study.kinds import BertSpec, CnnSpec, MlpSpec, ModelSpec, ResNetSpec

pytestmark = pytest.mark.compiled_quickly

IMAGES = Examples((6, 4, 3), 10, 100)
MLP, CNN = MlpSpec(hidden=(7, 5)), CnnSpec(channels=(4, 5), dense=(6,))
RESNET, BERT = ResNetSpec(width=4), BertSpec(layers=2, hidden=12, heads=3, ffn=(10, 9))
TEXT = Examples((LENGTH,), VOCABULARY, 100)


def tensors(spec: ModelSpec, examples: Examples, names: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """A state dictionary of random numbers in PyTorch's layout; `names` are those of a chain's layers, in order."""
    rng, found, layers = np.random.default_rng(0), {}, iter(names)
    for slot in SLOTS[spec.kind](spec, examples):
        if names:
            layer = next(layers) if slot.name == "weight" else layer
        numbers = rng.normal(size=slot.shape) / np.sqrt(np.prod(slot.shape[1:]))
        positive = slot.name.endswith("running_var")
        found[f"{layer}.{slot.name}" if names else slot.name] = np.abs(numbers) + 0.5 if positive else numbers
    return {name: numbers.astype(np.float32) for name, numbers in found.items()}


def torch_chain(layers: list[dict[str, np.ndarray]], x: np.ndarray) -> np.ndarray:
    """PyTorch's Conv2d(3, padding=1), ReLU, …, MaxPool2d(2), Flatten, Linear, ReLU, …, on (b, c, h, w), in float64."""
    for i, layer in enumerate(layers):
        weight, bias = (layer[part].astype(np.float64) for part in ("weight", "bias"))
        if weight.ndim == 4:
            b, _, h, w = x.shape
            padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
            windows = np.stack([padded[:, :, i : i + h, j : j + w] for i in range(3) for j in range(3)], 2)
            x = np.einsum("bckhw,ock->bohw", windows, weight.reshape(*weight.shape[:2], 9)) + bias[:, None, None]
        else:
            x = x.reshape(len(x), -1) @ weight.T + bias
        if i + 1 < len(layers):
            x = np.maximum(x, 0)
        if weight.ndim == 4 and layers[i + 1]["weight"].ndim == 2:
            b, c, h, w = x.shape
            x = x.reshape(b, c, h // 2, 2, w // 2, 2).max((3, 5))
    return x


def logits(spec: ModelSpec, examples: Examples, content: bytes, inputs: Any) -> np.ndarray:
    model = spec.build(examples.shape, examples.classes, nnx.Rngs(0))
    return np.asarray(forward(split(filled(model, spec, examples, tensors_of(content))), inputs))


@pytest.mark.parametrize(("spec", "names"), [
    (MLP, ("0", "2", "10")),  # 10 comes after 2, though not in the alphabet
    (MLP, ("fc1", "fc2", "classifier")),
    (CNN, ("features.0", "features.2", "fc", "head")),
])  # fmt: skip
def test_chains_compute_what_pytorch_computes(spec: ModelSpec, names: tuple[str, ...]) -> None:
    state = tensors(spec, IMAGES, names)
    x = np.random.default_rng(1).normal(size=(5, 3, 6, 4))
    layers = [{part: state[f"{name}.{part}"] for part in ("weight", "bias")} for name in names]
    own = logits(spec, IMAGES, save(state), x.transpose(0, 2, 3, 1).astype(np.float32))
    assert_allclose(own, torch_chain(layers, x), rtol=1e-4, atol=1e-5)
    assert model_of(tensors_of(save(state)), IMAGES) == spec


def test_layers_of_one_shape_are_told_apart_by_their_numbers_or_not_at_all() -> None:
    spec = MlpSpec(hidden=(8, 8, 8))
    state = tensors(spec, IMAGES, ("in", "h9", "h10", "out"))
    found = arrays_of(spec, IMAGES, tensors_of(save(state)))
    assert_array_equal(found["hidden2.kernel"], state["h9.weight"].T)
    state = {name.replace("h9", "other"): array for name, array in state.items()}
    with pytest.raises(ValueError, match=r"h10\.weight and other\.weight have the same shape, and no numbers"):
        arrays_of(spec, IMAGES, tensors_of(save(state)))


def torch_bert(state: dict[str, np.ndarray], heads: int, tokens: np.ndarray) -> np.ndarray:
    """Logits of every token of one sequence by Hugging Face's names, in float64."""
    from scipy.special import erf, softmax

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ state[f"{name}.weight"].astype(np.float64).T + state[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * state[f"{name}.weight"] + state[f"{name}.bias"]

    def gelu(x: np.ndarray) -> np.ndarray:
        return x * (1 + erf(x / np.sqrt(2))) / 2

    e = "bert.embeddings"
    x = state[f"{e}.word_embeddings.weight"][tokens].astype(np.float64)
    x = x + state[f"{e}.position_embeddings.weight"][: len(tokens)] + state[f"{e}.token_type_embeddings.weight"][0]
    x = norm(x, f"{e}.LayerNorm")
    for i in range(2):
        block, mixed = f"bert.encoder.layer.{i}", []
        q, k, v = (dense(x, f"{block}.attention.self.{name}") for name in ("query", "key", "value"))
        for one in np.split(np.arange(q.shape[1]), heads):
            scores = q[:, one] @ k[:, one].T / np.sqrt(len(one))
            mixed.append(softmax(scores, axis=-1) @ v[:, one])
        attended = dense(np.concatenate(mixed, 1), f"{block}.attention.output.dense")
        x = norm(x + attended, f"{block}.attention.output.LayerNorm")
        fed = dense(gelu(dense(x, f"{block}.intermediate.dense")), f"{block}.output.dense")
        x = norm(x + fed, f"{block}.output.LayerNorm")
    x = norm(gelu(dense(x, "cls.predictions.transform.dense")), "cls.predictions.transform.LayerNorm")
    return x @ state[f"{e}.word_embeddings.weight"].T.astype(np.float64) + state["cls.predictions.bias"]


def hugging_face() -> dict[str, np.ndarray]:
    rng, places = np.random.default_rng(2), ("position_embeddings", "token_type_embeddings")
    state = tensors(BERT, TEXT)
    sizes = zip(places, (LENGTH + 3, 2), strict=True)
    more = {f"bert.embeddings.{name}.weight": rng.normal(size=(count, 12)).astype(np.float32) for name, count in sizes}
    return state | more


def test_bert_computes_what_hugging_face_computes() -> None:
    """With more positions than are used, an unused pooler, and a decoder that repeats the embeddings."""
    state, tokens = hugging_face(), np.random.default_rng(3).integers(0, VOCABULARY, (1, LENGTH))
    words = state["bert.embeddings.word_embeddings.weight"]
    extra = {"bert.pooler.dense.weight": np.ones((12, 12), np.float32), "cls.predictions.decoder.weight": words}
    ids = {"bert.embeddings.position_ids": np.arange(LENGTH)[None]}
    inputs = {"tokens": tokens, "positions": np.arange(LENGTH)[None]}
    own = logits(BERT, TEXT, save(state | extra | ids), inputs)
    assert_allclose(own[0], torch_bert(state, 3, tokens[0]), rtol=1e-4, atol=1e-4)
    found = model_of(tensors_of(save(state)), TEXT)
    assert isinstance(found, BertSpec) and found.model_copy(update={"heads": 3}) == BERT


@pytest.mark.parametrize(("change", "message"), [
    ({"cls.predictions.decoder.weight": np.ones((VOCABULARY, 12), np.float32)}, r"decoder\.weight differs from"),
    ({"bert.embeddings.position_embeddings.weight": np.ones((9, 12), np.float32)}, "has 9 positions, and"),
    ({"bert.embeddings.word_embeddings.weight": np.ones((7, 12), np.float32)}, r"shape \(7, 12\); \(40, 12\) is ex"),
])  # fmt: skip
def test_what_a_bert_has_otherwise_is_refused(change: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(BERT, TEXT, tensors_of(save(hugging_face() | change)))


def test_a_configuration_with_another_function_is_refused() -> None:
    check_config({"hidden_act": "gelu", "layer_norm_eps": 1e-12, "num_attention_heads": 3, "vocab_size": 40}, BERT)
    for wrong in ({"hidden_act": "gelu_new"}, {"layer_norm_eps": 1e-5}, {"num_attention_heads": 2}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            check_config(wrong, BERT)


def test_resnet_has_the_stem_for_small_images() -> None:
    state = tensors(RESNET, IMAGES) | {"bn1.num_batches_tracked": np.array(7)}
    arrays = arrays_of(RESNET, IMAGES, tensors_of(save(state)))
    assert_array_equal(arrays["stage2_block1.project_norm.var"], state["layer2.0.downsample.1.running_var"])
    assert_array_equal(arrays["stem.kernel"][1, 2], state["conv1.weight"][:, :, 1, 2].T)
    assert model_of(tensors_of(save(state)), IMAGES) == RESNET
    wide = state | {"conv1.weight": np.ones((4, 3, 7, 7), np.float32)}
    with pytest.raises(ValueError, match=r"\(4, 3, 7, 7\): a stem of 7×7, stride 2 and max-pooling"):
        check(RESNET, IMAGES, tensors_of(save(wide)))


@pytest.mark.parametrize("spec", [MLP, CNN, RESNET, BERT])
def test_an_array_has_a_slot_of_its_shape(spec: ModelSpec) -> None:
    """The shapes that a check knows without building a network are those of the network, each once."""
    examples = TEXT if spec is BERT else IMAGES
    network = split(nnx.eval_shape(lambda: spec.build(examples.shape, examples.classes, nnx.Rngs(0))))
    assert expected_shapes(spec, examples) == {path: array.shape for path, array in network.weights.items()}


def drawn(spec: ModelSpec, examples: Examples) -> nnx.Module:
    """A network of random numbers, drawn on the host, which compiles nothing."""
    rng = np.random.default_rng(4)
    network = split(nnx.eval_shape(lambda: spec.build(examples.shape, examples.classes, nnx.Rngs(0))))
    weights = {path: jnp.asarray(rng.random(array.shape), array.dtype) for path, array in network.weights.items()}
    return network.replace(weights).module()


@pytest.mark.parametrize("spec", [MLP, RESNET, BERT])
def test_our_own_export_is_read_back_exactly(spec: ModelSpec, tmp_path: Path) -> None:
    examples = TEXT if spec is BERT else IMAGES
    model = drawn(spec, examples)
    save_weights(model, tmp_path / "base.safetensors")
    tensors = read(tmp_path / "base.safetensors")
    check(spec, examples, tensors)
    zero = split(model).replace({path: array * 0 for path, array in split(model).weights.items()}).module()
    back = filled(zero, spec, examples, tensors)
    assert jax.tree.all(jax.tree.map(np.array_equal, split(back).weights, split(model).weights))
    assert model_of(tensors, examples).group_sizes().keys() == spec.group_sizes().keys()


def state() -> dict[str, np.ndarray]:
    return tensors(MLP, IMAGES, ("fc1", "fc2", "head"))


@pytest.mark.parametrize(("change", "message"), [
    ({"fc1.bias": None}, r"no tensor fc1\.bias, expected of shape \(7,\)"),
    ({"head.weight": None, "head.bias": None}, r"no weight of shape \(10, 5\), which head\.kernel is made of"),
    ({"fc2.weight": np.ones((5, 8), np.float32)}, r"no weight of shape \(5, 7\).*fc2\.weight of shape \(5, 8\)"),
    ({"fc2.bias": np.ones(6, np.float32)}, r"fc2\.bias has shape \(6,\); \(5,\) is expected"),
    ({"scale": np.ones(3, np.float32)}, r"scale of shape \(3,\), for which the network has no place"),
    ({"fc2.weight": np.full((5, 7), np.nan, np.float32)}, r"fc2\.weight holds 35 of 35 numbers that are NaN"),
    ({"fc2.weight": np.full((5, 7), 1e300)}, r"fc2\.weight holds 35 of 35 numbers that are NaN or infinite"),
    ({"fc2.weight": np.ones((5, 7), np.int32)}, r"fc2\.weight is of type I32; weights are of type F64"),
])  # fmt: skip
def test_a_tensor_that_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    content = save({name: array for name, array in (state() | change).items() if array is not None})
    with pytest.raises(ValueError, match=message):
        check(MLP, IMAGES, tensors_of(content))


def bfloat16(numbers: np.ndarray) -> bytes:
    """The upper half of each number in float32, which is bfloat16 rounded to zero."""
    return (numbers.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()


LINEAR = {"0.weight": (6, 72), "0.bias": (6,), "2.weight": (10, 6), "2.bias": (10,)}


@pytest.mark.parametrize(("change", "message"), [
    ({"norm.weight": (6,), "norm.bias": (6,), "norm.running_mean": (6,)}, r"has norm.+neither"),
    ({"rnn.weight_ih_l0": (24, 8), "rnn.weight_hh_l0": (24, 6)}, "rnn.weight_ih_l0 of shape.+neither an MLP"),
    ({"attention.in_proj_weight": (24, 8)}, r"in_proj_weight of shape \(24, 8\), for which neither an MLP nor the CNN"),
    ({"conv.weight": (4, 3, 5), "conv.bias": (4,)}, r"has conv\.\w+ of shape .+neither an MLP nor the CNN"),
    ({"conv.weight": (4, 3, 5, 5), "conv.bias": (4,)}, "windows of 5×5; the CNN here has 3×3"),
    ({"0.weight": None, "0.bias": None}, "holds one layer, 2, so the network has no hidden units"),
    ({"conv1.weight": (4, 3, 7, 7), "layer1.0.conv1.weight": (4, 4, 3, 3)}, "a stem of 7×7, stride 2 and max-pooling"),
    ({"2.bias": None}, "2.weight has no 2.bias beside it"),
    ({"dense/kernel:0": (6, 6)}, "dense/kernel:0 of shape .+neither"),
    ({"params.Dense_0.kernel": (6, 6)}, "a Flax module of your own, whose weights go with a study of that module"),
])  # fmt: skip
def test_another_kind_of_network_is_refused_by_what_it_has(change: dict[str, tuple | None], message: str) -> None:
    """Whatever the data: of networks that people have, those with a layer of another kind."""
    check_kind(tensors_of(filled_with_ones({f"module.{name}": shape for name, shape in LINEAR.items()})))
    with pytest.raises(ValueError, match=message):
        check_kind(tensors_of(filled_with_ones(LINEAR | change)))


@pytest.mark.parametrize("spec", [MLP, CNN, RESNET, BERT])
def test_every_built_in_kind_is_one_of_these(spec: ModelSpec, tmp_path: Path) -> None:
    examples = TEXT if spec is BERT else IMAGES
    save_weights(spec.build(examples.shape, examples.classes, nnx.Rngs(0)), tmp_path / "ours")
    check_kind(read(tmp_path / "ours"))
    check_kind(tensors_of(save(tensors(spec, examples, CHAINS.get(spec.kind, ())))))


CHAINS = {"mlp": ("0", "2", "4"), "cnn": ("0", "2", "5", "7")}


@pytest.mark.parametrize(("shapes", "message"), [
    (LINEAR | {"2.weight": (1, 6), "2.bias": (1,)}, "has one output, and the data have 10 classes"),
    (LINEAR | {"0.weight": (100_001, 72), "2.weight": (10, 100_001)}, "hidden.0: must be at most 100000"),
])  # fmt: skip
def test_a_chain_of_other_sizes_is_refused_in_words(shapes: dict[str, tuple], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        model_of(tensors_of(filled_with_ones(shapes)), IMAGES)
    assert "pydantic" not in str(refused.value)


def filled_with_ones(shapes: dict[str, tuple | None]) -> bytes:
    return save({name: np.ones(shape, np.float16) for name, shape in shapes.items() if shape is not None})


def test_a_header_of_any_length_is_read() -> None:
    """Its length stands in front of it, whose first byte is that of a pickle where it is 128 more than 256 n."""
    files = [save({"w" * extra: np.ones(2, np.float32)}) for extra in range(1, 300, 8)]
    assert any(content.startswith(b"\x80") for content in files)
    assert all(tensors_of(content) for content in files)


def test_half_precision_is_converted_exactly() -> None:
    numbers = np.array([1.5, -2.0, 2.0**-14, 0.0])
    halves = tensors_of(save({"x": numbers.astype(np.float16)}))["x"].array()
    truncated = tensors_of(file({"x": entry("BF16", [4], 0, 8)}, bfloat16(numbers)))["x"].array()
    for found in (halves, truncated):
        assert found.dtype == np.float32
        assert_array_equal(found, numbers)


def entry(dtype: str, shape: list[Any], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def file(header: dict[str, Any] | bytes, numbers: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


X = entry("F32", [1], 0, 4)
BAD = {
    "empty": (b"", "no safetensors file, or is cut off"),
    "pickle": (pickle.dumps({"x": 1}), "is a pickle or an archive, as torch.save writes"),
    "PyTorch's own format": (
        b"PK\x03\x04rest",
        "is a pickle or an archive, as torch.save writes",
    ),
    "text": (b"these are no weights, as anybody can see", "no safetensors file, or is cut off"),
    "cut off in the header": (file({"x": X}, b"")[:20], "cut off"),
    "cut off in the numbers": (file({"x": X}, b"12"), "x of shape .* lies at bytes 0 to 4 of 2"),
    "more than its tensors": (file({"x": X}, b"12345678"), "4 bytes behind the last tensor"),
    "absurd length": ((2**62).to_bytes(8, "little") + b"{}", "its header would have 4,611,686"),
    "no JSON": (file(b"{x", b""), "the header of the safetensors file cannot be read"),
    "deep": (file(b"[" * 100_000, b""), "the header of the safetensors file cannot be read"),
    "no table": (file(b"[]", b""), "it is no table"),
    "nothing": (file({"__metadata__": {"format": "pt"}}, b""), "holds no tensors"),
    "twice": (file(f'{{"x":{json.dumps(X)},"x":{json.dumps(X)}}}'.encode(), b"1234"), "it names x twice"),
    "unknown type": (file({"x": entry("F8_E4M3", [4], 0, 4)}, b"1234"), "x is of type F8_E4M3, which is not read"),
    "negative shape": (file({"x": entry("F32", [-1, -1], 0, 4)}, b"1234"), "no shape of at most 8 whole numbers"),
    "shape of text": (file({"x": entry("F32", ["1"], 0, 4)}, b"1234"), "no shape of at most 8 whole numbers"),
    "huge shape": (file({"x": entry("F32", [2**62, 2**62], 0, 4)}, b"1234"), "lies at bytes 0 to 4"),
    "overlap": (file({"x": X, "y": X}, b"1234"), "begins at byte 0 of the numbers, and the tensor before it ends at 4"),
    "gap": (file({"x": X, "y": entry("F32", [1], 8, 12)}, b"123456789012"), "y begins at byte 8"),
    "no entry": (file({"x": 3}, b""), "does not say what x is: 3"),
}


@pytest.mark.parametrize("content, message", BAD.values(), ids=BAD)
def test_what_is_no_safetensors_file_is_refused_in_a_sentence(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tensors_of(content)


@given(st.data())
def test_a_damaged_file_is_read_as_what_it_says_or_refused(data: st.DataObject) -> None:
    content = bytearray(save({"fc1.weight": np.ones((2, 3), np.float32), "fc1.bias": np.ones(2, np.float16)}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        for tensor in tensors_of(bytes(content[: data.draw(st.integers(0, len(content)))])).values():
            tensor.array()
    except ValueError as error:
        assert len(str(error)) < 400


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.truncate(200 * 2**20 + 1)
    with pytest.raises(ValueError, match="has 209,715,201 bytes; weights may have 209,715,200 at most"):
        read(path)
    with pytest.raises(ValueError, match="cannot be read: No such file or directory"):
        read(tmp_path / "missing.safetensors")
