"""Small things that every page needs: errors as sentences, empty states, choosing a set or a run, grids of faces."""

import base64
import contextlib
import html
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from pydantic import BaseModel

from facessl.dataset import FaceDataset
from facessl.errors import FaceSSLError
from facessl.images import encode_jpeg
from facessl.run import Run
from pages._shared.backend import studio
from pages._shared.frame import through_the_frame
from pages._shared.results import Verdict
from pages._shared.words import STATES, in_labels, plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator
    from streamlit.elements.lib.mutable_tab_container import TabContainer

PAGE_SIZE = 48  # pictures on one page of a grid


@contextlib.contextmanager
def shown_errors(form: type[BaseModel] | None = None) -> Iterator[None]:
    """Show what facessl refuses as its one sentence; anything else is a fault and stays one.

    ``form`` is the recipe whose form was filled in: the sentence then calls its settings as the form does.
    """
    try:
        yield
    except FaceSSLError as error:
        said = in_labels(str(error), form) if form else plain(str(error))  # it may quote a path or a name
        st.error(said, icon=":material/error:")


def page_title(title: str, explained: str) -> None:
    """Head of a page, the first thing each calls: its name and one sentence that says what it is for."""
    through_the_frame()
    st.title(title, anchor=False)
    if explained:
        st.markdown(explained, width=880)


def page_tabs(labels: Sequence[str], *, key: str, first: str) -> "Sequence[TabContainer]":
    """Draw the tabs of a page; ``first`` is open at first, and only what is open (``if tab.open``) has to be filled."""
    wanted = st.session_state.pop(f"{key}-next", None)
    if wanted is not None or key not in st.session_state:
        st.session_state[key] = wanted or first
    return st.tabs(labels, key=key, on_change="rerun")


def open_tab(key: str, label: str) -> None:
    """Have another tab open at the next run; the tabs that are drawn cannot be moved any more."""
    st.session_state[f"{key}-next"] = label


def empty_state(text: str, *, page: str, link: str, icon: str = ":material/arrow_forward:") -> None:
    """Say what is missing and lead to the page (``pages/data.py``) where it is made."""
    with st.container(border=True, gap="small"):
        st.markdown(text)
        st.page_link(page, label=link, icon=icon)


def state_badge(state: str) -> None:
    """Show a run's state as a small coloured word."""
    # A worker of another version may be in a state that this app has no word for.
    word, color, icon = STATES.get(state, (state.capitalize(), "gray", ":material/circle:"))
    st.badge(word, color=color, icon=icon)


def sideways(key: str, least: int) -> "DeltaGenerator":
    """Return a container for what needs ``least`` pixels across; on a narrower screen it is scrolled sideways."""
    st.html(f"<style>.st-key-{key} {{ overflow-x: auto; }} .st-key-{key} > * {{ min-width: {least}px; }}</style>")
    return st.container(key=key)


# -- what is chosen: in the link, and remembered from page to page -----------------------------------------------


def chosen(name: str) -> str | None:
    """Return what the link (``?dataset=…&run=…``) or the last page chose."""
    return st.query_params.get(name) or st.session_state.get(f"chosen_{name}")


def choose(name: str, value: str, *, key: str | None = None) -> None:
    """Choose a set or run for this and the following pages; ``key`` is the select that shall follow, if it is drawn."""
    st.session_state[f"chosen_{name}"] = value
    st.query_params[name] = value
    if key is not None:
        st.session_state.pop(key, None)


def _select(
    label: str, name: str, options: Sequence[str], key: str, shown: Callable[[str], str],
    at_first: Callable[[], str | None] = lambda: None,
) -> str:  # fmt: skip
    asked = st.query_params.get(name)
    # A link may name a run of another kind (a map's network); only what is nowhere is worth a word.
    if asked and asked not in options and not (name == "run" and any(run.id == asked for run in studio().runs())):
        st.warning(
            f"The link asks for {plain(asked)}, which is not here, or cannot be read any more; shown is another.",
            icon=":material/link_off:",
        )
    value = st.session_state.get(key)
    if value not in options:
        wanted = chosen(name) or at_first()
        value = wanted if wanted in options else options[0]
    # Said at each drawing: a browser that missed it once would show, and send, the first of the options.
    st.session_state[key] = value
    # A name and not a line of text: no wider than it needs to be.
    picked: str = st.selectbox(label, options, key=key, format_func=shown, width=560)
    choose(name, picked)
    return picked


def pick_dataset(label: str = "Set", *, key: str) -> FaceDataset | None:
    """Let one prepared set be chosen; None when there is none yet.

    ``key`` is the select's own, one a page. The choice is in the link and goes on to the other pages.
    """
    names = [d.name for d in studio().datasets()]
    if not names:
        return None
    return studio().dataset(_select(label, "dataset", names, key, str, _last_worked_on))


def _last_worked_on() -> str | None:
    """Return the set that the newest run is about."""
    newest = next(iter(studio().runs()), None)
    return newest and newest.config["recipe"].get("name" if newest.kind == "prepare" else "dataset")


def pick_run(runs: Sequence[Run], label: str = "Run", *, key: str) -> Run | None:
    """Let one of these runs be chosen; None when there are none."""
    by_id = {run.id: run for run in runs}
    if not by_id:
        return None
    return by_id[_select(label, "run", list(by_id), key, lambda run_id: run_name(by_id[run_id]))]


def run_name(run: Run) -> str:
    """Return a run's title with when it was made and the end of its id.

    Always the same for a run, and for no other: a select knows its options by what they are called.
    """
    config = run.config
    made = config["created"][5:16].replace("T", " ")
    return f"{config['title']} · {made} · {run.id[-4:]}"


# -- pictures ----------------------------------------------------------------------------------------------------


def face_grid(faces: Sequence[np.ndarray], captions: Sequence[str] | None = None, *, width: int = 96) -> None:
    """Show pictures (S, S, 3) uint8 in as many columns as fit; at most a page of them, more is too much for a browser.

    ``width`` is the least width of one in pixels. Captions are plain text, whatever a folder may be called.
    """
    shown = list(faces)[:PAGE_SIZE]
    texts = list(captions)[:PAGE_SIZE] if captions else [""] * len(shown)
    cells = "".join(_cell(face, html.escape(text)) for face, text in zip(shown, texts, strict=True))
    columns = f"repeat(auto-fill, minmax({width}px, 1fr))"
    st.html(f'<div style="display:grid; grid-template-columns:{columns}; gap:0.7rem 0.6rem">{cells}</div>')


def _cell(face: np.ndarray, text: str) -> str:
    image = f'<img src="{jpeg_uri(face)}" alt="{text}" style="width:100%; aspect-ratio:1; border-radius:0.5rem">'
    style = "font-size:0.85rem; opacity:0.8; line-height:1.3; padding-top:0.2rem; overflow-wrap:anywhere"
    words = f'<figcaption style="{style}">{text}</figcaption>'
    return f'<figure style="margin:0; text-align:center">{image}{words if text else ""}</figure>'


def jpeg_uri(picture: np.ndarray) -> str:
    """Return a picture (H, W, 3) uint8 as a ``data:`` address: a whole grid reaches the browser in one piece."""
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(np.asarray(picture), quality=88)).decode()


def paged(total: int, *, key: str, size: int = PAGE_SIZE) -> range:
    """Return which of ``total`` things this page of a grid shows, with a pager when there is more than one page.

    Draws the pager where it is called; the page falls back to the first when the total shrinks.
    """
    pages = max(1, -(-total // size))
    if pages == 1:
        return range(total)
    if st.session_state.get(key, 1) > pages:
        st.session_state[key] = 1
    page = st.pagination(pages, key=key)
    return range((page - 1) * size, min(total, page * size))


def verdict_box(found: Verdict, text: str) -> None:
    """Show who is ahead: green where the network is by more than chance, yellow where it is not ahead at all."""
    box = (st.success if found.settled else st.info) if found.leads else st.warning
    box(text, icon=":material/balance:")
