"""Which network a file holds, from the names and shapes of its tensors."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from pydantic import ValidationError

from landscape.analysis.wording import counted
from landscape.models.weights.bert import vocabulary_of
from landscape.models.weights.layouts import is_our_export
from landscape.models.weights.matching import is_weight, some_of
from landscape.models.weights.reader import Tensor, Tensors
from landscape.models.weights.resnet import check_stem, known_names
from landscape.study.examples import Examples
from landscape.study.faults import explain
from landscape.study.kinds import BertSpec, CnnSpec, MlpSpec, ModelSpec, ResNetSpec

USUAL_FEATURES = 64  # of a head, in all published BERTs
MOST_LAYERS = 12  # of a chain whose order has to be searched for
OURS = re.compile(r"((hidden|conv|dense)\d+|head)\.(kernel|bias)")  # the arrays of our own MLPs and CNNs

Kernel = tuple[int, ...]  # the shape of a weight as PyTorch has it: (out, in) or (out, in, h, w)


def model_of(tensors: Tensors, examples: Examples) -> ModelSpec:
    """The specification of the network whose weights a file holds, and which reads these examples.

    The number of heads of a BERT is in no shape; it is taken to be that of the published ones, one for 64 features.

    Raises:
      ValueError: if the shapes belong to no network of a built-in kind, or it cannot read such examples or has
        another number of outputs than they have classes.

    Example:
      >>> import numpy as np
      >>> from safetensors.numpy import save
      >>> from landscape.models.weights.reader import tensors_of
      >>> from landscape.models.weights.sizes import model_of
      >>> from landscape.study.examples import Examples
      >>> weights = {"fc1.weight": np.ones((20, 64)), "fc2.weight": np.ones((10, 20))}
      >>> model_of(tensors_of(save(weights)), Examples((8, 8, 1), 10, 1797))
      MlpSpec(kind='mlp', hidden=(20,))
    """
    kernels = _kernels(tensors)
    try:
        if vocabulary_of(tensors):
            return _bert(kernels)
        if _is_resnet(kernels):
            return ResNetSpec(width=kernels["stem" if "stem" in kernels else "conv1"][0])
        return _chain(kernels, examples)
    except ValidationError as error:
        raise ValueError(explain(error)) from None


def check_kind(tensors: Tensors) -> None:
    """Raises ValueError for the tensors of a network that is of no built-in kind, whatever examples it reads.

    Only names and shapes are looked at; of BERTs and ResNets, whose names are known, not all of them.
    """
    kernels = _kernels(tensors)
    if vocabulary_of(tensors):
        return
    if _is_resnet(kernels):
        check_stem(known_names(tensors))
    elif is_our_export(tensors):
        _check_ours(tensors)
    else:
        _check_chain(tensors)
    if len(kernels) == 1:
        (layer,) = kernels
        raise ValueError(f"the file holds one layer, {layer}, so the network has no hidden units to permute")


def _check_ours(tensors: Tensors) -> None:
    if other := [each for name, each in tensors.items() if not OURS.fullmatch(name)]:
        raise ValueError(
            f"the file has {some_of(other)}, so it holds a Flax module of your own, whose weights go with a study of "
            "that module: `weights` names them in its TOML file"
        )


def _check_chain(tensors: Tensors) -> None:
    if other := [each for each in tensors.values() if not _is_of_a_chain(each, tensors)]:
        raise ValueError(f"the file has {some_of(other)}, for which neither an MLP nor the CNN here has a place")
    for name, weight in tensors.items():
        if is_weight(name) and (bias := f"{name.removesuffix('weight')}bias") not in tensors:
            raise ValueError(f"{name} has no {bias} beside it, which each layer of an MLP or CNN here has")
        if len(weight.shape) == 4 and weight.shape[2:] != (3, 3):
            raise ValueError(f"{weight} has windows of {'×'.join(map(str, weight.shape[2:]))}; the CNN here has 3×3")


def _is_resnet(kernels: Mapping[str, Kernel]) -> bool:
    return "stem" in kernels or "layer1.0.conv1" in kernels


def _is_of_a_chain(tensor: Tensor, tensors: Tensors) -> bool:
    """Whether it is the weight of a dense layer or a convolution, or the bias of one."""
    weight = tensors.get(f"{tensor.name.removesuffix('bias')}weight") if _is_bias(tensor.name) else tensor
    return weight is not None and is_weight(weight.name) and len(weight.shape) in (2, 4)


def _is_bias(name: str) -> bool:
    return name == "bias" or name.endswith(".bias")


def _kernels(tensors: Tensors) -> dict[str, Kernel]:
    """The shape of the weight of each layer, as PyTorch has it, by the layer's name."""
    if is_our_export(tensors):
        ours = {name.removesuffix(".kernel"): each.shape for name, each in tensors.items() if name.endswith(".kernel")}
        return {name: (*shape[::-1][:2], *shape[:-2]) for name, shape in ours.items()}
    named = known_names(tensors)
    return {name.removesuffix("weight").rstrip("."): each.shape for name, each in named.items() if is_weight(name)}


def _bert(kernels: Mapping[str, Kernel]) -> BertSpec:
    ups = {name: shape for name, shape in kernels.items() if re.search(r"\.(intermediate\.dense|up)$", name)}
    if not ups or any(len(shape) != 2 for shape in ups.values()):
        raise ValueError("the file has embeddings of tokens, but no blocks of a BERT")
    ordered = [ups[name] for name in sorted(ups, key=_numbers)]
    hidden = ordered[0][1]
    heads = max(1, hidden // USUAL_FEATURES)
    return BertSpec(layers=len(ordered), hidden=hidden, heads=heads, ffn=tuple(shape[0] for shape in ordered))


def _chain(kernels: Mapping[str, Kernel], examples: Examples) -> MlpSpec | CnnSpec:
    """A perceptron, or a CNN where there are convolutions."""
    convs = {name: shape for name, shape in kernels.items() if len(shape) == 4}
    dense = {name: shape for name, shape in kernels.items() if len(shape) == 2}
    if not dense:
        raise ValueError(f"the file holds no weights of dense layers; it has {', '.join(list(kernels)[:5]) or 'none'}")
    if len(kernels) == 1:
        raise ValueError(
            f"the file holds one layer, {', '.join(kernels)}, so the network has no hidden units to permute"
        )
    if not convs:
        return MlpSpec(hidden=_hidden(dense, math.prod(examples.shape), examples))
    if len(examples.shape) != 3:
        raise ValueError(f"the file holds a network of convolutions, which reads no inputs of shape {examples.shape}")
    height, width, depth = examples.shape
    channels = _sizes(convs, depth)
    pooled = (height // 2) * (width // 2) * channels[-1]
    return CnnSpec(channels=channels, dense=_hidden(dense, pooled, examples))


def _hidden(dense: Mapping[str, Kernel], inputs: int, examples: Examples) -> tuple[int, ...]:
    """The units of the dense layers before the last, which is the head. Raises ValueError where that does not fit."""
    *hidden, outputs = _sizes(dense, inputs)
    if outputs != examples.classes:
        raise ValueError(f"the network has {counted(outputs, 'output')}, and the data have {examples.classes} classes")
    return tuple(hidden)


def _sizes(kernels: Mapping[str, Kernel], inputs: int) -> tuple[int, ...]:
    """The outputs of layers in the order in which each reads what the one before has computed.

    That is the order of their names where these fit, and else the only one that fits. Raises ValueError without one.
    """
    named = [(shape[1], shape[0]) for _, shape in sorted(kernels.items(), key=lambda each: _numbers(each[0]))]
    outputs = tuple(out for _, out in named)
    if tuple(read for read, _ in named) == (inputs, *outputs[:-1]):
        return outputs
    found = list(islice(_orders(Counter(named), inputs), 2)) if len(named) <= MOST_LAYERS else []
    if len(found) == 1:
        return found[0]
    shown = ", ".join(f"{name} {shape}" for name, shape in kernels.items())
    why = "several orders that begin" if found else "no order that begins"
    raise ValueError(f"its layers can be chained in {why} with {inputs} inputs: {shown[:300]}")


def _orders(layers: Counter[tuple[int, int]], inputs: int) -> Iterator[tuple[int, ...]]:
    """The outputs of layers (in, out) in every order that fits; layers of one shape are not told apart."""
    if not layers:
        yield ()
    for read, out in layers:
        if read == inputs:
            for rest in _orders(layers - Counter([(read, out)]), out):
                yield (out, *rest)


def _numbers(name: str) -> list[tuple[bool, int, str]]:
    """A key by which names are sorted, with their numbers as numbers."""
    parts: Iterable[str] = re.findall(r"\d+|\D+", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]
