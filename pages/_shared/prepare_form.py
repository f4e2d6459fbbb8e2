"""The form that starts a preparation: where the photos are, and what shall become of them."""

from pathlib import Path
from typing import Any

import streamlit as st

from facessl import registry
from facessl.config import PrepareRecipe
from pages._shared.backend import studio
from pages._shared.forms import plugin_options, plugin_select, recipe_form
from pages._shared.widgets import shown_errors

MAIN = ("min_photos", "size", "align")
# Sources that take photos from somewhere; the others make or fetch their own.
WITH_PATH = ("folder",)
UPLOAD, SERVER = "Upload a zip", "A folder or zip on this machine"


def prepare_form() -> str | None:
    """Draw the form; return the id of the run it has just started."""
    st.subheader("A new set", anchor=False)
    source = plugin_select("sources", "Where the photos come from", key="prepare-source", default="synthetic")
    upload, path = _where() if source in WITH_PATH else (None, "")
    suggested = studio().free_name(_suggested_name(source, upload, path))
    with st.form("prepare"):
        # Another upload brings another name; what else was typed stays.
        name = st.text_input("Name of the set", suggested, key=f"prepare-name-{suggested}", max_chars=60)
        plugin = registry.load("sources", source)
        settings: dict[str, Any] = {}
        if plugin.Options.model_fields:
            st.markdown(f"**{plugin.TITLE}**")
            settings["options"] = plugin_options("sources", source, key="prepare-options")
            st.markdown("**The set made from them**")
        own = recipe_form(PrepareRecipe, key="prepare", main=MAIN, hide=("source", "path", "name"))
        pressed = st.form_submit_button("Prepare the set", type="primary", icon=":material/play_arrow:")
    if not pressed:
        return None
    with shown_errors():
        if upload is not None:
            path = str(studio().keep_upload(upload.name, upload.getvalue()))
        run = studio().start("prepare", {**settings, **own, "name": name.strip(), "source": source, "path": path})
        return run.id
    return None


def _where() -> tuple[Any, str]:
    """Ask for an upload or for a path; both empty until somebody answers."""
    how = st.segmented_control("How", [UPLOAD, SERVER], default=UPLOAD, required=True, key="prepare-how")
    st.caption("One folder a person, named after the person, with that person's photos in it.")
    if how == UPLOAD:
        return st.file_uploader("Zip with the photos", type="zip", key="prepare-upload"), ""
    return None, st.text_input("Path of the folder or zip", key="prepare-path", persist_state="session").strip()


def _suggested_name(source: str, upload: Any, path: str) -> str:
    """Return what to call the set: after the file or folder it comes from."""
    if source not in WITH_PATH:
        return {"synthetic": "demo"}.get(source, source)
    stem = Path(upload.name if upload is not None else path).stem.lower()
    plain = "".join(c if c.isalnum() else "-" for c in stem).strip("-")
    return plain[:50] or "photos"
