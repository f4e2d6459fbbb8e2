"""Every page is entered through ``app.py``, also by a link that is the first thing a fresh server is asked for.

Until ``st.navigation`` has been called once in a server's life, Streamlit runs what lies in ``pages/`` by itself:
such a page would come without the frame, and so would every other until somebody opens Home.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

_FRAMED, _WANTED = "framed", "wanted_page"  # session keys; of no widget


def framed(pages: "Sequence[Page]") -> None:
    """Say that the frame has run, and go on to the page that a link asked for before it had. For ``app.py`` only."""
    st.session_state[_FRAMED] = True
    path, query = st.session_state.pop(_WANTED, ("", {}))
    for page in pages:
        if path and page.url_path == path:
            st.switch_page(page, query_params=query)


def through_the_frame() -> None:
    """Where the frame has not run yet, run it first; each page calls this before it shows anything."""
    if _FRAMED not in st.session_state:
        path = (st.context.url or "").rstrip("/").rsplit("/", 1)[-1]
        # A link may name several runs: to_dict() would keep the last of them.
        st.session_state[_WANTED] = (path, {name: st.query_params.get_all(name) for name in st.query_params})
        st.switch_page("app.py")
