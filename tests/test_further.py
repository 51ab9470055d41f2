"""What is measured only where a study asks for it: the Hessian at every checkpoint, and the walk on further batches."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xarray as xr

from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.walk import compose
from landscape.jobs.measurements import other_batches
from landscape.jobs.plan import plan_study
from landscape.jobs.tasks.batches import batches_task
from landscape.jobs.tasks.examples import examples
from landscape.jobs.tasks.networks import network_with
from landscape.jobs.tasks.outcome import Outcome
from landscape.jobs.tasks.sharpness import sharpness_task
from landscape.jobs.tasks.train import base_task, candidate_task
from landscape.jobs.tasks.walk import walk_task
from landscape.store import netcdf
from landscape.study import schema, validated
from landscape.study.member import members

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

CONTENT = {
    "name": "asked",
    "data": {"name": "digits", "train_size": 40, "validation_size": 20},
    "model": {"kind": "mlp", "hidden": [4]},
    "candidates": [[{"widen": "hidden1", "size": 9}], [{"deepen": "hidden1"}]],
    "training": {"optimizer": "adam", "learning_rate": 0.02, "batch_size": 10, "base_epochs": 1, "epochs": 2},
    "walk": {"group": "hidden1", "permutations": 6, "batch_size": 16, "checkpoints": 3, "nodes": 2},
    "seeds": 1,
}
FURTHER = {"sharpness": True, "batches": [16, 24]}
STUDY = validated(CONTENT | {"walk": CONTENT["walk"] | FURTHER})
BASE, WIDER, DEEPER, CONTROL = members(STUDY)


@cache
def trained() -> dict[str, Outcome]:
    base = base_task(STUDY, range(1))
    others = {member.name: candidate_task(member, range(1), base) for member in (WIDER, DEEPER, CONTROL)}
    return {"base": base} | others


@cache
def dataset() -> xr.Dataset:
    outcomes = trained()
    parts = [outcome.part for outcome in outcomes.values()]
    parts += [walk_task(member, 0, 0, outcomes[member.name]).part for member in (BASE, WIDER)]
    parts += [batches_task(member, 0, outcomes[member.name]).part for member in (BASE, WIDER)]
    parts += [sharpness_task(member, 0, outcomes[member.name]).part for member in (BASE, WIDER, CONTROL)]
    return schema.assemble(STUDY, parts)


def test_a_study_has_these_tasks_only_if_it_asks():
    plain = plan_study(validated(CONTENT))
    further = {name: task for name, task in plan_study(STUDY).items() if name not in plain}
    names = {member.name: f"{member.name}-seed0" for member in (BASE, WIDER, DEEPER, CONTROL)}
    expected = {f"{name}-sharpness" for name in names.values()}
    expected |= {f"{name}-batches" for member, name in names.items() if member != "control"}
    assert {*further} == expected
    assert all(task.needs == (name.rsplit("-", 1)[0],) and task.weight > 0 for name, task in further.items())


def test_the_key_of_a_study_that_does_not_ask_is_that_of_before():
    assert validated(CONTENT | {"walk": CONTENT["walk"] | {"sharpness": False, "batches": []}}).key == (
        validated(CONTENT).key
    )
    for name, value in FURTHER.items():
        assert validated(CONTENT | {"walk": CONTENT["walk"] | {name: value}}).key != validated(CONTENT).key


def test_copies_start_at_their_originals_and_an_inserted_layer_has_none():
    cosines = dataset()["copy_cosine"].sel(seed=0)
    wider = cosines.sel(candidate=WIDER.label)
    assert wider.sel(checkpoint=0) == pytest.approx(1, abs=1e-6)
    assert (wider.sel(checkpoint=[1, 2]) < 1).all()
    assert (dataset()["least_copy_cosine"].sel(candidate=WIDER.label) <= wider).all()
    assert cosines.sel(candidate=DEEPER.label).isnull().all()


def test_further_batches_are_disjoint_and_the_first_of_a_size_is_that_of_the_walk():
    data, seen = examples(STUDY.data), dict(other_batches(STUDY, examples(STUDY.data)))
    assert [*seen] == [(0, 0, 0), (0, 0, 1), (1, 0, 0), (0, 1, 0)]  # 40 examples, and 20: two of 16 and one; one of 24
    np.testing.assert_array_equal(seen[0, 0, 1].inputs, data.train.inputs[16:32])
    np.testing.assert_array_equal(seen[1, 0, 0].targets, data.validation.targets[:16])
    result = dataset()
    first = {"split": "train", "batch_size": 16, "batch": 0}
    for name, own in (("base_batch_barrier", "base_barrier"), ("batch_barrier", "barrier")):
        barriers = result[own].sel(checkpoint=0, drop=True) if "checkpoint" in result[own].dims else result[own]
        np.testing.assert_array_equal(result[name].sel(first), barriers)
        filled = result[name].isel(seed=0).isel(candidate=0, missing_dims="ignore").notnull().all("permutation")
        assert [*zip(*np.nonzero(filled.values), strict=True)] == sorted(seen)


def test_barriers_on_a_further_batch_are_those_of_the_walk_there():
    network = network_with(WIDER, trained()[WIDER.name].weights["seed0-epoch0"])
    steps = compose(dataset()["swaps"].sel(seed=0, model=WIDER.label).values.astype(int), 9)
    batch = dict(other_batches(STUDY, examples(STUDY.data)))[0, 1, 0]
    expected = midpoint_barriers(network, steps, *batch, group="hidden1", method="reference")
    found = dataset()["batch_barrier"].sel(seed=0, candidate=WIDER.label, split="train", batch_size=24, batch=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_the_hessian_is_known_at_every_checkpoint_of_every_member():
    result = dataset()
    assert result["sharpness"].sel(candidate=WIDER.label).notnull().all()
    for name in ("sharpness", "hessian_trace", "hessian_trace_error"):
        start = result[f"control_{name}"].sel(checkpoint=0)
        assert start.item() == pytest.approx(result[f"base_{name}"].item(), rel=1e-3)


def test_a_result_with_them_is_read_as_it_was_written_and_one_of_before_lacks_them():
    again = netcdf.decode(netcdf.encode(dataset()))
    assert again["batch_barrier"].identical(dataset()["batch_barrier"])
    plain = schema.empty(validated(CONTENT))
    added = [name for name in plain.data_vars if "batch_barrier" in name or "hessian" in name or "copy" in name]
    old = netcdf.decode(netcdf.encode(plain.drop_vars([*added, "batch", "batch_size"])))
    assert old["copy_cosine"].isnull().all() and old["batch_barrier"].sizes["batch_size"] == 0


@pytest.mark.parametrize(
    ("batches", "said"),
    [([16, 16], "16 is given twice"), ([0], "must be at least 1"), ([41], "41 is larger than the 40 training")],
)
def test_batches_that_cannot_be_are_named_before_anything_is_trained(batches, said):
    with pytest.raises(ValueError, match=said):
        base_task(validated(CONTENT | {"walk": CONTENT["walk"] | {"batches": batches}}), range(1))
