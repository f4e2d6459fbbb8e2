"""The one Studio behind all pages and all sessions."""

import streamlit as st

from facessl.config import default_workspace
from facessl.studio import Studio


@st.cache_resource(show_spinner=False, max_entries=4)
def _studio_of(workspace: str) -> Studio:
    made = Studio(default_workspace())
    # The first page goes out at once; torch and OpenCV are loaded while somebody reads it.
    made.warm_up()
    made.watch()  # a run that died while nobody looked comes back
    return made


def studio() -> Studio:
    """Return the studio of the workspace in use."""
    return _studio_of(str(default_workspace()))
