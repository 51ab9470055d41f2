"""Figures as files: tables whose columns have units, pages without a network, images with a name."""

from __future__ import annotations

import io
import re
from functools import cache

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import xarray as xr
from plotly.offline import get_plotlyjs
from synthetic import small_study, synthetic

from landscape import figures
from landscape.analysis.summary import csv_file
from landscape.analysis.wording import number, origin
from landscape.figures.comparison import QUANTITIES, comparison_data, difference_data
from landscape.figures.export import alternatives as said
from landscape.figures.export.files import config, html_file
from landscape.figures.export.tables import drawn, labelled
from landscape.study.schema import empty

Q, N, MEASURE = 0.4, 50, "accuracy"
TABLES = {
    "overview": lambda d: figures.overview_data(d, Q, N, MEASURE),
    "ranks": lambda d: figures.rank_comparison_data(d, Q, N, MEASURE),
    "predictors": lambda d: figures.predictor_ranks_data({"one": d}, Q, N, MEASURE),
    "scores": lambda d: figures.predictor_scores_data(d, Q, N, MEASURE),
    "cost and gain": lambda d: figures.cost_gain_data(d, MEASURE),
    "studies": lambda d: comparison_data({"one": d, "two": d}, QUANTITIES[0], Q, MEASURE),
    "costs": figures.predictor_cost_data,
    "interpolation": lambda d: figures.interpolation_data(d, 0, "base", "start", figures.start_pairs(d, 2)),
    "barriers": lambda d: figures.interpolation_barriers(TABLES["interpolation"](d)),
    "seeds": lambda d: figures.seed_interpolation_data(d, "base", "start", 0),
    "histogram": lambda d: figures.barrier_histogram_data(d, None, 0, Q, N),
    "sizes": lambda d: figures.manifold_sizes_data(d, None, 0, Q, N),
    "graph": lambda d: figures.permutation_graph_data(d, 0, "base", "start", Q, N),
    "gain": lambda d: figures.gain_trajectories_data(d, MEASURE),
    "metric": lambda d: figures.metric_trajectories_data(d, Q, N),
    "correlation": lambda d: figures.correlation_trajectories_data(d, Q, N, MEASURE),
    "perplexity": figures.perplexity_trajectories_data,
    "sensitivity": lambda d: figures.sensitivity_data(d, [0.1, 0.4], [20, 50], MEASURE),
    "surface": lambda d: figures.surface_data(d, "start"),
    "sides": lambda d: figures.surface_barriers_data(d, "start"),
}
OF_MEASURE = ("overview", "ranks", "predictors", "scores", "gain", "correlation", "sensitivity")
OF_Q_AND_N = ("overview", "ranks", "predictors", "scores", "sizes", "graph", "metric", "correlation", "sensitivity")
BY_ROW = {"score", "q"}  # the unit of a score is in a column beside it; q has none


@cache
def whole() -> xr.Dataset:
    return synthetic(small_study(), np.random.default_rng(0))


def read(name: str) -> pd.DataFrame:
    """A table as a spreadsheet reads it."""
    return pd.read_csv(io.BytesIO(csv_file(labelled(TABLES[name](whole())))))


@pytest.mark.parametrize("name", TABLES)
def test_every_measured_column_has_its_unit(name):
    plain = TABLES[name](whole())
    bare = {column for column in plain.select_dtypes("floating") if column not in plain.attrs["units"]} - BY_ROW
    assert bare == set()
    assert set(plain.attrs["units"]) & set(read(name).columns) == set()


@pytest.mark.parametrize("name", TABLES)
def test_every_table_says_what_it_was_computed_with(name):
    frame = read(name)
    assert {"study", "name"} & set(frame.columns)
    assert name not in OF_MEASURE or set(frame["measure"]) == {MEASURE}
    assert name not in OF_Q_AND_N or {"q", "n"} <= set(frame.columns)


def test_settings_do_not_hide_a_column():
    frame = pd.DataFrame({"q": [0.1, 0.2], "loss": [1.0, 2.0]})
    frame.attrs = {"units": {"loss": "nats"}, "settings": {"q": 0.4, "n": 50, "key": None}}
    assert labelled(frame).to_dict("list") == {"n": [50, 50], "q": [0.1, 0.2], "loss (nats)": [1.0, 2.0]}


def test_an_image_is_named_and_has_room_for_the_legend():
    figure = figures.overview(whole(), Q, N, MEASURE)
    saved = config(figure, "digits-mlp-overview", "SVG")["toImageButtonOptions"]
    assert saved["filename"] == "digits-mlp-overview" and saved["format"] == "svg"
    assert saved["width"] >= 1200 and saved["height"] >= figure.layout.height


def test_a_page_of_a_figure_asks_the_network_for_nothing():
    """Whatever loads by itself is in the page: no script, style sheet, image or frame has an address."""
    page = html_file(figures.overview(whole(), Q, N, MEASURE), "one").decode()
    ours = page.replace(get_plotlyjs(), "")
    assert len(ours) < 50_000
    assert not re.search(r"""<(script|img|iframe|link)[^>]*(src|href)=["']?http""", ours)
    assert not re.search(r"#0000(3\d|40)", ours)  # a colour that only Streamlit replaces


def test_a_shown_figure_is_not_changed_by_its_page():
    figure = figures.overview(whole(), Q, N, MEASURE)
    before = figure.to_json()
    html_file(figure, "one")
    assert figure.to_json() == before


ALTERNATIVES = {
    "overview": lambda d: said.overview_text(TABLES["overview"](d)),
    "cost and gain": lambda d: said.cost_gain_text(TABLES["cost and gain"](d), "parameters"),
    "ranks": lambda d: said.ranks_text(TABLES["ranks"](d)),
    "interpolation": lambda d: said.interpolation_text(TABLES["barriers"](d)),
    "histogram": lambda d: said.histogram_text(TABLES["sizes"](d)),
    "graph": lambda d: said.graph_text(TABLES["graph"](d)),
    "gain": lambda d: said.lines_text(TABLES["gain"](d), "Gain"),
    "metric": lambda d: said.lines_text(TABLES["metric"](d), "Manifold metric"),
    "perplexity": lambda d: said.lines_text(TABLES["perplexity"](d), "Perplexity"),
    "correlation": lambda d: said.correlation_text(TABLES["correlation"](d), Q),
    "sensitivity": lambda d: said.sensitivity_text(TABLES["sensitivity"](d)),
    "predictors": lambda d: said.predictors_text(figures.predictor_ranks_data({"one": d}, Q, N, MEASURE, ["kendall"])),
    "comparison": lambda d: said.comparison_text(comparison_data({"one": d}, QUANTITIES[1], Q, MEASURE), QUANTITIES[1]),
    "difference": lambda d: said.difference_text(
        difference_data({"one": whole(), "other": d}, QUANTITIES[1], Q, MEASURE), "one", QUANTITIES[1]
    ),
    "initial": lambda d: said.initial_text(figures.initial_metrics_data(d, Q, N)),
    "scores": lambda d: said.scores_text(TABLES["scores"](d)),
    "journey": lambda d: said.journey_text(figures.journey_data(d)),
    "sides": lambda d: said.surface_text(TABLES["sides"](d)),
}


@pytest.mark.parametrize("name", ALTERNATIVES)
def test_an_alternative_states_numbers_and_changes_with_them(name):
    text, other = ALTERNATIVES[name](whole()), ALTERNATIVES[name](synthetic(small_study(), np.random.default_rng(7)))
    assert re.search(r"\d", text) and text.endswith(".") and "nan" not in text
    assert text != other or name in ("ranks", "cost and gain")


@pytest.mark.parametrize("name", [name for name in ALTERNATIVES if name != "predictors"])
def test_an_alternative_of_nothing_says_so(name):
    dataset = empty(small_study())
    assert ALTERNATIVES[name](dataset) == said.NOTHING


def test_the_ends_that_an_alternative_names_are_those_of_the_table():
    frame = TABLES["overview"](whole()).set_index("candidate")
    text = said.overview_text(TABLES["overview"](whole()))
    for column in ("M0", "best_gain"):
        for end in (frame[column].idxmin(), frame[column].idxmax()):
            assert end in text and number(frame[column][end]) in text


def test_report_and_app_tell_one_origin():
    """The attributes of a result and its record in the store are told alike."""
    known = {"device": "a laptop", "computed": "2026-11-24T16:56:12+00:00", "seconds": 79.4}
    attributes = known | {"seconds": np.float64(79.4), "versions": '{"jax": "0.10.1", "flax": "0.12.8"}'}
    assert origin(attributes) == origin(known | {"versions": {"jax": "0.10.1", "flax": "0.12.8"}})


def test_what_a_figure_draws_is_a_table_of_all_its_points():
    figure = go.Figure([go.Scatter(x=[0, 1], y=[2, 3], name="line"), go.Heatmap(z=[[4, 5, 6], [7, 8, 9]])])
    figure.update_layout(xaxis_title="α (1)", yaxis_title="L<sub>0</sub> (nats)")
    figure.frames = [go.Frame(name="later", data=[go.Scatter(x=[9], y=[10])], traces=[0])]
    table = drawn(figure)
    assert table["frame"].tolist() == [""] * 8 + ["later"] and set(table["y is"]) == {"L0 (nats)"}
    assert table.loc[table["trace"] == 0, ["x", "y"]].values.tolist() == [[0, 2], [1, 3], [9, 10]]
    assert table.loc[(table["x"] == 2) & (table["y"] == 1), "z"].item() == 9
