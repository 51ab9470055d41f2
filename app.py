"""The explorer: `streamlit run app.py`. The frame around every page, and the list of pages by folder."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from landscape.store import places
from pages.shared import fresh

os.environ.setdefault(places.VARIABLE, str(Path(__file__).parent / "cache"))
fresh.reload_once()

from pages.shared import compute, frame  # noqa: E402
from pages.shared.frame import View  # noqa: E402

PAGES = Path(__file__).parent / "pages"

VIEWS = {
    "explore": [
        View(
            "study",
            ":material/science:",
            "Which expansion pays?",
            "The manifold metric M₀ is measured before a candidate is trained; the gain G* afterwards. "
            "Intervals hold 95 %: over seeds, and that of M₀ over permutations where a study has one seed.",
            (("q", "n"), ("measure", "rank")),
            above=compute.offer,
            below=compute.own,
        ),
        View(
            "interpolation",
            ":material/timeline:",
            "What lies between two minima?",
            "The loss along the straight line between two networks. How far it rises above the dotted chord is the "
            "barrier.",
            (("between",), ("model", "seed", "pair", "curves"), ("moment", "split")),
        ),
        View(
            "barriers",
            ":material/bar_chart:",
            "How high are the barriers?",
            "Each step of a walk has one midpoint barrier b̂. The dashed line is λ: the share m of the barriers left of "
            "it is the size of the manifold.",
            (("q", "n"), ("pool", "checkpoint", "scale")),
        ),
        View(
            "graph",
            ":material/hub:",
            "Which copies are connected?",
            "Nodes are permuted copies of one network, placed by their distance in parameter space; an edge exists "
            "where the barrier is at most λ.",
            (("q", "n"), ("model", "seed", "edge"), ("moment", "all_pairs")),
            title="Permutation graph",
        ),
        View(
            "trajectories",
            ":material/show_chart:",
            "How does training change it?",
            "Mean over seeds, with a band of one standard deviation; a star marks the greatest gain.",
            (("q", "n"), ("measure", "rank", "epochs_axis"), ("against",)),
        ),
        View(
            "sensitivity",
            ":material/grid_on:",
            "How much do q and n matter?",
            "Rank correlation of M₀ with the best gain, for every quantile q and number of permutations n, all from "
            "one walk. A click on a cell chooses it.",
            (("q", "n"), ("measure", "rank", "grid"), ("also",)),
        ),
    ],
    "compare": [
        View(
            "predictors",
            ":material/leaderboard:",
            "What predicts the gain?",
            "Rank correlation with the best gain G*, of what can be known before training, and of SoTL-E after one "
            "epoch. The parameter count is the trivial predictor: who does not beat it says nothing new.",
            (("q", "n"), ("measure", "rank"), ("also",)),
        ),
        View(
            "surface",
            ":material/terrain:",
            "How do the valleys widen?",
            "The training loss of seed 0 on the plane through three permuted copies of one network (the points), which "
            "compute the same function. One colour scale serves all models: what is darker is lower.",
            (("moment", "loss_scale", "form"),),
        ),
    ],
}

st.set_page_config("Loss landscape explorer", ":material/landscape:", "wide")
pages = {
    section.capitalize(): {
        st.Page(
            PAGES / section / f"{view.name}.py", title=view.heading, icon=view.icon, default=view.name == "study"
        ): view
        for view in views
    }
    for section, views in VIEWS.items()
}
page = st.navigation({section: list(found) for section, found in pages.items()})
frame.around(page, next(found[page] for found in pages.values() if page in found))
