"""A result as one HTML page that needs no server and no network: `report.html.jinja`, filled in."""

from __future__ import annotations

from collections.abc import Iterator

import plotly.graph_objects as go
import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from landscape import figures
from landscape.analysis.performance import Measure, usual_measure
from landscape.analysis.summary import Q, summary
from landscape.analysis.walks import checked_n
from landscape.analysis.wording import PARTIAL, REGRET
from landscape.cli.tables import (
    candidates_table,
    control_line,
    divergence_line,
    kendall_table,
    partial_kendall_table,
    regret_table,
    sizes_line,
)
from landscape.study.schema import MOMENTS, study_of

CONFIG = {"displaylogo": False, "responsive": True}


def html_report(dataset: xr.Dataset, q: float = Q, n: int | None = None) -> str:
    """The page; `n=None` takes every permutation computed. Raises ValueError for q or n out of range."""
    n, found = checked_n(dataset, n), summary(dataset, q, n)
    templates = Environment(
        loader=PackageLoader(__package__, "."), autoescape=True, trim_blocks=True, undefined=StrictUndefined
    )
    return templates.get_template("report.html.jinja").render(
        title=dataset.attrs["title"],
        study=study_of(dataset),
        plotly=Markup(get_plotlyjs()),
        sizes=sizes_line(found),
        divergence=divergence_line(found),
        candidates=candidates_table(found),
        control=control_line(found),
        predictors=[
            make(found, figures.predictor_label) for make in (kendall_table, partial_kendall_table, regret_table)
        ],
        about_predictors=f"{PARTIAL} {REGRET}",
        figures=list(_figures(dataset, q, n, usual_measure(dataset))),
        colour_scale=_html(figures.surface_scale(dataset, MOMENTS[0]), "scale"),
        surfaces=list(_surfaces(dataset)),
        origin={name: dataset.attrs[name] for name in ("key", "device", "computed") if name in dataset.attrs},
    )


def _figures(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> Iterator[tuple[str, Markup]]:
    """Each figure with the question that it answers."""
    qs, ns = figures.paper_grid(dataset)
    drawn = [
        ("Which expansion pays off?", figures.overview(dataset, q, n, measure)),
        ("What predicts the gain?", figures.predictor_ranks({dataset.attrs["name"]: dataset}, q, n, measure)),
        ("How does performance improve with training?", figures.gain_trajectories(dataset, measure)),
        ("How does the manifold change with training?", figures.metric_trajectories(dataset, q, n)),
        (
            "Does the metric keep predicting the gain during training?",
            figures.correlation_trajectories(dataset, q, n, measure),
        ),
        ("How much do q and n matter?", figures.sensitivity_map(dataset, qs, ns, measure, "kendall", (q, n))),
    ]
    for i, (question, figure) in enumerate(drawn):
        yield question, _html(figure, f"figure-{i}")


def _surfaces(dataset: xr.Dataset) -> Iterator[tuple[str, Markup]]:
    """Each model with its surface, at the time of the expansion."""
    for i, model in enumerate(figures.surface_models(dataset, MOMENTS[0])):
        yield model, _html(figures.surface_contours(dataset, model, MOMENTS[0]), f"surface-{i}")


def _html(figure: go.Figure, name: str) -> Markup:
    figure = go.Figure(figure).update_layout(template="plotly_white")  # a copy, whose layout is validated
    return Markup(figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG, div_id=name))
