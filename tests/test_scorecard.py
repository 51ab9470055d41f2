"""The scorecard: its rule, its figures by hand with SciPy, and where it is printed."""

from __future__ import annotations

import json
import math
import shutil
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from synthetic import small_study, synthetic

import landscape
from landscape.analysis.control import has_control
from landscape.analysis.scorecard import CLAIMS, Finding, Row, Scale, scorecard, verdict
from landscape.analysis.scorecard.rows import NETWORKS, nearest_to_the_paper
from landscape.analysis.scorecard.words import markdown
from landscape.cli.parser import main
from landscape.figures import scorecard_ranks_data
from landscape.store import places
from landscape.store.derived import Kept, keeping
from landscape.store.results import Store
from landscape.study import validated
from landscape.study.presets import preset, presets
from landscape.study.schema import study_of

README = Path(__file__).parents[1] / "README.md"
DIGITS = "digits-mlp"
UNDECIDED = "not decided at this scale"
POSITIVE_TAU, NEAR_BEST, FLAT, FALLS, SHARPER, SMALLER, WITH_N, WITH_Q, SOTL_E = range(9)
SCRATCH, FASTER, EQUAL_SIZE = 10, 15, 16

RNG = np.random.default_rng(0)
numbers = st.floats(-10, 10)


@given(st.tuples(numbers, numbers).map(sorted), st.tuples(numbers, numbers).map(sorted))
def test_a_verdict_excludes_what_it_rejects(interval: list[float], claimed: list[float]) -> None:
    """Inside, outside or neither, by the numbers that the interval holds; and turning every sign changes nothing."""
    (low, high), (least, most) = interval, claimed
    said = verdict(Finding((low + high) / 2, low, high, 5), (least, most))
    assert (said == "reproduced") == (least < low and high < most)
    if said == "contradicted":
        assert not any(least < x < most for x in np.linspace(low, high, 7))
    assert verdict(Finding(0, -high, -low, 5), (-most, -least)) == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.7, "reproduced"),
        (0.0, 0.7, UNDECIDED),
        (-0.1, 0.7, UNDECIDED),
        (-0.7, -0.01, "contradicted"),
        (math.nan, math.nan, UNDECIDED),
    ],
)
def test_the_interval_decides(low: float, high: float, said: str) -> None:
    found = Finding((low + high) / 2, low, high, 10)
    assert verdict(found, (0, math.inf)) == said
    assert verdict(replace(found, can_be=()), (0, math.inf)) == UNDECIDED


def test_each_claim_has_a_preset_that_tests_it() -> None:
    studies = [preset(name).scaled(seeds=1, permutations=2) for name in presets()]
    datasets = [synthetic(study, np.random.default_rng(0)) for study in studies]
    untested = [claim.text for claim in CLAIMS if not any(claim.tests(dataset) for dataset in datasets)]
    assert not untested


def made_up(order: list[int], swapped: int = 1, **sizes: int) -> xr.Dataset:
    """Wider candidates have the greater M₀; `order` ranks their gains, and in `swapped` seeds the last two change."""
    dataset = synthetic(small_study(seeds=8, permutations=400, **sizes), np.random.default_rng(0))
    dataset["barrier"].values[:] /= np.array([1, 2, 4])[:, None, None]  # so that no seed ranks them otherwise
    accuracy = dataset["validation_accuracy"].values
    accuracy[...] = accuracy[:, :1, :1]
    accuracy[:, :, 1:] += 0.01 * (1 + np.array(order))[None, :, None]
    accuracy[:swapped, -2:] = accuracy[:swapped, -2:][:, ::-1]
    return dataset


def said(dataset: xr.Dataset, claim: int) -> Row:
    (row,) = [row for row in scorecard({"made-up": dataset}) if row.claim is CLAIMS[claim]]
    return row


@pytest.mark.parametrize(
    ("order", "swapped", "expected"),
    [([0, 1, 2], 1, "reproduced"), ([2, 1, 0], 1, "contradicted"), ([0, 1, 2], 0, UNDECIDED)],
)
def test_the_verdict_on_the_correlation_follows_the_gains(order: list[int], swapped: int, expected: str) -> None:
    """Seeds that agree exactly do not say how far they could differ: no interval, no verdict."""
    row = said(made_up(order, swapped), POSITIVE_TAU)
    assert row.verdict == expected
    assert row.metric is not None and row.parameters is not None
    assert row.metric.value == row.found.value


@pytest.mark.parametrize(("early", "late", "expected"), [
    (1, 4, ("reproduced", "reproduced")), (8, 8, ("contradicted", UNDECIDED)),
])  # fmt: skip
def test_flat_and_then_falling(early: float, late: float, expected: tuple[str, str]) -> None:
    """Barriers that stay, and grow later; and barriers that grow at once and then stay."""
    dataset = made_up([0, 1, 2], epochs=80)
    rng, shape = np.random.default_rng(1), dataset["barrier"].shape
    t = dataset["checkpoint"].values
    factor = np.select([t == 0, t <= 30], [1.0, early], late)[:, None]
    start = dataset["barrier"].values[:, :, :1] * factor
    dataset["barrier"].values[:] = start * rng.uniform(0.98, 1.02, shape)
    assert (said(dataset, FLAT).verdict, said(dataset, FALLS).verdict) == expected


def test_a_short_study_cannot_confirm_what_comes_later() -> None:
    dataset = made_up([0, 1, 2], epochs=4)
    dataset["barrier"].values[:] = dataset["barrier"].values[:, :, :1]
    dataset["barrier"].values[0, 0, 1:, :3] += 1
    flat, falls = said(dataset, FLAT), said(dataset, FALLS)
    assert abs(flat.found.value) < flat.claim.claimed[1] and flat.found.high < 5
    assert (flat.verdict, falls.verdict) == (UNDECIDED, UNDECIDED)
    assert falls.found.note == "the study ends at t = 4"


@pytest.mark.parametrize(("later", "expected"), [(1, UNDECIDED), (8, "reproduced")])
def test_from_random_weights_the_first_epoch_does_not_count(later: float, expected: str) -> None:
    """The manifold shrinks a lot in it; only where barriers grow after it, too, does it shrink as the paper says."""
    dataset = synthetic(preset("tinybert-scratch").scaled(seeds=8, permutations=200), np.random.default_rng(0))
    t = dataset["checkpoint"].values
    factor = np.select([t == 0, t == t[1]], [0.01, 1.0], later)[:, None]
    dataset["barrier"].values[:] = np.random.default_rng(1).exponential(1, dataset["barrier"].shape) * factor
    dataset["base_barrier"].values[:] = np.random.default_rng(2).exponential(1, dataset["base_barrier"].shape)
    row = said(dataset, SCRATCH)
    assert row.verdict == expected
    assert abs(row.found.value) < 5 or later > 1


@pytest.mark.parametrize(("factor", "expected"), [(0.1, "reproduced"), (10, "contradicted")])
def test_the_fastest_baseline_decides_about_speed(factor: float, expected: str) -> None:
    dataset = made_up([0, 1, 2])
    rng = np.random.default_rng(2)
    dataset["proxy_seconds"].values[:] = rng.uniform(1, 1.1, dataset["proxy_seconds"].shape)
    dataset["walk_seconds"].values[:] = factor * rng.uniform(1, 1.1, dataset["walk_seconds"].shape)
    assert said(dataset, FASTER).verdict == expected


def test_only_studies_that_test_a_claim_count() -> None:
    dataset = made_up([0, 1, 2])
    unequal, equal = said(dataset, EQUAL_SIZE), dataset.copy(deep=True)
    equal["parameters"].values[:] = [500, 1000, 1010, 1019]
    assert unequal.verdict == "no shipped study yet" and unequal.address == "" and unequal.found is None
    assert said(equal, EQUAL_SIZE).found.value == said(equal, NEAR_BEST).found.value
    assert {row.verdict for row in scorecard({})} == {"no shipped study yet"}


def test_of_the_same_networks_the_study_with_most_seeds_answers() -> None:
    """Two studies of the same networks would count one experiment twice; other networks count by themselves."""
    few, many, other = (made_up([0, 1, 2], epochs=epochs) for epochs in (4, 4, 5))
    few = few.isel(seed=slice(3))
    few.attrs["study"] = study_of(few).model_copy(update={"seeds": 3}).model_dump_json()
    told = {row.study for row in scorecard({"few": few, "many": many, "other": other}) if row.study}
    assert told == {"many", "other"}


def test_new_units_are_compared_with_copies_of_the_same_width() -> None:
    """Only widths that both have count; the studies of other new units test no claim of the paper."""
    ways = [(8, "copies"), (10, "copies"), (8, "silent"), (10, "silent"), (12, "silent"), (8, "random")]
    steps = [{"widen": "hidden1", "size": size, "units": units} for size, units in ways]
    content = small_study(seeds=8, permutations=400).model_dump(mode="json")
    dataset = synthetic(validated(content | {"candidates": [[step] for step in steps]}), RNG)
    m = (dataset["barrier"].values[:, :, 0] <= np.quantile(dataset["base_barrier"].values, 0.4, 1)[:, None, None]).mean(
        -1
    )
    rows = {row.claim: row for row in scorecard({"made-up": dataset}) if row.study}
    silent, random = (rows[claim].found for claim in CLAIMS[-2:])
    by_seed = 100 * (m[:, 2:4].mean(1) - m[:, :2].mean(1)), 100 * (m[:, 5] - m[:, 0])
    for found, differences in zip((silent, random), by_seed, strict=True):
        np.testing.assert_allclose((found.value, found.low, found.high), by_hand(differences), rtol=1e-6)
    assert len(rows) == 2 and all(claim.section == "ours" for claim in rows)


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    """What the command prints, by its option; results are read and figures worked out once for all three."""
    read, found = cache(Store().read), {}
    with pytest.MonkeyPatch.context() as patch, keeping(Kept()):
        patch.setattr(Store, "read", lambda store, key: read(key))
        for option in ("", "--json", "--markdown"):
            with redirect_stdout(StringIO()) as output:
                assert main(["scorecard", *filter(None, [option])]) == 0
            found[option] = output.getvalue()
    return found


def by_hand(values: np.ndarray, tests: int = 1) -> tuple[float, float, float]:
    """The mean and Student's interval at 1 − 0.05 / tests, by SciPy."""
    values = values[np.isfinite(values)]
    bounds = stats.t.interval(1 - 0.05 / tests, len(values) - 1, values.mean(), stats.sem(values))
    return values.mean(), *bounds


@pytest.mark.slow
def test_json_has_the_figures_of_the_scorecard(printed: dict[str, str]) -> None:
    text = CLAIMS[FALLS].text
    (row,) = [row for row in json.loads(printed["--json"]) if (row["study"], row["claim"]) == (DIGITS, text)]
    found = scorecard({DIGITS: landscape.open_study(DIGITS)})[FALLS].found
    assert tuple(row["found"][name] for name in ("mean", "low", "high")) == (found.value, found.low, found.high)


def test_a_figure_of_each_kind_by_hand() -> None:
    """The digits study from its file, by NumPy and SciPy alone."""
    rows = {row.claim: row for row in scorecard({DIGITS: landscape.open_study(DIGITS)})}
    file = xr.load_dataset(places.GALLERY / DIGITS / "result.nc")
    base, walks = file["base_barrier"].values.astype(float), file["barrier"].values.astype(float)  # s n, s c t n
    accuracy, seeds = 100 * file["validation_accuracy"].values.astype(float), range(file.sizes["seed"])
    best = accuracy.max(-1)  # s c; the base's accuracy is the same for all candidates of a seed

    def metric(seed: int, q: float = 0.4, n: int = 1000) -> np.ndarray:
        limit = np.quantile(base[seed, :n], q)
        return 100 * (np.mean(walks[seed, ..., :n] <= limit, -1) - np.mean(base[seed, :n] <= limit))  # c t

    def tau(scores: list[np.ndarray]) -> np.ndarray:
        return np.array([stats.kendalltau(scores[seed], best[seed]).statistic for seed in seeds])

    def proxy(name: str) -> np.ndarray:
        return file["proxy"].sel(predictor=name).transpose("seed", "candidate").values

    m0 = tau([metric(seed)[:, 0] for seed in seeds])
    lead = [m0 - tau(list(proxy("grad_norm"))), m0 - tau(list(-proxy("grasp")))]  # the others see no width
    at = {t: np.array([metric(seed)[:, t].mean() for seed in seeds]) for t in (0, 6, 8)}  # t = 0, 23, 80
    lower = np.mean([tau([metric(seed, q)[:, 0] for seed in seeds]) for q in (0.05, 0.1, 0.2)], 0)
    walk, proxies = file["walk_seconds"].values[:, -1], file["proxy_seconds"].values[:, -1]  # of the widest
    slower = np.log(walk[:, None] / proxies)
    ratio = by_hand(slower[:, slower.mean(0).argmax()], tests=5)
    expected = {
        POSITIVE_TAU: by_hand(m0),
        NEAR_BEST: by_hand(min(lead, key=np.mean), tests=2),
        FLAT: by_hand(at[6] - at[0]),
        FALLS: by_hand(at[8] - at[6]),
        WITH_N: by_hand(m0 - tau([metric(seed, n=50)[:, 0] for seed in seeds])),
        WITH_Q: by_hand(m0 - lower),
        SOTL_E: by_hand(tau(list(-file["sotl_e"].values[:, :, 1]))),
        FASTER: tuple(map(math.exp, ratio)),
    }
    for claim, figures in expected.items():
        found = rows[CLAIMS[claim]].found
        assert (found.value, found.low, found.high) == pytest.approx(figures, abs=1e-6, rel=1e-5), claim
    counts = file["parameters"].values[1:]
    sizes = rows[CLAIMS[POSITIVE_TAU]].parameters
    assert (sizes.value, sizes.low, sizes.high) == pytest.approx(by_hand(tau([counts] * len(seeds))))


@pytest.mark.slow
def test_readme_has_the_table_that_is_printed(printed: dict[str, str]) -> None:
    text = README.read_text(encoding="utf-8")
    assert f"<!-- scorecard -->\n{printed['--markdown']}<!-- /scorecard -->" in text


@pytest.mark.slow
def test_every_shipped_study_and_claim_has_its_row(printed: dict[str, str]) -> None:
    text = printed[""]
    assert all(claim.text in text for claim in CLAIMS)
    entries = [entry for entry in Store().entries().entries if entry.shipped]
    networks = {entry.name: entry.study.model_dump_json(include=NETWORKS) for entry in entries}
    assert networks.keys() == {path.parent.name for path in places.GALLERY.glob("*/result.nc")}
    answering = [name for name in networks if f"\n{name} " in text]
    assert {networks[name] for name in answering} == set(networks.values())


def test_every_shipped_study_has_a_control() -> None:
    shipped = [name for name in presets() if (places.GALLERY / name).is_dir()]
    assert DIGITS in shipped
    assert [name for name in shipped if not has_control(landscape.open_study(name))] == []


def test_a_damaged_result_is_named_and_the_others_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("resnet18-cifar10", "tinybert"):
        shutil.copytree(places.GALLERY / name, tmp_path / name)
    with (tmp_path / "tinybert" / "result.nc").open("ab") as file:
        file.write(b"more")
    monkeypatch.setattr(places, "GALLERY", tmp_path)
    assert main(["scorecard", "--cache", str(tmp_path / "cache")]) == 0
    output, errors = capsys.readouterr()
    assert "\nresnet18-cifar10 " in output and "\ntinybert " not in output
    assert errors == "warning: tinybert is damaged: result.nc does not have the checksum of its record\n"


def test_the_study_nearest_to_the_paper_speaks_for_a_claim() -> None:
    """The one trained on the most examples, however many seeds others have; but one that can decide before others."""
    small, large, whole, silent = (
        Row(CLAIMS[0], UNDECIDED, name, found, scale=Scale(seeds, 5, examples, "images", 20, 100))
        for name, found, seeds, examples in [
            ("small", Finding(0.1, -0.2, 0.4, 30), 30, 1000),
            ("large", Finding(0.1, -0.2, 0.4, 3), 3, 40_000),
            ("whole", Finding(0.1, -0.2, 0.4, 3), 3, None),
            ("silent", Finding(math.nan, math.nan, math.nan, 0), 30, None),
        ]
    )
    assert nearest_to_the_paper([small, large, silent]) is large
    assert nearest_to_the_paper([silent, whole, large]) is whole
    more = replace(large, scale=replace(large.scale, seeds=10))
    assert nearest_to_the_paper([large, more]) is more
    lines = markdown([small, more, Row(CLAIMS[1], "no shipped study yet")]).splitlines()
    assert [line.split(" | ")[1:3] for line in lines[2:]] == [
        [f"2 {UNDECIDED}", "large"],
        ["no shipped study yet", "–"],
    ]


def test_ranks_stand_beside_those_of_the_parameter_count() -> None:
    rows = scorecard({"made-up": made_up([0, 1, 2])})
    assert all((row.parameters is not None) == row.claim.ranks for row in rows if row.study)
    frame = scorecard_ranks_data(rows)
    assert frame["predictor"].tolist() == ["M0", "parameters"] and set(frame["study"]) == {"made-up"}
    assert markdown(rows).count("predictors?study=made-up&q=0.4&n=400") == 5
