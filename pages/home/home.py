"""What this is, and where to begin."""

from __future__ import annotations

import streamlit as st

st.page_link("pages/explore/study.py", label="See an answer", icon=":material/science:")
