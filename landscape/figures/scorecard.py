"""The scorecard as a figure: how M₀ and the parameter count rank the candidates of each study."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from landscape.analysis.scorecard import Row
from landscape.analysis.summary import Q
from landscape.analysis.wording import bounds, minus
from landscape.figures.export.tables import CORRELATION, with_settings
from landscape.figures.palette import ACCENT, NEUTRAL, SYMBOLS
from landscape.figures.predictors import predictor_label
from landscape.figures.style import LINE_WIDTH, empty_figure, finish
from landscape.study.predictors import METRIC, PARAMETERS

ROW_HEIGHT, FRAME_HEIGHT = 25, 140  # pixels: of a study, and of the axis and the legend
APART = 0.2  # by how much of a row each of the two lies off its middle


def scorecard_ranks_data(rows: Sequence[Row]) -> pd.DataFrame:
    """Kendall's τ of M₀ and of the parameter count with G*: mean, interval and count of seeds, by study.

    The rows are those of one claim or of several; a study counts once.
    """
    found = {
        (row.study, predictor): each
        for row in rows
        for predictor, each in ((METRIC, row.metric), (PARAMETERS, row.parameters))
        if each is not None
    }
    frame = pd.DataFrame(
        [(*which, each.value, each.low, each.high, each.count) for which, each in found.items()],
        columns=["study", "predictor", "mean", "low", "high", "count"],
    )
    return with_settings(frame, CORRELATION, {"q": Q, "n": "all"})


def scorecard_ranks(rows: Sequence[Row]) -> go.Figure:
    """A line per study with both correlations and their 95 % intervals; from `scorecard_ranks_data` (Figure 2)."""
    frame = scorecard_ranks_data(rows).dropna(subset="mean")
    if frame.empty:
        return empty_figure("No shipped study ranks its candidates.")
    figure, studies = go.Figure(), list(dict.fromkeys(frame["study"]))
    hues = (ACCENT, NEUTRAL)
    for i, predictor in enumerate((METRIC, PARAMETERS)):
        of_one = frame[frame["predictor"] == predictor]
        places = [studies.index(study) + (2 * i - 1) * APART for study in of_one["study"]]
        figure.add_scatter(
            x=of_one["mean"], y=places, mode="markers", name=predictor_label(predictor), showlegend=True,
            marker={"color": hues[i], "size": 9, "symbol": SYMBOLS[i]},
            error_x={
                "type": "data", "symmetric": False, "thickness": LINE_WIDTH, "color": hues[i],
                "array": of_one["high"] - of_one["mean"], "arrayminus": of_one["mean"] - of_one["low"],
            },
            customdata=[minus(f"{row.study}<br>{row.mean:+.2f}{bounds(row.low, row.high, '+.2f')}")
                        for row in of_one.itertuples()],
            hovertemplate="%{fullData.name}, %{customdata}<extra></extra>",
        )  # fmt: skip
    figure = finish(figure, "τ with G* (1)", "", height=FRAME_HEIGHT + ROW_HEIGHT * len(studies))
    figure.update_layout(legend={"y": 1, "yanchor": "top"})  # what a tall figure begins with is seen first
    figure.update_xaxes(range=[-1.05, 1.05], zeroline=True, zerolinecolor=NEUTRAL, side="top")
    figure.update_yaxes(tickvals=list(range(len(studies))), ticktext=studies, autorange="reversed", title=None)
    return figure
