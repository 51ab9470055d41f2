"""How long studies take: laws of the announced time, and the shipped studies."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landscape.analysis.cost.duration import CHANNELS, FILLED, MOST, expected, layers_compiled, phases, seconds
from landscape.models.expansion import filling
from landscape.store.entries import Entry
from landscape.store.results import Store
from landscape.study import Study, validated
from landscape.study.presets import preset, presets

NAMES = ("digits-mlp", "cnn-cifar10", "resnet18-cifar10", "tinybert")
SIZES = ("seeds", "epochs", "permutations", "train_size")

# Computed by code that took much longer over barriers or Jacov, or beside other work on the same two cores.
SLOWED = {
    "digits-clones",
    "digits-mechanism",
    "digits-mlp-30",
    "digits-shares",
    "equal-parameters-digits",
    "minibert",
    "mlp-cifar10",
    "resnet18-cifar10",
    "tinybert",
    "tinybert-attention",
}


@cache
def shipped() -> dict[str, Entry]:
    """The shipped results that were computed on a processor."""
    entries = Store().entries().entries
    return {each.study.name: each for each in entries if each.shipped and each.record["device"].endswith("cores")}


@given(st.sampled_from(NAMES), st.sampled_from(SIZES), st.integers(1, 20))
def test_more_of_anything_takes_longer_and_never_more_than_in_proportion(name: str, size: str, times: int) -> None:
    study = preset(name)
    now = {
        "seeds": study.seeds,
        "epochs": study.training.epochs,
        "permutations": study.walk.permutations,
        "train_size": study.data.train_size,
    }[size]
    if size == "seeds":
        study = study.scaled(seeds=2)  # one seed has no pair that is compared
        now = 2
    more = study.scaled(**{size: now * (1 + times)})
    assert seconds(study) < seconds(more) <= (1 + times) * seconds(study) * (1 + 1e-9)


@given(st.sampled_from(NAMES), st.integers(1, 5))
def test_wider_networks_take_longer(name: str, factor: int) -> None:
    study, group = preset(name), preset(name).walk.group
    units = study.group_sizes()[0][group]
    narrow, wide = (
        validated(study.model_dump(mode="json") | {"candidates": [[{"widen": group, "factor": each}]]})
        for each in (1 + factor, 2 + factor)
    )
    assert units >= 4 and seconds(narrow) < seconds(wide)


def test_networks_are_filled_up_as_the_estimate_says() -> None:
    assert (FILLED, CHANNELS, MOST) == (filling.STEP, filling.CHANNELS, filling.MOST)
    assert layers_compiled(preset("digits-mlp")) == layers_compiled(preset("digits-mlp").scaled(seeds=1)) == 2
    assert layers_compiled(preset("mlp-cifar10")) == 2 * 3, "too large to be filled"
    changes = {"candidates": [[{"widen": "conv1", "size": size}] for size in (6, 8)]}
    model = {"kind": "cnn", "channels": [4, 8], "dense": [32]}
    walk = {"group": "conv1", "permutations": 50, "batch_size": 64, "nodes": 2}
    assert layers_compiled(validated({"name": "channels", "data": {}, "model": model, "walk": walk} | changes)) == 4


def test_every_preset_of_known_size_has_a_time() -> None:
    for name, study in presets().items():
        if study.data.train_size is not None:
            assert min(phases(study).values()) > 0, name


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_shipped_studies_took_as_long_within_a_factor_of_two(name: str) -> None:
    """But for those that something slowed down: none took less than half of what is announced."""
    ratio = float(shipped()[name].record["seconds"]) / seconds(shipped()[name].study)
    assert ratio > 0.5
    assert name in SLOWED or ratio < 2


def timed(study: Study, taken: float, **changes: object) -> Entry:
    """An entry of a study that was computed here in so many seconds."""
    entry = shipped()["digits-mlp"]
    record = entry.record | {"seconds": taken, "device": "another processor, 4 cores"}
    return entry._replace(key=study.key, name=study.name, study=study, record=record, shipped=False, **changes)


@given(st.floats(1, 1e5), st.integers(2, 20))
def test_the_pace_is_learned_from_what_was_computed_here(taken: float, seeds: int) -> None:
    study = preset("digits-mlp").scaled(seeds=1)
    known = [timed(study, taken), *shipped().values()]
    assert expected(study, known).seconds == pytest.approx(taken)
    assert taken < expected(study.scaled(seeds=seeds), known).seconds < seeds * taken


def test_what_says_nothing_of_this_processor_is_passed_over() -> None:
    study = preset("digits-mlp")
    other = timed(study, 1e6)
    on_gpu = other._replace(record=other.record | {"device": "NVIDIA H100 80GB HBM3"})
    partly = other._replace(record=other.record | {"taken": 3})
    brought = other._replace(record=other.record | {"uploaded": "2026-01-01T00:00:00+00:00"})
    for each in (on_gpu, partly, brought, *shipped().values()):
        assert expected(study, [each]) == (seconds(study), None)
