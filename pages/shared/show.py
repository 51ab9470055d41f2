"""How every page shows things: a figure with its data to download, a definition with its source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"], "scrollZoom": False}


def chart(figure: go.Figure, name: str, alt: str, data: Callable[[], pd.DataFrame], **options: Any) -> Any:
    """A figure, and the table that it is drawn from as CSV; `name` is of the file and of the chart."""
    drawn = st.plotly_chart(figure, key=f"chart-{name}", config=CONFIG, alt=alt, **options)
    table(name, data)
    return drawn


def table(name: str, data: Callable[[], pd.DataFrame]) -> None:
    """A button that downloads a table as CSV, made when it is pressed, and tells a screen reader which one."""
    st.download_button(
        f"CSV: {name.replace('-', ' ')}",
        lambda: data().to_csv(index=False).encode(),
        f"{st.session_state['study']}-{name}.csv",
        "text/csv",
        key=f"csv-{name}",
        icon=":material/download:",
        on_click="ignore",
        type="tertiary",
        help="The numbers behind what is shown above.",
    )


def definition(latex: str, source: str, words: str) -> None:
    """What is shown, as a formula with its place in the paper."""
    with st.expander(f"Definition ({source})"):
        st.latex(latex)
        st.markdown(words)


def escaped(label: str) -> str:
    """A label in Markdown: the asterisks of `conv* × 2` stay asterisks."""
    return label.replace("*", r"\*")


def bold(label: str) -> str:
    """A label in bold Markdown."""
    return f"**{escaped(label)}**"
