"""BERT for masked language modelling as the state dictionary of Hugging Face's `BertForMaskedLM` holds it.

Every sentence here is of type 0, so that the embedding of that type is added to those of the positions, which computes
the same. The pooler and the head for pairs of sentences take no part in masked language modelling. What a file does not
say is taken as BERT has it: exact GELU, ε = 1e-12 and absolute positions; a `config.json` beside it is held to that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from landscape.models.weights.matching import Slot, Turn, as_it_is, by_name, turned
from landscape.models.weights.reader import Tensor, Tensors
from landscape.study.examples import Examples
from landscape.study.kinds import BertSpec

PREFIX, HEAD = "bert.", "cls.predictions"
TOKENS, PLACES, TYPES = (f"bert.embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type"))
OURS = "tokens.embedding"  # in our own export
DECODER = f"{HEAD}.decoder"
UNUSED = (r"bert\.pooler\..*", r"cls\.seq_relationship\..*", r"bert\.embeddings\.(position|token_type)_ids")
OLDER = {r"LayerNorm\.gamma$": "LayerNorm.weight", r"LayerNorm\.beta$": "LayerNorm.bias"}
LAYERS = {  # of a block
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
    "up": "intermediate.dense",
    "down": "output.dense",
}
NORMS = {"attention_norm": "attention.output.LayerNorm", "norm": "output.LayerNorm"}
USUAL = {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "position_embedding_type": "absolute", "is_decoder": False}


def bert_arrays(spec: BertSpec, examples: Examples, tensors: Tensors) -> dict[str, np.ndarray]:
    """The arrays of a BERT by path.

    Raises ValueError for a tensor that does not fit, too few positions, and a decoder of its own instead of the
    embeddings of the tokens.
    """
    found = {_known(name): tensor for name, tensor in tensors.items()}
    places, types = (_embeddings(found, name, spec.hidden) for name in (PLACES, TYPES))
    length = examples.shape[0]
    if len(places) < length:
        raise ValueError(f"{PLACES} has {len(places)} positions, and the sequences of the data have {length} tokens")
    words = found.get(TOKENS)
    if words and len(words.shape) == 2 and words.shape[0] != examples.classes:
        raise ValueError(
            f"{TOKENS} has shape {words.shape}; ({examples.classes}, {spec.hidden}) is expected, since the text has "
            f"{examples.classes} tokens"
        )
    _check_tied(found, f"{DECODER}.weight", TOKENS)
    _check_tied(found, f"{DECODER}.bias", f"{HEAD}.bias")
    rest = {name: each for name, each in found.items() if name not in (PLACES, TYPES)}
    arrays = by_name(bert_slots(spec, examples), rest, UNUSED)
    return arrays | {"places.embedding": places[:length] + types[0]}


def bert_slots(spec: BertSpec, examples: Examples) -> list[Slot]:
    """Everything but the embeddings of positions, which are put together."""
    hidden = spec.hidden
    slots = [Slot("tokens.embedding", (examples.classes, hidden), as_it_is, TOKENS)]
    slots += _norm("norm", "bert.embeddings.LayerNorm", hidden)
    for i, ffn in enumerate(spec.ffn):
        slots += _block(f"block{i + 1}", f"bert.encoder.layer.{i}", hidden, ffn)
    slots += _dense("head", f"{HEAD}.transform.dense", (hidden, hidden))
    slots += _norm("head_norm", f"{HEAD}.transform.LayerNorm", hidden)
    return [*slots, Slot("bias", (examples.classes,), as_it_is, f"{HEAD}.bias")]


def vocabulary_of(tensors: Tensors) -> int:
    """How many tokens a BERT knows; 0 where a file has no embeddings of tokens."""
    words = tensors.get(OURS) or tensors.get(TOKENS)
    return words.shape[0] if words and words.shape else 0


def check_vocabulary(known: int, tokens: int) -> None:
    """Raises ValueError unless a BERT, which knows some number of tokens, knows as many as a vocabulary holds."""
    if known != tokens:
        raise ValueError(f"the vocabulary holds {tokens:,} tokens, and the network knows {known:,}")


def check_config_beside(path: str | Path, spec: BertSpec) -> None:
    """Check the `config.json` in the folder of a file of weights, if there is one. Raises ValueError."""
    place = Path(path).with_name("config.json")
    try:
        config = json.loads(place.read_bytes()) if place.is_file() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{place} cannot be read: {error}") from None
    check_config(config if isinstance(config, dict) else {}, spec)


def check_config(config: Mapping[str, Any], spec: BertSpec) -> None:
    """Raises ValueError where the `config.json` of a BERT says that it computes something else than the BERT here."""
    expected = USUAL | {"num_attention_heads": spec.heads}
    for name, usual in expected.items():
        if name in config and config[name] != usual:
            raise ValueError(f"its config.json has {name} = {config[name]!r}; the BERT here has {usual!r}")


def _known(name: str) -> str:
    """A name as Hugging Face writes it today."""
    for older, usual in OLDER.items():
        name = re.sub(older, usual, name)
    return name


def _embeddings(found: dict[str, Tensor], name: str, hidden: int) -> np.ndarray:
    """Embeddings of any number. Raises ValueError where they are missing or of another width."""
    if name not in found:
        raise ValueError(f"the file has no tensor {name}, expected of shape (·, {hidden})")
    tensor = found[name]
    if len(tensor.shape) != 2 or tensor.shape[1] != hidden or not tensor.shape[0]:
        raise ValueError(f"{name} has shape {tensor.shape}; (·, {hidden}) is expected")
    return tensor.array()


def _check_tied(found: dict[str, Tensor], name: str, other: str) -> None:
    """Take a tensor out that repeats another one. Raises ValueError where it differs."""
    tensor = found.pop(name, None)
    if tensor is None or other not in found:
        return
    if tensor.shape != found[other].shape or not np.array_equal(tensor.array(), found[other].array()):
        raise ValueError(f"{name} differs from {other}; in the BERT here they are one")


def _block(path: str, name: str, hidden: int, ffn: int) -> list[Slot]:
    shapes = dict.fromkeys(LAYERS, (hidden, hidden)) | {"up": (ffn, hidden), "down": (hidden, ffn)}
    slots = [
        slot for ours, theirs in LAYERS.items() for slot in _dense(f"{path}.{ours}", f"{name}.{theirs}", shapes[ours])
    ]
    return slots + [
        slot for ours, theirs in NORMS.items() for slot in _norm(f"{path}.{ours}", f"{name}.{theirs}", hidden)
    ]


def _dense(path: str, name: str, shape: tuple[int, int]) -> list[Slot]:
    parts: list[tuple[str, str, tuple[int, ...], Turn]] = [
        ("kernel", "weight", shape, turned),
        ("bias", "bias", shape[:1], as_it_is),
    ]
    return [Slot(f"{path}.{ours}", size, turn, f"{name}.{theirs}") for ours, theirs, size, turn in parts]


def _norm(path: str, name: str, hidden: int) -> list[Slot]:
    parts = {"weight": "scale", "bias": "bias"}
    return [Slot(f"{path}.{ours}", (hidden,), as_it_is, f"{name}.{theirs}") for theirs, ours in parts.items()]
