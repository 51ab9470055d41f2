"""Every control that a link reproduces, declared once: its words, its bounds for a result, and its default.

The value lives in the URL under the control's name. A value that is not allowed is named, with what is allowed,
and the default stands in for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import streamlit as st
import xarray as xr

from landscape.analysis.correlation import KINDS
from landscape.analysis.performance import MEASURES, usual_measure
from landscape.analysis.walks import steps_reached
from landscape.study.schema import BASE, MOMENTS, SPLITS
from pages.shared import library


class Range(NamedTuple):
    """A number between two bounds, both allowed; whole where the step is."""

    words: str
    low: float
    high: float
    step: float
    default: float
    help: str | None = None

    @property
    def allowed(self) -> str:
        """In words."""
        return f"a {'whole ' if isinstance(self.step, int) else ''}number from {self.low:g} to {self.high:g}"

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is one of these."""
        try:
            value = (int if isinstance(self.step, int) else float)(text)
        except ValueError:
            return False
        return self.low <= value <= self.high

    def draw(self, name: str) -> float:
        """The widget; a single value needs none."""
        if self.low == self.high:
            return self.low
        return st.slider(
            self.words, self.low, self.high, self.default, self.step, key=name, help=self.help, bind="query-params"
        )


class Choices(NamedTuple):
    """One of several, shown side by side or in a list."""

    words: str
    options: Sequence[str]
    default: str
    help: str | None = None
    aside: bool = False

    @property
    def allowed(self) -> str:
        """In words."""
        shown = [*self.options[:9], "…", self.options[-1]] if len(self.options) > 12 else self.options
        return "one of " + ", ".join(shown)

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is one of these."""
        return text in self.options

    def draw(self, name: str) -> str:
        """The widget."""
        common: Any = {"key": name, "help": self.help, "bind": "query-params"}
        if self.aside:
            return st.segmented_control(self.words, self.options, default=self.default, required=True, **common)
        return st.selectbox(self.words, self.options, list(self.options).index(self.default), **common)


class Switch(NamedTuple):
    """On or off."""

    words: str
    default: bool = False
    help: str | None = None

    @property
    def allowed(self) -> str:
        """In words."""
        return "true or false"

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is one of these."""
        return text.lower() in ("true", "false")

    def draw(self, name: str) -> bool:
        """The widget."""
        return st.toggle(self.words, self.default, key=name, help=self.help, bind="query-params")


class Number(NamedTuple):
    """A whole number to type, between two bounds, both allowed."""

    words: str
    low: int
    high: int
    default: int
    help: str | None = None

    @property
    def allowed(self) -> str:
        """In words."""
        return f"a whole number from {self.low} to {self.high}"

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is one of these."""
        return text.isdecimal() and self.low <= int(text) <= self.high

    def draw(self, name: str) -> int:
        """The widget. Raises ValueError where it was emptied."""
        value = st.number_input(
            self.words, self.low, self.high, self.default, key=name, help=self.help, bind="query-params"
        )
        if value is None:
            raise ValueError(f"{self.words}: nothing given; it must be {self.allowed}.")
        return value


class Text(NamedTuple):
    """A line of text; what it means is checked by whoever reads it."""

    words: str
    default: str

    @property
    def allowed(self) -> str:
        """In words."""
        return "any text"

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is one of these."""
        return True

    def draw(self, name: str) -> str:
        """The widget."""
        return st.text_input(self.words, self.default, key=name, bind="query-params")


class Several(NamedTuple):
    """Any of several, none at first; a link names each."""

    words: str
    options: Sequence[str]
    help: str | None = None
    most: int = 3

    default: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """In words."""
        return f"up to {self.most} of " + ", ".join(self.options)

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is one of these."""
        return text in ("", *self.options)

    def draw(self, name: str) -> list[str]:
        """The widget."""
        return st.multiselect(
            self.words, self.options, key=name, help=self.help, max_selections=self.most, bind="query-params"
        )


Control = Range | Choices | Switch | Number | Text | Several


AT = ("at the expansion", "trained")  # the result's `MOMENTS`, in words
COPIES, STEPS, SEEDS = "permuted copies", "steps of the walk", "trained seeds"


def moment_of(words: str | None) -> str:
    """The moment in the result that the control `moment` means; the base, for which it is not drawn, has the first."""
    return MOMENTS[AT.index(words)] if words else MOMENTS[0]


def texts(values: xr.DataArray) -> list[str]:
    """A coordinate as options."""
    return [str(value) for value in values.values]


def seed_pairs(dataset: xr.Dataset) -> list[str]:
    """Neighbouring seeds, whose networks are compared."""
    return [f"{seed} and {seed + 1}" for seed in dataset["seed_pair"].values]


def node_pairs(dataset: xr.Dataset) -> list[str]:
    """Pairs of the walk's first nodes, in the order of the dimension `pair`."""
    return [f"{a} – {b}" for a, b in zip(dataset["pair_from"].values, dataset["pair_to"].values, strict=True)]


def lines(dataset: xr.Dataset) -> list[str]:
    """Between what a result has curves."""
    return [COPIES, STEPS, *([SEEDS] if dataset.sizes["seed_pair"] else [])]


def stored() -> list[str]:
    """The labels of the stored studies but for the chosen one."""
    found, chosen = library.choices()[0], st.session_state.get("study")
    return [label for label, choice in found.items() if choice.entry and label != chosen]


Values = dict[str, Any]

CONTROLS: dict[str, Callable[[xr.Dataset, Values], Control | None]] = {
    "q": lambda d, v: Range("Quantile q", 0.01, 0.99, 0.01, 0.4, "λ is the q-quantile of the base's own barriers."),
    "n": lambda d, v: Range(
        "Permutations n", 1, steps_reached(d), 1, steps_reached(d), "How many steps of the walk count."
    ),
    "measure": lambda d, v: Choices(
        "Performance", MEASURES, usual_measure(d), "What A and so the gain G measure.", True
    ),
    "rank": lambda d, v: Choices("Rank correlation", KINDS, KINDS[0], None, True),
    "model": lambda d, v: Choices("Model", texts(d["model"]), BASE),
    "moment": lambda d, v: (
        Choices("Candidates", AT, AT[0], "The base is always the trained φ*.", True) if v.get("model") != BASE else None
    ),
    "seed": lambda d, v: Choices("Seed", texts(d["seed"]), "0") if v.get("between") != SEEDS else None,
    "pool": lambda d, v: Choices("Seeds", ["all", *texts(d["seed"])], "all"),
    "checkpoint": lambda d, v: Choices("Epochs after the expansion", texts(d["checkpoint"]), "0"),
    "scale": lambda d, v: Choices("Barrier axis", ("linear", "log"), "linear", None, True),
    "epochs_axis": lambda d, v: Choices("Epoch axis", ("linear", "log"), "linear", None, True),
    "against": lambda d, v: (
        Choices("Manifold metric against", ("the base", "itself at epoch 1"), "the base", "λ and m of what.", True)
        if 1 in d["checkpoint"].values
        else None
    ),
    "between": lambda d, v: Choices("Between", lines(d), COPIES, None, True),
    "curves": lambda d, v: (
        Range("Curves", 1, d.sizes["node"] - 1, 1, min(3, d.sizes["node"] - 1)) if v["between"] != SEEDS else None
    ),
    "pair": lambda d, v: Choices("Seeds", seed_pairs(d), "0 and 1") if v["between"] == SEEDS else None,
    "split": lambda d, v: Choices("Data", ("both", *SPLITS), "both", None, True),
    "all_pairs": lambda d, v: Switch("All pairs", help="Every two nodes, not only neighbours on the walk."),
    "edge": lambda d, v: Choices("Nodes compared below", node_pairs(d), "0 – 1", "Or click the middle of an edge."),
    "loss_scale": lambda d, v: Choices("Colour scale", ("log", "linear"), "log", None, True),
    "form": lambda d, v: Choices("Drawn as", ("contours", "relief"), "contours", None, True),
    "also": lambda d, v: (
        Several("Further studies", others, "Stored studies, shown beside this one.") if (others := stored()) else None
    ),
    "grid": lambda d, v: Choices("Grid", ("paper", "fine"), "paper", None, True),
}


def draw(dataset: xr.Dataset, rows: Sequence[Sequence[str]]) -> None:
    """Draw a page's controls, a row after the other; `chosen` then tells their values.

    The frame draws them and not the page: Streamlit drops from the URL, on a change of page, what a page has bound,
    and going back in the browser would lose it.
    """
    values: Values = {}
    for names in rows:
        asked = {name: control for name in names if (control := CONTROLS[name](dataset, values))}
        columns = st.columns(len(asked)) if asked else []
        for column, (name, control) in zip(columns, asked.items(), strict=True):
            with column:
                values[name] = checked(name, control)
    st.session_state["values"] = values


def chosen(*names: str) -> list[Any]:
    """The values of the page's controls; None for one that was not asked."""
    return [st.session_state["values"].get(name) for name in names]


def checked(name: str, control: Control) -> Any:
    """The value of a control, from its widget or from the link; a value in the link that is not allowed is named.

    A value chosen for another study gives way to the default where this one does not allow it.
    """
    held = st.session_state.get(name, [])
    if not all(control.accepts(str(value)) for value in (held if isinstance(held, list) else [held])):
        del st.session_state[name]
    else:
        for text in st.query_params.get_all(name):
            if not control.accepts(text):
                st.warning(f"The link says {name} = {text}; allowed is {control.allowed}. The default stands in.")
    return control.draw(name)
