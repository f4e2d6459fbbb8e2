"""Where in a face the network looked: computed in the background, and kept by the studio."""

import html
from concurrent.futures import Future

import numpy as np
import streamlit as st
from PIL import Image

from facessl.errors import FaceSSLError
from facessl.run import Run
from facessl.studio import Studio
from pages._shared.backend import studio
from pages._shared.background import Background
from pages._shared.widgets import jpeg_uri
from pages._shared.words import plain

_PATIENCE = 1.0  # seconds: what a few small faces take is not worth a second drawing of the page
_SIDE = 160  # pixels a side of a picture, at most
# RGB where it did not look, where it looked half as much as most, and where most: from dark and cold to light and warm,
# so that it reads without colours as well.
_COLOURS = np.array([[20.0, 10, 70], [200, 50, 60], [255, 225, 70]])
_COLOUR = 0.55  # share of the colour: the face stays to be seen
HOW = (
    "Where it looked: Grad-CAM (Selvaraju et al. 2017), or HiResCAM (Draelos and Carin 2020) where the classifier "
    "reads what is at which place; on maps of a few places a side, so a warm spot is a region and not a pixel. It says "
    "what raised the answer, not whether that is a good reason."
)

NOWHERE = "no place speaks for this name, each speaks against it"

Asked = tuple[tuple[int, str], ...]  # (face, the person whom it may speak for)


def pair(pictures: list[tuple[np.ndarray, str]]) -> str:
    """Return pictures (S, S, 3) uint8 with what they are, beside each other, as HTML."""
    image = '<img src="{}" alt="{}" style="flex:1; min-width:0; max-width:{}px; border-radius:0.5rem; aspect-ratio:1">'
    cells = "".join(image.format(jpeg_uri(picture), html.escape(said), _SIDE) for picture, said in pictures)
    return f'<div style="display:flex; gap:0.4rem">{cells}</div>'


def overlaid(face: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return a face (S, S, 3) uint8 under the colours of where the network looked, (H, W) in 0-1."""
    size = (face.shape[1], face.shape[0])
    fitted = Image.fromarray(np.asarray(seen, np.float32)).resize(size, Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(fitted), 0, 1)
    stops = np.linspace(0, 1, len(_COLOURS))
    colour = np.stack([np.interp(share, stops, channel) for channel in _COLOURS.T], axis=-1)
    mixed = (1 - _COLOUR) * face + _COLOUR * colour
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


# -- the work ----------------------------------------------------------------------------------------------------


def where_it_looked(run: Run, asked: Asked) -> list[np.ndarray] | None:
    """Return where the network looked in each face, (H, W) in 0-1; None while it is computed, or where it cannot be."""
    card = run.path / "model.json"
    changed = card.stat().st_mtime_ns if card.exists() else 0
    future = _looking(str(studio().workspace), run.id, changed, asked)
    try:
        future.result(_PATIENCE)
        # The studio keeps them, so this is a look into memory.
        return [studio().looked(run.id, face, person) for face, person in asked]
    except TimeoutError:
        _waiting(future, key=f"{run.id}-{hash(asked)}")
    except FaceSSLError as error:
        st.caption(f"Where it looked cannot be computed: {plain(str(error))}")
    return None


@st.cache_resource(max_entries=16, show_spinner=False)
def _looking(workspace: str, run_id: str, changed: int, asked: Asked) -> "Future[None]":
    return _thread().submit(_look, studio(), run_id, asked)


@st.cache_resource(show_spinner=False)
def _thread() -> Background:
    return Background(1, "explain")


def _look(there: Studio, run_id: str, asked: Asked) -> None:
    for face, person in asked:
        there.looked(run_id, face, person)


def _waiting(future: "Future[None]", *, key: str) -> None:
    @st.fragment(run_every=1.0, key=f"finetune-looking-{key}")
    def watch() -> None:
        if future.done():
            st.rerun()
        st.caption(":material/hourglass_top: Where the network looked is being computed.")

    watch()
