"""A result as one HTML page that needs no server and no network: `report.html.jinja`, filled in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import plotly.graph_objects as go
import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from landscape import figures
from landscape.analysis.performance import usual_measure
from landscape.analysis.summary import Q, summary
from landscape.analysis.walks import checked_n
from landscape.analysis.wording import PARTIAL, REGRET, minus, number, origin, together
from landscape.cli.report.sections import drawn
from landscape.cli.tables import (
    Table,
    candidates_table,
    control_line,
    divergence_line,
    doubt_line,
    kendall_table,
    partial_kendall_table,
    regret_table,
    sizes_line,
)
from landscape.figures.export.alternatives import surface_text
from landscape.figures.export.files import INK, config
from landscape.study import Study
from landscape.study.presets import presets
from landscape.study.schema import MOMENTS, study_of
from landscape.study.writing.toml_text import toml_text

GRID = "rgba(128, 128, 128, 0.25)"  # on a light and on a dark page


class Section(NamedTuple):
    """A figure of the page: its question, what it shows, how it is defined."""

    question: str
    finding: str
    definition: str
    figure: Markup


def html_report(dataset: xr.Dataset, q: float = Q, n: int | None = None) -> str:
    """The page; `n=None` takes every permutation computed. Raises ValueError for q or n out of range."""
    n, found, study = checked_n(dataset, n), summary(dataset, q, n), study_of(dataset)
    templates = Environment(
        loader=PackageLoader(__package__, "."), autoescape=True, trim_blocks=True, undefined=StrictUndefined
    )
    tables = (kendall_table, partial_kendall_table, regret_table)
    return templates.get_template("report.html.jinja").render(
        title=dataset.attrs["title"],
        study=study,
        plotly=Markup(get_plotlyjs()),
        sizes=sizes_line(found),
        lines=[minus(line) for line in (divergence_line(found), control_line(found), doubt_line(found)) if line],
        candidates=_printed(candidates_table(found)),
        predictors=[_printed(make(found, figures.predictor_label)) for make in tables],
        about_predictors=f"{PARTIAL} {REGRET}",
        costs=_costs(dataset),
        sections=list(_sections(dataset, q, n)),
        surfaces=list(_surfaces(dataset)),
        surface_finding=surface_text(figures.surface_barriers_data(dataset, MOMENTS[0])),
        origin=origin(dataset.attrs),
        key=dataset.attrs["key"],
        settings=settings(study, q, n),
        file=toml_text(study),
        versions=_versions(dataset),
        commands=commands(study, q, n),
    )


def settings(study: Study, q: float, n: int) -> Table:
    """What was chosen, one row each, nested settings by their path."""
    rows = [("q", f"{q:g}"), ("n", str(n)), *_flat("", study.model_dump(mode="json", exclude_none=True))]
    return Table(("setting", "value"), rows)


def commands(study: Study, q: float, n: int) -> list[str]:
    """What to type to compute the study again and to write this page."""
    preset = presets().get(study.name)
    name = study.name if preset and preset.key == study.key else f"{study.name}.toml"
    report = f"python -m landscape report {name} --q {q:g} --n {n} -o {study.name}.html"
    return [f"python -m landscape run {name}", report]


def _printed(table: Table) -> Table:
    """The table with real minus signs, and with intervals that stay on one line of a narrow page."""
    rows = [[_cell(each) if isinstance(each, str) else each for each in row] for row in table.rows]
    return Table(table.header, rows)


def _cell(text: str) -> str:
    return minus(text).replace(", ", together(", "))


def _flat(path: str, content: Any) -> Iterator[tuple[str, str]]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _flat(f"{path}.{name}" if path else name, value)
    else:
        yield path, content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _versions(dataset: xr.Dataset) -> Table:
    return Table(("package", "version"), list(json.loads(dataset.attrs.get("versions", "{}")).items()))


def _sections(dataset: xr.Dataset, q: float, n: int) -> Iterator[Section]:
    for i, each in enumerate(drawn(dataset, q, n, usual_measure(dataset))):
        yield Section(each.question, each.finding, each.definition, _html(each.figure, f"figure-{i}"))


def _surfaces(dataset: xr.Dataset) -> Iterator[tuple[str, Markup]]:
    """Each model with its surface, at the time of the expansion."""
    for i, model in enumerate(figures.surface_models(dataset, MOMENTS[0])):
        yield model, _html(figures.surface_contours(dataset, model, MOMENTS[0]), f"surface-{i}")


def _costs(dataset: xr.Dataset) -> Table:
    """What each predictor takes on the largest candidate."""
    frame = figures.predictor_cost_data(dataset)
    header = ("predictor", "forward passes", "backward passes", "time (s)", "compilation, once (s)")
    columns = ["name", "forward_passes", "backward_passes"]
    rows = [
        [*map(str, row[columns]), number(row["seconds"]), number(row["compile_seconds"], 2)]
        for _, row in frame.iterrows()
    ]
    return Table(header, rows)


def _html(figure: go.Figure, name: str) -> Markup:
    """A figure on the page's own ground; the page gives its texts the colour that the theme asks for."""
    figure = go.Figure(figure.to_dict())  # which checks what it is given, as a figure that has been finished does not
    figure.update_layout(
        template="none", font={"color": INK}, paper_bgcolor="rgba(0, 0, 0, 0)", plot_bgcolor="rgba(0, 0, 0, 0)"
    )
    figure.update_xaxes(gridcolor=GRID, zerolinecolor=GRID).update_yaxes(gridcolor=GRID, zerolinecolor=GRID)
    inherited = {"tickfont_color": None, "title_font_color": None}
    figure.update_xaxes(inherited).update_yaxes(inherited)
    options = config(figure, name, "SVG") | {"responsive": True}
    return Markup(figure.to_html(full_html=False, include_plotlyjs=False, config=options, div_id=name))
