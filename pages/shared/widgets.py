"""The kinds of controls: what each accepts in a link, and the widget that it draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from pages.shared.show import plain


class Range(NamedTuple):
    """A number between two bounds, which are allowed too; a whole number if the step is whole."""

    label: str
    low: float
    high: float
    step: float
    default: float
    help: str | None = None

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return f"a {'whole ' if isinstance(self.step, int) else ''}number from {self.low:g} to {self.high:g}"

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is allowed."""
        try:
            value = (int if isinstance(self.step, int) else float)(text)
        except ValueError:
            return False
        return self.low <= value <= self.high

    def draw(self, name: str) -> float:
        """Draw the slider, unless there is only one value to choose."""
        if self.low == self.high:
            return self.low
        return st.slider(
            self.label, self.low, self.high, self.default, self.step, key=name, help=self.help, bind="query-params"
        )


class Choices(NamedTuple):
    """One of several options, shown in a list or side by side."""

    label: str
    options: Sequence[str]
    default: str
    help: str | None = None
    side_by_side: bool = False

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        shown = [*self.options[:9], "…", self.options[-1]] if len(self.options) > 12 else self.options
        return "one of " + ", ".join(shown)

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is allowed."""
        return text in self.options

    def draw(self, name: str) -> str:
        """Draw the widget."""
        common: Any = {"key": name, "help": self.help, "bind": "query-params"}
        if self.side_by_side:
            return st.segmented_control(
                self.label, self.options, default=self.default, required=True, wrap=True, **common
            )
        return st.selectbox(self.label, self.options, list(self.options).index(self.default), **common)


class Switch(NamedTuple):
    """A switch that is on or off."""

    label: str
    default: bool = False
    help: str | None = None

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return "true or false"

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is allowed."""
        return text.lower() in ("true", "false")

    def draw(self, name: str) -> bool:
        """Draw the widget."""
        return st.toggle(self.label, self.default, key=name, help=self.help, bind="query-params")


class Number(NamedTuple):
    """A whole number to type in, between two bounds, which are allowed too."""

    label: str
    low: int
    high: int
    default: int
    help: str | None = None

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return f"a whole number from {self.low} to {self.high}"

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is allowed."""
        return text.isdecimal() and len(text) < 20 and self.low <= int(text) <= self.high

    def draw(self, name: str) -> int:
        """Draw the widget. Raises ValueError if it was emptied."""
        value = st.number_input(
            self.label, self.low, self.high, self.default, key=name, help=self.help, bind="query-params"
        )
        if value is None:
            raise ValueError(f"{self.label} is empty; it must be {self.allowed}")
        return value


class Text(NamedTuple):
    """A line of text; whoever uses it checks it."""

    label: str
    default: str
    help: str | None = None

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return "any text"

    def accepts(self, text: str) -> bool:
        """Any text is."""
        return True

    def draw(self, name: str) -> str:
        """Draw the widget."""
        return st.text_input(self.label, self.default, key=name, help=self.help, bind="query-params")


class Several(NamedTuple):
    """Any of several options; a link names each one."""

    label: str
    options: Sequence[str]
    help: str | None = None
    most: int = 3
    default: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return f"up to {self.most} of " + ", ".join(self.options)

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is allowed."""
        return text in ("", *self.options)

    def draw(self, name: str) -> list[str]:
        """Draw the widget, and say so if more are chosen than are used.

        Pills rather than a list, whose white text on the primary colour is illegible in the dark.
        """
        common: Any = {"key": name, "help": self.help, "bind": "query-params", "wrap": True}
        chosen = st.pills(self.label, self.options, selection_mode="multi", default=list(self.default), **common)
        if len(chosen) > self.most:
            st.caption(f"Only the first {self.most} are used.")
        return chosen[: self.most]


class Guess(NamedTuple):
    """One of several options, none of them until somebody chooses."""

    label: str
    options: Sequence[str]
    help: str | None = None

    default: None = None

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return "one of " + ", ".join(self.options)

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is allowed."""
        return text in self.options

    def draw(self, name: str) -> str | None:
        """Draw the widget."""
        return st.radio(self.label, self.options, None, key=name, help=self.help, bind="query-params")


class Files(NamedTuple):
    """One of the files that are kept, or none of them: links call it by its key, the list as people do.

    Streamlit would put into the address what the list shows, so the address is written here.
    """

    label: str
    options: Mapping[str, str]  # what the list shows, by what links hold
    default: str
    help: str | None = None

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return "that of a file which is kept here"

    def accepts(self, text: str) -> bool:
        """Whether a value in a link is allowed."""
        return text in self.options

    def draw(self, name: str) -> str:
        """Draw the widget."""
        shown, asked = f"{name} shown", st.query_params.get(name, self.default)
        now = asked if asked in self.options else self.default
        st.session_state[shown] = now
        st.selectbox(
            self.label, list(self.options), key=shown, format_func=self.options.__getitem__, help=self.help,
            on_change=lambda: choose(name, st.session_state[shown]),
        )  # fmt: skip
        if now != self.default:
            st.caption(plain(self.options[now]))  # the list cuts what is longer than it is wide
        return now


def choose(name: str, key: str) -> None:
    """Write into the address which of the files is chosen."""
    st.query_params[name] = key


Control = Range | Choices | Switch | Number | Text | Several | Guess | Files
