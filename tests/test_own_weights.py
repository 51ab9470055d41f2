"""A study of a trained network from a file: from the notebook, from TOML and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx
from numpy.testing import assert_allclose
from safetensors.numpy import save_file
from scipy.special import logsumexp
from trained import LENGTH, VOCABULARY, text

import landscape
from landscape.barriers.walk import compose
from landscape.cli.parser import main
from landscape.data import load
from landscape.jobs.tasks import networks
from landscape.models.functional import split
from landscape.store.uploads import keep, kept, with_kept_files
from landscape.study import Study, recorded, validated
from landscape.study.files import in_the_vocabulary_of
from landscape.study.kinds import BertSpec
from landscape.study.presets import preset
from landscape.study.sources import BERT_SPECIALS, Weights

pytestmark = pytest.mark.compiled_quickly

CONTENT = {
    "name": "brought",
    "data": {"name": "digits", "train_size": 100, "validation_size": 200},
    "model": {"kind": "mlp", "hidden": [6]},
    "candidates": [[{"widen": "hidden1", "size": 9}]],
    "training": {"batch_size": 50, "epochs": 0},
    "walk": {"group": "hidden1", "permutations": 10, "batch_size": 100, "nodes": 2, "surface": 0},
    "seeds": 2,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A network in PyTorch's layout, with layers of its own names."""
    rng, shapes = np.random.default_rng(0), {"up": (6, 64), "down": (10, 6)}
    state = {f"{name}.weight": rng.normal(size=shape) / 4 for name, shape in shapes.items()}
    state |= {f"{name}.bias": rng.normal(size=shape[0]) for name, shape in shapes.items()}
    save_file({name: array.astype(np.float32) for name, array in state.items()}, tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def test_the_base_is_the_network_in_the_file(file: Path, tmp_path: Path) -> None:
    """Its loss and accuracy are those of the file's numbers, no epoch is trained, and every seed walks from it."""
    study = validated(CONTENT).starting_from(file)
    result = landscape.run(study, tmp_path / "cache")
    model, (train, validation, *_) = landscape.load_weights(file, study), load(study.data)
    up, down = (np.asarray(layer.kernel[...], np.float64) for layer in (model.hidden1, model.head))
    hidden = np.maximum(validation.inputs.reshape(200, -1) @ up + model.hidden1.bias[...], 0)
    logits = hidden @ down + model.head.bias[...]
    loss = np.mean(logsumexp(logits, 1) - logits[np.arange(200), validation.targets])
    assert result.sizes["base_epoch"] == 1
    assert_allclose(result["base_validation_loss"], np.full((2, 1), loss), rtol=1e-5)
    assert_allclose(result["base_validation_accuracy"], np.mean(logits.argmax(1) == validation.targets))
    assert_allclose(result["validation_loss"], np.full((2, 1, 1), loss), rtol=1e-5)
    steps = compose(result["swaps"].sel(seed=1, model="base").values, 6)
    barriers = landscape.midpoint_barriers(model, steps, *jax.tree.map(lambda x: x[:100], train), group="hidden1")
    assert_allclose(result["base_barrier"].sel(seed=1), barriers, rtol=1e-4, atol=1e-6)


def test_the_hash_of_the_file_is_in_the_key_and_its_place_is_not(file: Path, tmp_path: Path) -> None:
    study = validated(CONTENT).starting_from(file)
    other = tmp_path / "other.safetensors"
    other.write_bytes(file.read_bytes())
    assert study.key == study.starting_from(other).key == study.scaled(seeds=2).key == recorded(_plain(study)).key
    assert study.key != validated(CONTENT).key and str(tmp_path) not in study.model_dump_json()
    other.write_bytes(file.read_bytes() + b" ")
    assert study.starting_from(other).key != study.key


def _plain(study: Study) -> dict:
    return json.loads(study.model_dump_json())


def test_a_file_is_kept_by_its_content(file: Path, tmp_path: Path) -> None:
    """So that a study goes on without it, and no name from outside becomes a path."""
    study = with_kept_files(tmp_path / "cache", validated(CONTENT).starting_from(file))
    content = file.read_bytes()
    file.unlink()
    continued = with_kept_files(tmp_path / "cache", recorded(_plain(study)))
    assert continued.weights and continued.weights.content() == content
    assert list(kept(tmp_path / "cache", Weights)) == [continued.weights.sha256]
    Path(continued.weights.file).write_bytes(b"damaged")
    assert keep(tmp_path / "cache", Weights, content, "mine.safetensors").content() == content
    with pytest.raises(ValueError, match="are not on this computer; give their file again"):
        with_kept_files(tmp_path / "elsewhere", recorded(_plain(study)))


def test_a_vocabulary_is_kept_beside_the_weights(tmp_path: Path) -> None:
    """And the rest of what studies with the same vocabulary share: their key, wherever the file lies."""
    file = tmp_path / "vocab.txt"
    file.write_text("\n".join([*BERT_SPECIALS, *map(str, range(300))]))
    study = in_the_vocabulary_of(file, preset("tinybert"))
    here = with_kept_files(tmp_path / "cache", study)
    file.unlink()
    assert here.key == study.key != preset("tinybert").key
    continued = with_kept_files(tmp_path / "cache", recorded(_plain(study)))
    assert continued == here and len(here.data.tokens.tokens()) == here.data.vocabulary == 305
    assert here.scaled(seeds=2).data.tokens.file == here.data.tokens.file
    with pytest.raises(ValueError, match="--vocabulary goes with text, and digits-mlp is about images"):
        in_the_vocabulary_of(file, preset("digits-mlp"))


def test_a_changed_file_is_not_used(file: Path) -> None:
    weights = Weights.of(file)
    file.write_bytes(b"another")
    with pytest.raises(ValueError, match="has changed since the study was made"):
        weights.content()


def test_a_toml_file_names_weights_beside_it(file: Path) -> None:
    toml = file.with_name("mine.toml")
    toml.write_text('extends = "digits-mlp"\nweights = "mine.safetensors"\n')
    assert landscape.from_toml(toml).weights == Weights.of(file)
    for line, message in (("weights = 3", "must be the path"), ('weights = "no"', "no cannot be read: No such file")):
        toml.write_text(f'extends = "digits-mlp"\n{line}\n')
        with pytest.raises(ValueError, match=message):
            landscape.from_toml(toml)


def test_the_command_line_says_what_does_not_fit(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    toml = tmp_path / "study.toml"
    toml.write_text('extends = "digits-mlp"\nmodel = { hidden = [7] }\ncandidates = [[{widen = "hidden1", size = 9}]]')
    arguments = ["run", str(toml), "--weights", str(file), "--epochs", "0", "--cache", str(tmp_path / "cache")]
    assert main(arguments) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == (
        "error: the file has no weight of shape (7, 64), which hidden1.kernel is made of; its weights that are left "
        "are down.weight of shape (10, 6), up.weight of shape (6, 64)"
    )


def test_a_bert_may_know_more_tokens_than_the_text_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the file all have logits, as they have where the network comes from; with fewer it is refused."""
    spec, knows = BertSpec(layers=1, hidden=8, heads=2, ffn=(10,)), VOCABULARY + 3
    network = split(nnx.eval_shape(lambda: spec.build((LENGTH,), knows, nnx.Rngs(0))))
    drawn = {path: np.random.default_rng(0).random(array.shape) for path, array in network.weights.items()}
    save_file({path: array.astype(np.float32) for path, array in drawn.items()}, tmp_path / "bert.safetensors")
    data = {"name": "python-docs", "sequence_length": LENGTH}
    steps = {"candidates": [[{"widen": "ffn1", "factor": 2}]], "walk": {"group": "ffn1"}}
    study = validated({"name": "text", "data": data, "model": spec.model_dump(mode="json")} | steps)
    monkeypatch.setattr(networks, "examples", lambda spec: text())
    model = networks.base_start(study.starting_from(tmp_path / "bert.safetensors"), 0)
    assert model.tokens.embedding.shape == (knows, 8)
    assert split(model).logits(text().train.inputs).shape[-1] == knows
    monkeypatch.setattr(networks, "examples", lambda spec: text()._replace(classes=knows + 1))
    with pytest.raises(ValueError, match=r"bias has shape \(43,\); \(44,\) is expected"):
        networks.base_start(study.starting_from(tmp_path / "bert.safetensors"), 0)
