"""Where the studies of this computer stand: open, follow, rename, delete, download and upload them."""

from __future__ import annotations

import streamlit as st

from pages.shared import own_actions, own_studies, show
from pages.shared.controls import checked
from pages.shared.widgets import Choices

own_actions.tell()
found = own_studies.rows()
if found:
    own_studies.show_table(found)
    st.caption(own_studies.MEANS)
    own_actions.manage(found[checked("mine", Choices("Manage", list(found), next(iter(found))))])
else:
    st.info("No study has been computed here, and none is shipped with this installation.")
st.header("Add a result from a file")
own_actions.bring()
st.header("The cache folder")
st.markdown(own_studies.kept_in_words())
st.button(
    "Clean up",
    key="clean up",
    on_click=own_actions.attempt,
    args=(own_actions.clean_up,),
    icon=":material/mop:",
    help="Removes damaged entries, and what processes that were killed have left. No result is lost.",
)
st.header("Presets not computed here yet")
show.grid(
    own_studies.not_computed(found),
    {"try": st.column_config.LinkColumn(display_text="as a template", help="Opens the form.")},
)
