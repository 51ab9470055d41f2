"""The explorer, started by `streamlit run app.py`: the list of pages by folder, and the frame around each.

The server imports this file once, for `app`; then Streamlit runs it as a script for each visitor.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import streamlit as st

from landscape.store import places
from pages.shared import compute, frame, lesson, serving
from pages.shared.frame import View

os.environ.setdefault(places.VARIABLE, str(Path(__file__).parent / "cache"))

PAGES = Path(__file__).parent / "pages"
SECTIONS = {"home": "", "learn": "Learn", "explore": "Explore", "compare": "Compare", "own": "Your own"}  # by folder

VIEWS = {
    "home": [
        View(
            "home",
            ":material/home:",
            "Is a larger network worth it?",
            "See before any training which expansion of a network promises to pay off, and then train it to find out.",
            (),
            of_one_study=False,
        ),
    ],
    "learn": [
        *(
            View(each.name, f":material/counter_{i}:", each.question, "", (), each.label, of_one_study=False)
            for i, each in enumerate(lesson.LESSONS, 1)
        ),
        View(
            "glossary",
            ":material/menu_book:",
            "What do the words and symbols mean?",
            "Each thing has one word and one symbol, on every page and in every file. The link opens the lesson that "
            "introduces the term.",
            (),
            of_one_study=False,
        ),
    ],
    "explore": [
        View(
            "study",
            ":material/science:",
            "Which expansion pays off?",
            "The manifold metric M₀ is measured before a candidate is trained, the best gain G* afterwards. Bars are "
            "95 % intervals over seeds; with a single seed, the interval of M₀ is over permutations.",
            (("q", "n"), ("measure", "rank", "cost")),
            above=compute.offer,
        ),
        View(
            "interpolation",
            ":material/timeline:",
            "What lies between two minima?",
            "The curves show the loss along the straight line between two networks. The barrier is how far the loss "
            "rises above the dotted chord.",
            (("between",), ("model", "seed", "pair", "curves"), ("moment", "split")),
        ),
        View(
            "barriers",
            ":material/bar_chart:",
            "How high are the barriers?",
            "Each step of a walk has a midpoint barrier b̂; dashed lines are the threshold λ of each seed. The size m "
            "of the manifold is the fraction of barriers that are at most λ.",
            (("q", "n"), ("pool", "checkpoint", "scale")),
        ),
        View(
            "graph",
            ":material/hub:",
            "Which copies are connected?",
            "Nodes are permuted copies of one network, placed by their distance in parameter space. An edge joins two "
            "nodes if the midpoint barrier between them is at most λ.",
            (("q", "n"), ("model", "seed", "edge"), ("moment", "all_pairs")),
            title="Permutation graph",
        ),
        View(
            "trajectories",
            ":material/show_chart:",
            "What does training change?",
            "Lines are means over seeds. Bands reach one standard deviation to either side, but no further than the "
            "seeds themselves. A star marks G*, the mean of the seeds' greatest gains.",
            (("q", "n"), ("measure", "rank", "epochs_axis"), ("against",)),
        ),
        View(
            "parting",
            ":material/content_copy:",
            "Do copies part?",
            "Widening copies units. As long as a copy does what its original does, the network is in effect no wider "
            "than its base: the cosine between the incoming weights of the two is 1. Lines are means over seeds. Bands "
            "reach one standard deviation to either side, but no further than the seeds themselves.",
            (("of_copies", "epochs_axis"),),
            title="Parting copies",
            variable="copy_cosine",
        ),
        View(
            "sharpness",
            ":material/signal_cellular_alt:",
            "Is M small where the loss is sharp?",
            "The sharpness is the largest eigenvalue, or the trace, of the Hessian of the training loss. Lines are "
            "means over seeds. Bands reach one standard deviation to either side, but no further than the seeds "
            "themselves.",
            (("q", "n"), ("hessian", "rank", "epochs_axis")),
            variable="sharpness",
        ),
        View(
            "sensitivity",
            ":material/grid_on:",
            "How much do q and n matter?",
            "Each cell is the rank correlation of M₀ with the best gain G* for one quantile q and one number of "
            "permutations n, all from the same walks. With a mouse, click a cell to select its q and n.",
            (("q", "n"), ("measure", "rank", "grid"), ("also",)),
        ),
    ],
    "compare": [
        View(
            "predictors",
            ":material/leaderboard:",
            "What predicts the gain?",
            "The bars show how well each predictor ranks the candidates by their best gain G*. All but SoTL-E, which "
            "takes an epoch, are known before training. The one to beat is the parameter count, which costs nothing.",
            (("q", "n"), ("measure", "rank"), ("also",)),
        ),
        View(
            "surface",
            ":material/terrain:",
            "How wide are the valleys?",
            "This is the training loss of seed 0 on the plane through three permuted copies of one network (the "
            "points), which compute the same function. All models share one colour scale, on which darker is lower.",
            (("moment", "loss_scale", "form"),),
            variable="surface",
        ),
        View(
            "studies",
            ":material/compare_arrows:",
            "Do two studies agree?",
            "M₀ and the gain of the candidates of two to four studies, against their size relative to their base.",
            (),
            of_one_study=False,
        ),
        View(
            "scorecard",
            ":material/fact_check:",
            "Does the paper hold?",
            "Each claim of the paper is tested on every shipped study that can test it; which study is chosen in the "
            "side bar makes no difference. A verdict follows from a 95 % interval over seeds, by the rule at the end "
            "of the page.",
            (),
            of_one_study=False,
        ),
    ],
    "own": [
        View(
            "new",
            ":material/add_circle:",
            "Which study shall I compute?",
            "Start from a preset and change what you like: the base model, how it is expanded, the data. The address "
            "of this page holds your changes, so a link to it is your study.",
            (),
            title="Try my own",
            of_one_study=False,
        ),
        View(
            "mine",
            ":material/folder_open:",
            "Where do my studies stand?",
            "Every study that has been computed, is being computed or was uploaded here. You can open, follow, rename, "
            "delete, download and upload studies.",
            (),
            title="My studies",
            of_one_study=False,
        ),
        View(
            "jobs",
            ":material/pending_actions:",
            "What is being computed?",
            "What is running, is waiting or has failed: how far it is, what it is doing, and how long it still takes.",
            (),
            title="Jobs",
            of_one_study=False,
        ),
        View(
            "network",
            ":material/upload_file:",
            "Should I widen this network?",
            "Upload a trained network to see the manifold metric M₀ of each of its expansions. Nothing is trained.",
            (),
            title="Try my network",
            of_one_study=False,
        ),
    ],
}


def pages_of(folder: str, view: View) -> list[st.Page]:
    """The page of a view, whose path is its name. The first page is at the root, and a hidden twin has its name."""
    page = partial(st.Page, PAGES / folder / f"{view.name}.py", title=view.label, icon=view.icon)
    named = view.name != "home"
    twin = [] if named else [page(url_path="", default=True)]
    return [*twin, page(url_path=view.name, visibility="visible" if named else "hidden")]


def explorer() -> None:
    """The whole app, as one visitor sees it now."""
    pages = {folder: {page: view for view in of for page in pages_of(folder, view)} for folder, of in VIEWS.items()}
    # first, or the navigation would fetch an icon from outside
    st.set_page_config(frame.NAME, frame.ICON, "wide", 260, frame.MENU)
    with frame.visit():
        page = st.navigation({SECTIONS[folder]: list(found) for folder, found in pages.items() if found}, expanded=True)
        frame.remember_first(pages)
        frame.around(page, next(found[page] for found in pages.values() if page in found))


if __name__ == "__main__":
    explorer()
else:
    app = st.App(__file__, lifespan=serving.lifespan)
