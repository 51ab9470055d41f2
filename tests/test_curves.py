"""Barriers between the nodes of a walk, from its steps and from the curves between them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal
from synthetic import small_study, synthetic

from landscape.analysis.curves import pair_barriers, walk_barriers
from landscape.figures import permutation_graph
from landscape.study import validated
from landscape.study.schema import ALPHAS

NAME = small_study().labels[0]


def made(checkpoints: int) -> xr.Dataset:
    content = small_study().model_dump(mode="json")
    content["walk"]["checkpoints"] = checkpoints
    return synthetic(validated(content), np.random.default_rng(0))


def midpoints(dataset: xr.Dataset, moment: str) -> np.ndarray:
    """b̂ of each pair of nodes of seed 1, from its curve."""
    losses = dataset["curve"].sel(seed=1, model=NAME, moment=moment, split="train").values.astype(np.float64)
    return np.abs(losses[:, ALPHAS == 0.5].squeeze() - (losses[:, 0] + losses[:, -1]) / 2)


@pytest.mark.parametrize(("moment", "place"), [("start", 0), ("end", -1)])
def test_steps_have_the_barriers_of_their_walk_and_other_pairs_those_of_their_curve(moment: str, place: int) -> None:
    dataset = made(checkpoints=5)
    walked = dataset["barrier"].sel(seed=1, candidate=NAME).values[place]
    assert_array_equal(walk_barriers(dataset, 1, NAME, moment), walked)
    found = pair_barriers(dataset, 1, NAME, moment)
    steps = (dataset["pair_to"] == dataset["pair_from"] + 1).values
    assert_array_equal(found[steps], walked[:4])
    assert_allclose(found[~steps], midpoints(dataset, moment)[~steps], atol=1e-12)


def test_a_walk_that_was_not_measured_after_training_has_the_barriers_of_its_curves() -> None:
    """The only checkpoint is the expansion, whose barriers are not those of the end."""
    dataset = made(checkpoints=1)
    assert dataset["checkpoint"].values.tolist() == [0] and dataset["epoch"][-1] == 12
    assert np.isnan(walk_barriers(dataset, 1, NAME, "end")).all()
    assert_allclose(pair_barriers(dataset, 1, NAME, "end"), midpoints(dataset, "end"), atol=1e-12)
    assert_array_equal(walk_barriers(dataset, 1, NAME, "start"), dataset["barrier"].sel(seed=1, candidate=NAME)[0])
    assert permutation_graph(dataset, 1, NAME, "end", 0.4, 50).data


def test_the_base_has_no_end() -> None:
    dataset = made(checkpoints=5)
    assert_array_equal(walk_barriers(dataset, 1, "base", "start"), dataset["base_barrier"].sel(seed=1))
    assert np.isnan(walk_barriers(dataset, 1, "base", "end")).all()
    assert pair_barriers(dataset, 1, "base", "end").isnull().all()
