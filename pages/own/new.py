"""Which study shall be computed: a preset as a template, and what is to differ from it."""

from __future__ import annotations

import streamlit as st

from landscape.study.writing.toml_text import toml_text
from pages.shared import compute, form, form_controls, own_study, own_uploads, show

held = form.held()
form_controls.essentials(held)
st.markdown(own_uploads.COMMAND_LINE)
form_controls.candidates(held)
study, faults = own_study.checked(held)
faults = faults or own_study.obstacles(study)
for fault in faults:
    st.error(show.plain(fault), icon=":material/error:")
if study and not faults:
    st.markdown(compute.growth(study))
    st.markdown(compute.price(study))
    own_study.start_button(study)
form_controls.tables(held)
with st.expander("This study as TOML", key="form-toml"):
    st.markdown("`python -m landscape run FILE.toml` computes it; `landscape.from_toml` reads it in a notebook.")
    if study:
        st.code(toml_text(study), "toml")
    own_study.paste(held)
