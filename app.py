"""The frame of the studio: page settings, logo and navigation. ``streamlit run app.py`` starts it."""

from pathlib import Path

import streamlit as st

from pages._shared.frame import framed
from pages._shared.widgets import shown_errors

ASSETS = Path(__file__).parent / "assets"

st.set_page_config(page_title="facessl", page_icon=str(ASSETS / "icon.svg"), layout="wide")
st.logo(str(ASSETS / "logo.svg"), size="large")

pages = [
    st.Page("pages/home.py", title="Home", icon=":material/home:", default=True),
    st.Page("pages/data.py", title="Data", icon=":material/photo_library:"),
    st.Page("pages/views.py", title="Views", icon=":material/filter_b_and_w:"),
    st.Page("pages/pretrain.py", title="Pre-train", icon=":material/school:"),
    st.Page("pages/embeddings.py", title="Embeddings", icon=":material/scatter_plot:"),
    st.Page("pages/finetune.py", title="Fine-tune", icon=":material/tune:"),
    st.Page("pages/identify.py", title="Identify", icon=":material/person_search:"),
    st.Page("pages/compare.py", title="Compare", icon=":material/leaderboard:"),
]
page = st.navigation(pages, position="top")
framed(pages)
with shown_errors():  # what a part of a page refused and nothing there has shown
    page.run()
