"""Every control that a link reproduces, declared once: its label, what it allows for a given result, its default.

The value lives in the URL under the control's name. If a link has a value that is not allowed, a warning says what is,
and the default is used instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import streamlit as st
import xarray as xr
from streamlit.delta_generator import DeltaGenerator

from landscape.analysis.glossary import explained
from landscape.analysis.performance import MEASURES, usual_measure
from landscape.analysis.ranking.correlation import KINDS
from landscape.analysis.walks import steps_reached
from landscape.figures.comparison import QUANTITIES, SIZES
from landscape.figures.mechanism import COSINES, CURVATURES
from landscape.lessons.barriers import STEP_SIZES
from landscape.lessons.widening import SHARES
from landscape.study.schema import BASE, MOMENTS, SPLITS
from landscape.study.writing.notation import NOTATION
from pages.shared import address, library
from pages.shared.show import plain
from pages.shared.widgets import Choices, Control, Files, Number, Range, Several, Switch, Text

AT = ("at the expansion", "after training")  # `MOMENTS` in words
DEFAULTS = "defaults"  # in the session: the default of each control when it was last drawn
COPIES, STEPS, SEEDS = "permuted copies", "steps of the walk", "trained seeds"


def moment_of(words: str | None) -> str:
    """The moment that a choice of the control `moment` stands for; without the control, as for the base, the first."""
    return MOMENTS[AT.index(words)] if words else MOMENTS[0]


def texts(values: xr.DataArray) -> list[str]:
    """The values of a coordinate, as options."""
    return [str(value) for value in values.values]


def seed_pairs(dataset: xr.Dataset) -> list[str]:
    """The pairs of seeds whose networks are compared."""
    return [f"{seed} and {seed + 1}" for seed in dataset["seed_pair"].values]


def node_pairs(dataset: xr.Dataset) -> list[str]:
    """The pairs of the walk's first nodes, in the order of the dimension `pair`."""
    return [f"{a} – {b}" for a, b in zip(dataset["pair_from"].values, dataset["pair_to"].values, strict=True)]


def lines(dataset: xr.Dataset) -> list[str]:
    """The kinds of lines along which a result has curves."""
    return [COPIES, STEPS, *([SEEDS] if dataset.sizes["seed_pair"] else [])]


def stored() -> list[str]:
    """The labels of the stored studies other than the chosen one."""
    found, chosen = library.listed(), st.session_state.get("study")
    return [label for label, choice in found.items() if choice.entry and label != chosen]


Values = dict[str, Any]

_FIRST_VIEW: ContextVar[DeltaGenerator] = ContextVar("first_view")  # of the page that this thread runs

CONTROLS: dict[str, Callable[[xr.Dataset, Values], Control | None]] = {
    "q": lambda d, v: Range("Quantile q", 0.01, 0.99, 0.01, 0.4, explained("λ", "B*")),
    "n": lambda d, v: Range("Permutations n", 1, steps_reached(d), 1, steps_reached(d), explained("n")),
    "measure": lambda d, v: Choices("Performance", MEASURES, usual_measure(d), explained("A", "G*"), True),
    "rank": lambda d, v: Choices("Rank correlation", KINDS, KINDS[0], explained("τ", "ρ", "r"), True),
    "cost": lambda d, v: Choices("Cost", ("parameters", "multiply-adds", "time"), "parameters", None, True),
    "model": lambda d, v: Choices("Model", texts(d["model"]), BASE),
    "moment": lambda d, v: (
        Choices("Candidates", AT, AT[0], "The base is always the trained model φ*.", True)
        if v.get("model") != BASE
        else None
    ),
    "seed": lambda d, v: Choices("Seed", texts(d["seed"]), "0") if v.get("between") != SEEDS else None,
    "pool": lambda d, v: Choices("Seeds", ["all", *texts(d["seed"])], "all"),
    "checkpoint": lambda d, v: Choices("Epochs after the expansion", texts(d["checkpoint"]), "0"),
    "scale": lambda d, v: Choices("Barrier axis", ("linear", "log"), "linear", None, True),
    "epochs_axis": lambda d, v: Choices("Epoch axis", ("linear", "log"), "linear", None, True),
    "against": lambda d, v: (
        Choices("Metric relative to", ("the base", "itself at epoch 1"), "the base", "Whose barriers set λ.", True)
        if 1 in d["checkpoint"].values
        else None
    ),
    "between": lambda d, v: Choices("Lines between", lines(d), COPIES, None, True),
    "curves": lambda d, v: (
        Range("Number of curves", 1, d.sizes["node"] - 1, 1, min(3, d.sizes["node"] - 1))
        if v["between"] != SEEDS
        else None
    ),
    "pair": lambda d, v: Choices("Seeds", seed_pairs(d), "0 and 1") if v["between"] == SEEDS else None,
    "split": lambda d, v: Choices("Data", ("both", *SPLITS), "both", None, True),
    "all_pairs": lambda d, v: Switch("All pairs", help="Compare every two nodes, not just neighbours on the walk."),
    "edge": lambda d, v: Choices("Nodes compared", node_pairs(d), "0 – 1", "With a mouse, click an edge of the graph."),
    "loss_scale": lambda d, v: Choices("Colour scale", ("log", "linear"), "log", None, True),
    "form": lambda d, v: Choices("Show as", ("contours", "relief"), "contours", None, True),
    "also": lambda d, v: (
        Several("Compare with", others, "Stored studies to show next to this one.") if (others := stored()) else None
    ),
    "of_copies": lambda d, v: Choices("Copies", COSINES, COSINES[0], "The mean, or the one that parts most.", True),
    "hessian": lambda d, v: Choices("Sharpness", CURVATURES, CURVATURES[0], "Of the Hessian of the loss.", True),
    "grid": lambda d, v: Choices("Grid", ("paper", "fine"), "paper", None, True),
}

EXAMPLE = "the example"  # in place of an uploaded network
OF_THE_DATA = "learnt from the text"  # in place of an uploaded vocabulary

NETWORK: dict[str, Callable[[Values], Control | None]] = {
    "net": lambda v: Files("Network", {EXAMPLE: EXAMPLE} | v["kept"], EXAMPLE, "Uploaded ones, the newest first."),
    "net_data": lambda v: Choices("Data set", v["sets"], v["sets"][0], "Those that a network of these shapes reads."),
    "net_tokens": lambda v: Files(
        "Vocabulary", {OF_THE_DATA: OF_THE_DATA} | v["tokens"], OF_THE_DATA, "Uploaded ones that fit, the newest first."
    ),
    "net_heads": lambda v: (
        Number("Heads", 1, 1024, v["heads"], "No shape tells it; published BERTs have one for 64 features.")
        if v["heads"]
        else None
    ),
    "net_group": lambda v: Choices("Layer to permute", v["groups"], v["groups"][0]),
    "net_candidates": lambda v: Text("Candidates", v["candidates"], f"Separate them by semicolons. Write {NOTATION}."),
    "net_steps": lambda v: Number("Permutations", 1, 100_000, v["steps"], "Steps of each walk."),
    "net_seeds": lambda v: Number(
        "Repetitions", 1, 100, v["seeds"], "How often copies and permutations are drawn anew; intervals are over them."
    ),
}

UNITS = [str(unit) for unit in range(1, 9)]

LESSONS: dict[str, Control] = {
    "speaker": Switch("Speaker view", help="For a projector: larger texts, one figure, and no prose."),
    "unit_a": Choices("Swap unit", UNITS, "1", None, True),
    "unit_b": Choices("with unit", UNITS, "5", None, True),
    "copy": Range("Copy θ₂", 1, 12, 1, 7, "Twelve copies, each with its units in an order of its own."),
    "step_size": Choices("Each step is", STEP_SIZES, STEP_SIZES[1], None, True),
    "q": Range("Quantile q", 0.05, 0.95, 0.05, 0.4, explained("λ", "B*")),
    "candidate": Choices("Units of the candidate", ("9", "10", "12", "16", "24"), "12", None, True),
    "units": Range("Units of the candidate", 8, 32, 2, 12, "The base has 8."),
    "shares": Choices("Outgoing shares", SHARES, SHARES[0], None, True),
    "noise": Choices("Noise", ("none", "5 %", "20 %"), "none", "Relative to each weight.", True),
    "width": Choices("Units of both networks", ("8", "16", "32"), "8", None, True),
    "second": Range("Seed of the second network", 1, 6, 1, 3, "The first network has seed 0."),
    "match": Switch("Align the units", True, "Permute the second network so that it resembles the first."),
}

COMPARED: dict[str, Control] = {
    "quantity": Choices("Quantity", QUANTITIES, QUANTITIES[0], None, True),
    "of": Choices("Performance", MEASURES, MEASURES[0], explained("A", "G*"), True),
    "size": Choices("Size", tuple(SIZES.values()), SIZES["units"], None, True),
    "layout": Choices("Show", ("together", "side by side", "difference"), "together", None, True),
    "q": Range("Quantile q", 0.01, 0.99, 0.01, 0.4, explained("λ", "B*")),
}

ELSEWHERE = ("study", "studies", "mine")  # controls that the frame or a page declares, whose options it lists itself
GUESS = "guess_"  # begins the names of the guesses of lessons


def is_known(name: str) -> bool:
    """Whether a control of any page has this name in links."""
    known = (*CONTROLS, *NETWORK, *LESSONS, *COMPARED, *ELSEWHERE)
    return name in known or name.startswith(GUESS)


def draw(dataset: xr.Dataset, text: str, rows: Sequence[Sequence[str]]) -> None:
    """Draw below a page's `first_view` how to read that, and its controls, row by row; `chosen` returns their values.

    The frame draws them rather than the page: on a change of page, Streamlit removes from the URL whatever the page has
    bound, and going back in the browser would lose it.
    """
    _FIRST_VIEW.set(st.container())
    st.markdown(text)
    values: Values = {}
    for names in rows:
        with st.container(horizontal=True, gap="medium"):
            for name in names:
                if control := CONTROLS[name](dataset, values):
                    values[name] = checked(name, control)
    st.session_state["values"] = values


def first_view() -> DeltaGenerator:
    """What stands above the controls of the page: its answer and the picture of that."""
    return _FIRST_VIEW.get()


def held(dataset: xr.Dataset, *names: str) -> list[Any]:
    """The values of ranges that the address or another page has chosen, where the page itself may not have them."""
    found = []
    for name in names:
        control, text = CONTROLS[name](dataset, {}), st.query_params.get(name, "")
        assert isinstance(control, Range)
        kind = type(control.default)
        value = st.session_state.get(name, kind(text) if control.accepts(text) else control.default)
        found.append(value if control.accepts(str(value)) else control.default)
    return found


def chosen(*names: str) -> list[Any]:
    """The values of some of the page's controls; None for a control that is not shown."""
    return [st.session_state["values"].get(name) for name in names]


def checked(name: str, control: Control) -> Any:
    """Draw a control and return its value. A value in the link that is not allowed brings up a warning.

    A value that was chosen for another study gives way to the default if this study does not allow it.
    """
    asked, several = st.query_params.get_all(name), isinstance(control, Several)
    held = st.session_state.get(name) is not None
    if held:
        _follow(name, control)
    else:
        for text in asked:
            if not control.accepts(text):
                told = f"The link asks for {name} = {text:.200}, but it must be {control.allowed}."
                st.warning(plain(f"{told} {'It is left out.' if several else 'The default is used instead.'}"))
    refused = bool(asked) and not several and not control.accepts(asked[-1])
    emptied = asked[-1:] == [""]  # which Streamlit takes for nothing chosen
    if (refused and (emptied or not held)) or asked == _written(control.default):
        address.read_as(name, None)
    st.session_state.setdefault(DEFAULTS, {})[name] = control.default
    value = control.draw(name)
    address.let_go(name)
    return value


def forget() -> None:
    """Give every control its default of which the address says nothing, for whom a link has brought here."""
    for name, default in st.session_state.get(DEFAULTS, {}).items():
        if name in st.session_state and name not in st.query_params:
            st.session_state[name] = _held(default)


def _held(default: Any) -> Any:
    """A default as the session holds it."""
    return list(default) if isinstance(default, tuple) else default


def _written(default: Any) -> list[str]:
    """How a link writes a default, which it need not."""
    values = default if isinstance(default, tuple) else (default,)
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in values]


def _follow(name: str, control: Control) -> None:
    """Give a control its default if it holds what is not allowed now, or the default of before.

    Where the link says nothing of a control, it has its default, which is another one in another study: the same link
    opened elsewhere then shows the same view.
    """
    held = st.session_state[name]
    allowed = all(control.accepts(str(value)) for value in (held if isinstance(held, list) else [held]))
    changed = st.session_state.get(DEFAULTS, {}).get(name, control.default) != control.default
    if not allowed or (changed and name not in st.query_params):
        st.session_state[name] = _held(control.default)
