"""Every symbol and term of the pages: what it means, its unit, and where it comes from."""

from __future__ import annotations

import streamlit as st

from landscape.analysis.glossary import TERMS
from pages.shared import show
from pages.shared.lesson import LESSONS

numbers = {lesson.name: i for i, lesson in enumerate(LESSONS, 1)}
rows = [
    f"| {show.bold(each.symbol)}{'' if each.name == each.symbol else f', {each.name}'} ({each.unit}) "
    f"| {each.definition} *{each.source[0].upper()}{each.source[1:]};* "
    f"[lesson\u00a0{numbers[each.lesson]}]({each.lesson}) |"
    for each in TERMS
]
st.markdown("\n".join(["| term (unit) | meaning |", "| --- | --- |", *rows]))
