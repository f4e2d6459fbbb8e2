"""What is chosen on the Compare page, kept in its address: opened by somebody else, a link shows the same."""

from collections.abc import Mapping

import streamlit as st


def one_of(label: str, options: Mapping[str, str], *, name: str, key: str) -> str:
    """Let one of a few be chosen, and return it; the link says which as ``name=word``.

    ``options`` are the words of the link and what people read; the first is chosen at first, and the link of it is
    the plain one. What a link asks for that is not there counts as not asked.
    """
    words = list(options)
    if key not in st.session_state:
        asked = st.query_params.get(name)
        st.session_state[key] = asked if asked in options else words[0]
    word: str = st.segmented_control(
        label, words, format_func=options.__getitem__, required=True, key=key, label_visibility="collapsed"
    )
    keep(name, word if word != words[0] else None)
    return word


def switch(label: str, *, name: str, key: str, at_first: bool = False) -> bool:
    """Draw a toggle, and return whether it is on; the link says so as ``name=on`` or ``name=off``."""
    if key not in st.session_state:
        st.session_state[key] = {"on": True, "off": False}.get(st.query_params.get(name, ""), at_first)
    on: bool = st.toggle(label, key=key)
    keep(name, ("on" if on else "off") if on != at_first else None)
    return on


def keep(name: str, word: str | None) -> None:
    """Write a choice into the link, or take it out."""
    if word is not None:
        st.query_params[name] = word
    else:
        st.query_params.pop(name, None)
