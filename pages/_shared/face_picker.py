"""A grid of faces in which one can be clicked, which ``st.image`` cannot do."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from pages._shared.widgets import PAGE_SIZE, jpeg_uri

_CSS = """
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(5.6rem, 1fr)); gap: 0.5rem; }
button { all: unset; cursor: pointer; border-radius: 0.5rem; text-align: center; min-width: 0; }
button:focus-visible { outline: 3px solid var(--st-primary-color); }
img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 0.5rem; display: block;
      outline: 3px solid transparent; outline-offset: -3px; }
button:hover img { outline-color: color-mix(in srgb, var(--st-primary-color) 60%, transparent); }
button[aria-pressed="true"] img { outline-color: var(--st-primary-color); }
span { display: block; font: 0.82rem/1.35 var(--st-font); color: var(--st-text-color); opacity: 0.85;
       overflow: hidden; text-overflow: ellipsis; white-space: pre; padding: 0.15rem 0.1rem 0; }
"""

# Names of people go in as text, never as HTML: a folder may be called anything.
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const grid = parentElement.querySelector(".grid");
  grid.replaceChildren(...data.faces.map((face) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = face.caption;  // whole, where the line below is cut off
    button.setAttribute("aria-pressed", String(face.id === data.chosen));
    button.onclick = () => setTriggerValue("picked", face.id);
    const image = document.createElement("img");
    image.src = face.picture;
    image.alt = face.caption || "face " + face.id;
    const words = document.createElement("span");
    words.textContent = face.caption;
    button.append(image, words);
    return button;
  }));
}
"""

_grid = st.components.v2.component("facessl.face_picker", html='<div class="grid"></div>', css=_CSS, js=_JS)


def face_picker(
    faces: Sequence[np.ndarray],
    ids: Sequence[int],
    captions: Sequence[str],
    *,
    key: str,
    chosen: int | None = None,
) -> int | None:
    """Show at most a page of faces (S, S, 3) uint8 and return the id of the one clicked just now, or None.

    ``chosen`` is framed.
    """
    shown = [
        {"id": int(face_id), "caption": caption, "picture": jpeg_uri(face)}
        for face, face_id, caption in list(zip(faces, ids, captions, strict=True))[:PAGE_SIZE]
    ]
    data = {"faces": shown, "chosen": chosen}
    picked = _grid(data=data, key=key, on_picked_change=lambda: None).get("picked")
    return None if picked is None else int(picked)
