"""A result as one HTML page that needs no server and no network: tables, figures, definitions, and where it is from."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from string import Template

import plotly.graph_objects as go
import xarray as xr
from plotly.offline import get_plotlyjs

from landscape import figures
from landscape.analysis.metric import MEASURES, Measure, usual_measure
from landscape.analysis.summary import Q, permutations, summary
from landscape.analysis.wording import counted
from landscape.cli.terminal import GAINS, gain_decimals, interval
from landscape.study.schema import MOMENTS, study_of

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #1c1f24; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: 0.3rem 0.8rem; border-bottom: 1px solid #d5d8dd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 1rem; }
.beside > div { min-width: 0; }
p.note { color: #565c66; }
code { background: #f1f2f4; padding: 0.1rem 0.3rem; }
</style>
<script>$plotly</script>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
""")

CONFIG = {"displaylogo": False, "responsive": True}

DEFINITIONS = (
    "Malviya et al., arXiv 2405.15895. The midpoint barrier of a step of a permutation walk is "
    "b̂ = |L(½θ₁ + ½θ₂) − ½(L(θ₁) + L(θ₂))|, on one batch of training data; m(θ, λ, n) is the share of the first n "
    "steps with b̂ ≤ λ (Algorithm 1). λ is the q-quantile of the base's own barriers. M_t = m of the candidate, t "
    "epochs after its expansion, less m of the base (equation 2); M₀ needs no training. G* is the greatest gain in "
    "validation performance over the base. Intervals are Student's of the mean over seeds, at 95 %; seeds that agree "
    "exactly have none."
)


def report(dataset: xr.Dataset, q: float = Q, n: int | None = None, measure: Measure | None = None) -> str:
    """The page. `n=None` takes every permutation computed, `measure=None` the usual one of the data.

    Raises ValueError for q, n or measure out of range.
    """
    measure = measure or usual_measure(dataset)
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}; got {measure!r}")
    n = permutations(dataset, n)
    body = "\n".join((*_tables(dataset, q, n), *_drawn(dataset, q, n, measure), *_origin(dataset)))
    return PAGE.substitute(title=html.escape(str(dataset.attrs["title"])), plotly=get_plotlyjs(), body=body)


def _tables(dataset: xr.Dataset, q: float, n: int) -> Iterator[str]:
    study, found = study_of(dataset), summary(dataset, q, n)
    if study.description:
        yield _paragraph(study.description)
    sizes = f"{counted(found['seeds'], 'seed')}, {counted(found['epochs'], 'epoch')} after expansion"
    yield _paragraph(f"{sizes}, q = {q:g}, n = {n}.")
    rows = [
        [each["candidate"], each["width"], each["parameters"], interval(each["M0"], 1)]
        + [interval(each["best_gain"][name], gain_decimals(found["candidates"], name)) for name in MEASURES]
        for each in found["candidates"]
    ]
    yield _table(["candidate", "width", "parameters", "M₀ in %", *GAINS.values()], rows)
    ranks = [
        [figures.heading(name), *(interval(each[measure], 2) for measure in MEASURES)]
        for name, each in found["kendall"].items()
    ]
    yield _table(["Kendall's τ of", *(f"with {gain}" for gain in GAINS.values())], ranks)
    yield _paragraph(DEFINITIONS, "note")


def _drawn(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> Iterator[str]:
    """Each figure under its question."""
    label = str(dataset.attrs["name"])
    qs, ns = figures.paper_grid(dataset)
    drawn = [
        ("Which expansion pays?", figures.overview(dataset, q, n, measure)),
        ("What predicts the gain?", figures.predictor_ranks({label: dataset}, q, n, measure)),
        ("How does the performance grow?", figures.gain_trajectories(dataset, measure)),
        ("How does the manifold change with training?", figures.metric_trajectories(dataset, q, n)),
        ("Does the metric go on to predict the gain?", figures.correlation_trajectories(dataset, q, n, measure)),
        ("How much do q and n matter?", figures.sensitivity_map(dataset, qs, ns, measure, "kendall", (q, n))),
    ]
    for i, (question, figure) in enumerate(drawn):
        yield f"<h2>{html.escape(question)}</h2>"
        yield _figure(figure, f"figure-{i}")
    yield from _surfaces(dataset)


def _surfaces(dataset: xr.Dataset) -> Iterator[str]:
    """The models' surfaces beside each other under the colour scale that they share; nothing where there are none."""
    moment = MOMENTS[0]
    if models := figures.surface_models(dataset, moment):
        yield "<h2>How do the valleys widen?</h2>"
        yield _paragraph(
            "The loss of the first seed on the plane through three permuted copies (the points), before training."
        )
        yield _figure(figures.surface_scale(dataset, moment), "scale")
        yield '<div class="beside">'
        for i, model in enumerate(models):
            drawn = _figure(figures.surface_contours(dataset, model, moment), f"surface-{i}")
            yield f"<div><h3>{html.escape(model)}</h3>{drawn}</div>"
        yield "</div>"


def _figure(figure: go.Figure, name: str) -> str:
    figure.update_layout(template="plotly_white")
    return figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG, div_id=name)


def _origin(dataset: xr.Dataset) -> Iterator[str]:
    """Where the numbers come from and how to get them again."""
    yield "<h2>Where this comes from</h2>"
    facts = {name: dataset.attrs[name] for name in ("key", "device", "computed") if name in dataset.attrs}
    yield _paragraph("; ".join(f"{name} {value}" for name, value in facts.items()) + ".")
    study = html.escape(study_of(dataset).model_dump_json(indent=1))
    yield f"<details><summary>The study</summary><pre>{study}</pre></details>"


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{html.escape(text)}</p>' if kind else f"<p>{html.escape(text)}</p>"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def row(cells: Sequence[object], tag: str) -> str:
        shown = ("–" if cell is None else str(cell) for cell in cells)
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in shown) + "</tr>"

    return "\n".join(["<table>", row(header, "th"), *(row(cells, "td") for cells in rows), "</table>"])
