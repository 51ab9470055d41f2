"""A tiny study through its tasks to its result, as every study is computed: what the numbers are, and their order."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy.special import logsumexp

from landscape import proxies
from landscape.analysis.plane import coefficients, corners, grid, three_nodes
from landscape.barriers.walk import compose, nodes
from landscape.data import load
from landscape.jobs import plan, resume
from landscape.jobs.attempt import Attempt
from landscape.jobs.measurements import measurement_batches
from landscape.jobs.plan import plan_study
from landscape.jobs.progress import Tally, Update
from landscape.jobs.tasks import examples as shared_examples
from landscape.jobs.tasks.examples import examples
from landscape.jobs.tasks.look import look_task
from landscape.jobs.tasks.networks import at_expansion, kept_bytes, network_with, untrained
from landscape.jobs.tasks.outcome import network_name
from landscape.jobs.tasks.train import base_task, candidate_task
from landscape.jobs.tasks.walk import segments, walk_task
from landscape.models.functional import split
from landscape.models.prng import Stream, stream_key
from landscape.store.parts.outcome import StoredOutcome
from landscape.store.results import Store
from landscape.study import Study, schema, validated
from landscape.study.member import members
from landscape.study.schema import ALPHAS, TIMES, VARIABLES, assemble, study_of
from landscape.training import epoch

pytestmark = pytest.mark.slow

STUDY = validated(
    {
        "name": "tiny",
        "data": {"name": "digits", "train_size": 40, "validation_size": 20},
        "model": {"kind": "mlp", "hidden": [4]},
        "candidates": [[{"widen": "hidden1", "size": 6}], [{"deepen": "hidden1"}]],
        "training": {"learning_rate": 0.02, "batch_size": 10, "base_epochs": 4, "patience": 4, "epochs": 3},
        "walk": {"group": "hidden1", "permutations": 60, "batch_size": 16, "checkpoints": 3, "nodes": 4},
        "seeds": 2,
    }
)
BASE, *CANDIDATES, _ = members(STUDY)
PARTS = ("kernel", "bias")
PROGRAM = """
import json, sys
import landscape
from landscape.study import validated
landscape.run(validated(json.loads(sys.stdin.read())), sys.argv[1])
"""


def ignore(update: Update) -> None:
    """An `on_update` that nobody needs."""


def computed(attempt: Attempt) -> xr.Dataset:
    """The result, computed in this process; the outcomes of its tasks stay in the store."""
    return resume.compute(attempt, partial(resume.in_order, attempt, ignore), ignore)


@pytest.fixture(scope="session")
def attempt(tmp_path_factory: pytest.TempPathFactory) -> Attempt:
    return Attempt(STUDY, Store(tmp_path_factory.mktemp("pipeline")))


@pytest.fixture(scope="session")
def dataset(attempt: Attempt) -> xr.Dataset:
    return computed(attempt)


@pytest.fixture(scope="session")
def outcomes(attempt: Attempt, dataset: xr.Dataset) -> dict[str, StoredOutcome]:
    """The outcome of every task of the study, in the order of the plan."""
    kept = attempt.parts.read()
    return {name: kept[name] for name in plan_study(STUDY)}


def present(values: xr.DataArray) -> xr.DataArray:
    """Where something was computed."""
    return values >= 0 if np.issubdtype(values.dtype, np.integer) else values.notnull()


def test_every_walk_is_short_before_any_is_long():
    """n = 50 of every seed and model comes before 100 of any, and so on: breadth first."""
    planned = list(plan_study(STUDY.scaled(permutations=700)))
    assert segments(STUDY.scaled(permutations=700)) == [50, 100, 250, 500, 700]
    assert [segments(STUDY.scaled(permutations=n)) for n in (1, 50, 51)] == [[1], [50], [50, 51]]
    reached = [int(name[-1]) for name in planned if "walk" in name]
    assert reached == sorted(reached)
    assert len(reached) == 5 * 4 * STUDY.seeds
    trained = [i for i, name in enumerate(planned) if re.fullmatch(r"\w+-seed\d+", name)]
    assert max(trained) < planned.index("base-seed0-walk1")


def test_where_nothing_is_trained_walks_come_before_all_else():
    planned = list(plan_study(STUDY.scaled(permutations=70, epochs=0)))
    assert max(planned.index(name) for name in planned if re.search("walk[01]", name)) < min(
        planned.index(name) for name in planned if name.endswith("look")
    )


@pytest.mark.parametrize(("devices", "groups"), [(1, [range(5)]), (2, [range(3), range(3, 5)]), (9, None)])
def test_accelerators_share_the_seeds(devices, groups, monkeypatch):
    study = STUDY.scaled(seeds=5)
    alone = [range(seed, seed + 1) for seed in range(5)]
    assert plan.seed_groups(study, devices) == alone
    monkeypatch.setattr(plan, "device_bytes", lambda: 2**30)
    assert plan.seed_groups(study, devices) == (groups or alone)
    monkeypatch.setattr(plan, "KEPT_BYTES", 2 * kept_bytes(study))
    assert max(map(len, plan.seed_groups(study, devices))) <= 2
    planned = plan_study(study, devices)
    assert all(set(task.needs) <= set(planned) for task in planned.values())


def test_seeds_that_are_trained_together_are_as_those_trained_apart(dataset, tmp_path, monkeypatch):
    """By one task and one program for all, as on an accelerator: the same result up to rounding."""
    monkeypatch.setattr(plan, "device_bytes", lambda: 2**30)
    monkeypatch.setattr(epoch, "device_bytes", lambda: 2**30)
    together = computed(Attempt(STUDY, Store(tmp_path)))
    for name in set(VARIABLES) - set(TIMES):
        np.testing.assert_allclose(together[name], dataset[name], rtol=2e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_tasks_come_in_an_order_in_which_they_can_run(seeds):
    planned = plan_study(STUDY.scaled(seeds=seeds))
    trained_and_walked = 4 * seeds * (1 + len(segments(STUDY)))
    looked_at, seeds_compared = 3 * seeds, 3 * (seeds - 1)
    assert len(planned) == trained_and_walked + looked_at + seeds_compared
    names = list(planned)
    for i, (name, task) in enumerate(planned.items()):
        assert set(task.needs) <= set(names[:i]), name
        assert task.weight > 0
        assert pickle.loads(pickle.dumps(task.run)).func is task.run.func


def test_the_same_study_in_a_new_process_gives_the_same_bits(dataset, tmp_path):
    """Another process has compiled nothing before and hashes strings differently."""
    environment = os.environ | {"PYTHONPATH": str(Path(plan.__file__).parents[2]), "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    subprocess.run(command, input=STUDY.model_dump_json(), env=environment, text=True, check=True, timeout=300)
    other = Store(tmp_path).read(STUDY.key).drop_vars(TIMES)
    assert set(other.data_vars) == set(VARIABLES) - set(TIMES)
    for name in set(dataset.attrs) - {"seconds"}:
        assert other.attrs[name] == dataset.attrs[name]
    assert other.drop_attrs(deep=False).identical(dataset.drop_vars(TIMES).drop_attrs(deep=False))


def test_every_part_fits_the_schema(outcomes):
    full = schema.empty(STUDY)
    for outcome in outcomes.values():
        assert len(outcome.part) > 0
        for name, values in outcome.part.data_vars.items():
            assert values.dims == VARIABLES[name].dims
            for dim in values.dims:
                assert set(values[dim].values.tolist()) <= set(full[dim].values.tolist())


def test_a_complete_result_lacks_only_what_is_not_defined(dataset):
    assert study_of(dataset) == STUDY
    for name, values in dataset.data_vars.items():
        if name == "swaps" or "base_epoch" in values.dims:  # narrower models swap fewer; early stopping
            continue
        expected = xr.ones_like(values, bool)
        if name.removeprefix("control_") in ("train_loss", "sotl_e"):
            expected.loc[{"epoch": 0}] = False
        if name == "control_seconds":  # it is trained and walked, and not looked at
            expected.loc[{"phase": ["curves", "proxies"]}] = False
        if name == "proxy":  # an example whose Jacobian is constant, as where all units are dead, has no correlation
            expected.loc[{"predictor": "jacov"}] = present(values).sel(predictor="jacov")
        if name.endswith("copy_cosine"):  # an inserted layer copies no unit
            expected.loc[{"candidate": STUDY.labels[1]}] = False
        if "sharpness" in name or "hessian" in name:  # measured where a study asks for it
            expected[:] = False
        if "moment" in values.dims:
            expected.loc[{"model": "base", "moment": "end"}] = False
        np.testing.assert_array_equal(present(values), expected, err_msg=name)


def test_parts_that_are_there_stand_where_they_belong(outcomes, dataset):
    """Half of the tasks: equal to the whole where they computed something, missing elsewhere."""
    some = [outcome.part for name, outcome in outcomes.items() if "walk1" not in name][::2]
    partial = assemble(STUDY, some)
    for name, values in partial.data_vars.items():
        there = present(values)
        if name not in TIMES:  # those of a walk grow with each segment
            np.testing.assert_array_equal(values.where(there), dataset[name].where(there), err_msg=name)
        if name not in ("parameters", "seconds"):  # several tasks tell them
            assert there.sum() == sum(present(part[name]).sum() for part in some if name in part)
    assert assemble(STUDY, ()).identical(schema.empty(STUDY))


def test_proxies_are_those_of_the_expanded_network(outcomes, dataset):
    base = network_with(BASE, outcomes["base-seed1"].weights[network_name(1, 0)])
    train, _ = measurement_batches(STUDY, examples(STUDY.data))
    model = at_expansion(CANDIDATES[1], 1, base).model
    found = dataset["proxy"].sel(seed=1, candidate=STUDY.labels[1])
    for name in ("grad_norm", "snip", "grasp", "synflow"):
        expected = getattr(proxies, name)(model, *train)
        np.testing.assert_allclose(found.sel(predictor=name), expected, rtol=1e-5)


def test_a_random_start_takes_the_sizes_of_a_candidate_and_nothing_of_the_base():
    content = STUDY.model_dump(mode="json") | {"candidates": [[{"widen": "hidden1", "size": 7}]]}
    member, candidate, _ = members(validated(content | {"expansion": {"start": "random"}}))
    expanded = []
    for fill in (1.0, 2.0):
        base = untrained(member, 0)
        base.head.kernel[...] = jnp.full(base.head.kernel.shape, fill)
        expanded.append(at_expansion(candidate, 0, base).model)
    first, second = (split(model).weights for model in expanded)
    assert all(np.array_equal(first[path], second[path]) for path in first)
    assert first["hidden1.kernel"].shape[1] == 7
    other = split(at_expansion(candidate, 1, base).model).weights
    assert not np.array_equal(first["hidden1.kernel"], other["hidden1.kernel"])


def test_units_that_are_no_copies_are_those_of_a_random_start():
    content = STUDY.model_dump(mode="json")
    steps = [{"widen": "hidden1", "size": 8, "units": "silent"}, {"widen": "hidden1", "size": 8}]
    _, silent, *_ = members(validated(content | {"candidates": [steps[:1]]}))
    _, anew, *_ = members(validated(content | {"candidates": [steps[1:]], "expansion": {"start": "random"}}))
    base = network_with(
        BASE, {path: np.ones(array.shape, "f") for path, array in split(untrained(BASE, 0)).weights.items()}
    )
    found, expected = (split(at_expansion(each, 1, base).model).weights for each in (silent, anew))
    old = STUDY.model.group_sizes()["hidden1"]
    np.testing.assert_array_equal(found["hidden1.kernel"][:, old:], expected["hidden1.kernel"][:, old:])
    assert (found["hidden1.kernel"][:, :old] == 1).all() and (found["head.kernel"][old:] == 0).all()


def test_expansion_starts_at_the_performance_of_the_base(dataset):
    """A(θ⁰) = A(φ*) for widening and for deepening."""
    for measure in ("validation_loss", "validation_accuracy"):
        chosen = dataset[f"base_{measure}"].sel(base_epoch=dataset["base_stop"])
        start = dataset[measure].sel(epoch=0)
        np.testing.assert_allclose(start, chosen.broadcast_like(start).transpose(*start.dims), rtol=1e-5)


def test_the_control_is_a_candidate_whose_expansion_changes_nothing(outcomes, dataset):
    """It starts as φ*, moves by the rule of the candidates, and its walk begins as the base's."""
    trained = [outcomes[f"control-seed{seed}"].weights for seed in range(2)]
    for seed, weights in enumerate(trained):
        chosen = outcomes[f"base-seed{seed}"].weights[network_name(seed, 0)]
        assert all(np.array_equal(weights[network_name(seed, 0)][path], chosen[path]) for path in chosen)
        assert not np.array_equal(weights[network_name(seed, 3)]["head.kernel"], chosen["head.kernel"])
    np.testing.assert_array_equal(dataset["control_barrier"].sel(checkpoint=0), dataset["base_barrier"])
    for measure in ("validation_loss", "validation_accuracy"):
        start = dataset[f"control_{measure}"].sel(epoch=0)
        np.testing.assert_array_equal(start, dataset[f"base_{measure}"].sel(base_epoch=dataset["base_stop"]))
    batches = len(examples(STUDY.data).train) // STUDY.training.batch_size
    np.testing.assert_allclose(dataset["control_sotl_e"], batches * dataset["control_train_loss"], rtol=1e-6)


def test_a_control_that_does_not_move_stays_the_base():
    """At a learning rate of nearly 0, no epoch and no checkpoint differs from the start."""
    content = STUDY.model_dump(mode="json")
    still = validated(content | {"seeds": 1, "training": content["training"] | {"learning_rate": 1e-30}})
    *_, control = members(still)
    trained = candidate_task(control, range(1), base_task(still, range(1)))
    accuracy = trained.part["control_validation_accuracy"]
    np.testing.assert_array_equal(accuracy, accuracy.sel(epoch=0).broadcast_like(accuracy))
    barriers = walk_task(control, 0, 0, trained).part["control_barrier"]
    np.testing.assert_array_equal(barriers - barriers.sel(checkpoint=0), xr.zeros_like(barriers))


def test_a_control_changes_no_other_number(dataset, tmp_path):
    """Its random numbers are its own, so that a study without it is the same in all else."""
    alone = computed(Attempt(STUDY.model_copy(update={"control": False}), Store(tmp_path)))
    for name in set(VARIABLES) - set(TIMES):
        if name.startswith("control_"):
            assert alone[name].isnull().all()
        else:
            np.testing.assert_array_equal(alone[name], dataset[name], err_msg=name)


def test_the_base_stops_at_its_best_epoch(dataset):
    np.testing.assert_array_equal(dataset["base_stop"], dataset["base_validation_accuracy"].argmax("base_epoch"))


def test_curves_meet_the_barriers_of_the_walk(dataset):
    """Permuted copies have one loss; half-way between consecutive nodes stands the step's barrier."""
    curve = dataset["curve"].sel(split="train").dropna("model", how="all")
    ends = curve.sel(alpha=[0, 1])
    np.testing.assert_allclose(ends, ends.isel(pair=0, alpha=0).broadcast_like(ends).transpose(*ends.dims), rtol=1e-5)
    consecutive = np.flatnonzero(dataset["pair_to"] == dataset["pair_from"] + 1)
    height = np.abs(curve.sel(alpha=ALPHAS[12]) - curve.sel(alpha=0)).isel(pair=consecutive)
    for seed, moment in product(range(2), schema.MOMENTS):
        for model in dataset["candidate"].values:
            walked = dataset["barrier"].sel(seed=seed, candidate=model).isel(checkpoint=0 if moment == "start" else -1)
            found = height.sel(seed=seed, model=model, moment=moment)
            np.testing.assert_allclose(found, walked[: len(consecutive)], atol=2e-6)
        np.testing.assert_allclose(
            height.sel(seed=seed, model="base", moment="start"),
            dataset["base_barrier"].sel(seed=seed)[: len(consecutive)],
            atol=2e-6,
        )


def test_distances_are_those_of_explicitly_permuted_weights(outcomes, dataset):
    weights = outcomes["candidate1-seed1"].weights[network_name(1, 3)]
    model = STUDY.labels[0]
    places = nodes(compose(dataset["swaps"].sel(seed=1, model=model).values, 6))[:4]
    kernel, bias, outgoing = (weights[path] for path in ("hidden1.kernel", "hidden1.bias", "head.kernel"))
    copies = [np.concatenate([kernel[:, p].ravel(), bias[p], outgoing[p].ravel()]) for p in places]
    expected = [[np.linalg.norm(a - b) for b in copies] for a in copies]
    found = dataset["node_distance"].sel(seed=1, model=model, moment="end")
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_lines_between_seeds_join_the_seeds_before_and_after_alignment(dataset):
    for model in ["base", *STUDY.labels]:
        line = dataset["seed_curve"].sel(model=model, moment="start").isel(seed_pair=0)
        loss = dataset["curve"].sel(model=model, moment="start", alpha=0).isel(pair=0)
        for alignment, seed in product(schema.ALIGNMENTS, range(2)):
            end = line.sel(alignment=alignment, alpha=seed)
            np.testing.assert_allclose(end, loss.sel(seed=seed), rtol=1e-5)


def test_widths_parameters_and_swaps_tell_the_shapes(dataset):
    assert dataset["width"].values.tolist() == [4, 6, 4]
    head, inside = 10 * 4 + 10, 64 * 4 + 4
    assert dataset["parameters"].values.tolist() == [head + inside, 10 * 6 + 10 + 64 * 6 + 6, head + inside + 4 * 4 + 4]
    used = (dataset["swaps"] >= 0).all(("seed", "permutation", "end"))
    assert used.sum("swap").values.tolist() == [2, 3, 2]


def test_a_smaller_study_is_the_start_of_a_larger_one(dataset):
    """Neither the number of seeds nor that of permutations changes a number."""
    small = STUDY.scaled(seeds=1, permutations=5)
    trained = base_task(small, range(1))
    walked = walk_task(members(small)[0], 0, 0, trained).part
    np.testing.assert_allclose(walked["base_barrier"][0], dataset["base_barrier"][0, :5], rtol=1e-6)
    np.testing.assert_array_equal(trained.part["base_validation_loss"][0], dataset["base_validation_loss"][0])


def test_a_segment_of_a_walk_goes_on_from_the_one_before(outcomes, dataset):
    """It holds the barriers of both, at every checkpoint, and the time of both."""
    first, second = (outcomes[f"candidate2-seed1-walk{segment}"].part for segment in range(2))
    assert (first.sizes["permutation"], second.sizes["permutation"]) == (50, 60)
    assert second["barrier"].sizes["checkpoint"] == 3
    np.testing.assert_array_equal(second["barrier"][..., :50], first["barrier"])
    for name in ("seconds", "walk_seconds"):
        assert second[name].item() > first[name].item() > 0
    assert second["walk_compile_seconds"].item() == first["walk_compile_seconds"].item()


def shared(study: Study, store: Store) -> tuple[xr.Dataset, list[str], Tally]:
    """The result of a study, the tasks that were computed for it, and what was said about it."""
    ran, one, tally = [], Attempt(study, store), Tally()

    def noted(planned: resume.Planned, arrived: resume.Arrived) -> resume.Outcomes:
        for name, outcome in resume.in_order(one, ignore, planned, arrived):
            ran.append(name)
            yield name, outcome

    found = resume.compute(one, noted, tally.add)
    resume.finish(one, found)
    return found.drop_vars(TIMES).drop_attrs(deep=False), ran, tally


def test_more_seeds_permutations_and_candidates_compute_what_is_new(tmp_path, dataset):
    """From a study of one seed, one candidate and shorter walks; the numbers are those of one computed from nothing."""
    store, content, expected = Store(tmp_path), STUDY.model_dump(mode="json"), dataset.drop_vars(TIMES)
    less = {"seeds": 1, "candidates": content["candidates"][:1], "walk": content["walk"] | {"permutations": 50}}
    small = validated(content | less)
    _, first, _ = shared(small, store)
    assert first == [*plan_study(small)] and not store.parts(small).folder.exists()
    more, ran, tally = shared(STUDY, store)
    assert sorted(ran) == sorted(plan_study(STUDY).keys() - plan_study(small).keys())
    assert tally.progress().found_in_words == f"{len(first)} of {len(plan_study(STUDY))} tasks were computed before"
    assert more.identical(expected.drop_attrs(deep=False))
    entry = store.entry(STUDY.key)
    assert entry.record["taken"] == len(first) and not entry.timed_here
    weights = (tmp_path / ".tasks").glob("*/weights.safetensors")
    max(weights, key=lambda path: path.stat().st_size).write_bytes(b"gone")  # a candidate's: it keeps most networks
    store.remove(STUDY.key)
    again, ran, _ = shared(STUDY, store)
    assert 0 < len(ran) < len(first), "what was damaged, and what came of it"
    assert again.identical(more)


def test_the_end_is_the_last_epoch_even_when_only_the_start_is_walked(outcomes, dataset):
    content = STUDY.model_dump(mode="json")
    content["walk"]["checkpoints"] = 1
    candidate = members(validated(content))[1]
    trained = candidate_task(candidate, range(1, 2), outcomes["base-seed1"])
    assert set(trained.weights) == {network_name(1, 0), network_name(1, 3)}
    assert walk_task(candidate, 1, 0, trained).part["barrier"].shape == (1, 1, 1, 50)
    for path, array in outcomes["candidate1-seed1"].weights[network_name(1, 3)].items():
        np.testing.assert_array_equal(trained.weights[network_name(1, 3)][path], array)


def test_an_on_activity_that_raises_stops_the_task():
    class Cancelled(Exception):
        pass

    seen = []

    def on_activity(activity: str, done: int, total: int) -> None:
        seen.append((activity, done, total))
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        base_task(STUDY, range(1), on_activity=on_activity)
    assert seen == [("epoch", done, 4) for done in (1, 2)]


def test_a_batch_larger_than_the_data_is_named_before_anything_is_trained():
    content = STUDY.model_dump(mode="json")
    content["walk"]["batch_size"] = 41
    with pytest.raises(ValueError, match=r"walk\.batch_size = 41 is larger than the 40 training examples"):
        base_task(validated(content), range(1), on_activity=fail)


def test_steps_that_run_out_are_named_before_anything_is_trained():
    walk = {"group": "hidden1", "distinct": True, "permutations": 100}
    model = {"kind": "mlp", "hidden": [4]}
    content = {"name": "few", "model": model, "candidates": [[{"widen": "hidden1", "size": 5}]], "walk": walk}
    few = validated(content)
    for train in (partial(base_task, few, range(1)), partial(candidate_task, members(few)[1], range(1), None)):
        with pytest.raises(ValueError, match=r"only 1\d distinct permutations of 4 units found; 100 were asked for"):
            train(on_activity=fail)


def fail(*what: object) -> None:
    raise AssertionError(f"trained: {what}")


def test_walks_of_all_checkpoints_are_one_progress(outcomes):
    """It never runs backwards."""
    seen = []
    walk_task(CANDIDATES[0], 0, 0, outcomes["candidate1-seed0"], on_activity=lambda *what: seen.append(what))
    fractions = [done / total for _, done, total in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert len({activity for activity, *_ in seen}) == len(STUDY.checkpoints) > 1


def test_data_are_loaded_once_whichever_thread_asks(monkeypatch):
    loaded = []

    def slow(spec):
        time.sleep(0.05)
        loaded.append(spec)
        return spec

    monkeypatch.setattr(shared_examples, "_load_once", lru_cache(slow))
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(examples, [STUDY.data] * 4)) == {STUDY.data}
    assert loaded == [STUDY.data]


def test_every_purpose_has_a_key_of_its_own():
    keys = [
        tuple(np.asarray(jax.random.key_data(stream_key(*purpose))).tolist())
        for purpose in product(range(4), Stream, range(4))
    ]
    assert len(set(keys)) == len(keys)


def test_studies_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        STUDY.seeds = 3
    assert isinstance(hash(STUDY), int)
    assert Study.model_validate(STUDY.model_dump()) == STUDY


def test_the_surface_is_the_loss_of_explicitly_combined_weights(outcomes, dataset):
    """θ₁ + b(θ₂ − θ₁) + c(θ₃ − θ₁) in NumPy, with b and c from the distances that the result holds."""
    trained = outcomes["candidate1-seed0"].weights[network_name(0, 3)]
    weights = {path: array.astype(float) for path, array in trained.items()}
    where = {"model": STUDY.labels[0], "moment": "end"}
    apart = dataset["node_distance"].sel(seed=0, **where).values
    chosen = np.array(three_nodes(apart))
    places = nodes(compose(dataset["swaps"].sel(seed=0, model=where["model"]).values, 6))[chosen]
    kernel, bias, out, shift = (weights[f"{layer}.{part}"] for layer in ("hidden1", "head") for part in PARTS)
    parts = [np.stack([array[..., p] for p in places]) for array in (kernel, bias, out.T)]
    corner = corners(apart[np.ix_(chosen, chosen)])
    (inputs, targets), _ = measurement_batches(STUDY, load(STUDY.data))
    flat = np.asarray(inputs, float).reshape(len(targets), -1)

    def loss(share: np.ndarray) -> float:
        kernel, bias, out = (np.tensordot(share, part, 1) for part in parts)
        logits = np.maximum(flat @ kernel + bias, 0) @ out.T + shift
        return np.mean(logsumexp(logits, axis=1) - logits[np.arange(len(logits)), np.asarray(targets)])

    expected = [[loss(share) for share in row] for row in coefficients(corner, *grid(corner, STUDY.walk.surface))]
    np.testing.assert_allclose(dataset["surface"].sel(where), expected, rtol=1e-5)


def test_only_the_first_seed_has_a_surface_and_none_where_it_is_switched_off(outcomes):
    assert "surface" in outcomes["base-seed0-look"].part
    assert "surface" not in outcomes["base-seed1-look"].part
    content = STUDY.model_dump(mode="json")
    content["walk"]["surface"] = 0
    assert "surface" not in look_task(members(validated(content))[0], 0, outcomes["base-seed0"]).part
