"""The form that starts a preparation: where the photos are, and what shall become of them."""

import re
import unicodedata
from pathlib import Path
from typing import Any

import streamlit as st

from facessl import preparation, registry
from facessl.config import PrepareRecipe
from facessl.errors import FaceSSLError
from facessl.sources import allowed
from pages._shared.backend import studio
from pages._shared.forms import plugin_options, plugin_select, recipe_form
from pages._shared.widgets import shown_errors

MAIN = ("min_photos", "size", "align")
# Sources that take photos from somewhere; the others make or fetch their own.
WITH_PATH = ("folder",)
MAY_HAVE_PATH = ("lfw", "olivetti", "kaggle")  # they fetch their photos, or take them from a file that is there already
UPLOAD, SERVER = "Upload a zip", "A folder or zip on this machine"


def prepare_form() -> str | None:
    """Draw the form for a set of its own or a new version of one; return the id of the run it has just started."""
    sets = [dataset.name for dataset in studio().datasets()]
    st.subheader("A new set", anchor=False)
    grid = st.grid(2, min_column_width=260)
    with grid.cell():
        source = plugin_select("sources", "Where the photos come from", key="prepare-source", default="synthetic")
    with grid.cell():
        parent: str = st.selectbox(
            "Added to", ["", *sets], key="prepare-parent", format_func=lambda name: name or "Nothing: a set of its own",
            help="Photos can be added to a set: a new version of it is made, and what learnt from the old keeps it.",
        )  # fmt: skip
    upload, path = _where() if source in WITH_PATH else (None, "")
    if source in MAY_HAVE_PATH:
        path = st.text_input(
            "Its archive or folder on this machine, if it is here already", key=f"prepare-path-{source}",
            placeholder="Left empty, it is downloaded.",
        ).strip()  # fmt: skip
    if parent:
        suggested = studio().free_name(parent.split("@", maxsplit=1)[0])
    else:
        suggested = preparation.fresh_name(_suggested_name(source, upload, path), studio().workspace)
    with st.form("prepare"):
        plugin = registry.load("sources", source)
        settings: dict[str, Any] = {"name": suggested, "parent": parent}
        if parent:
            st.markdown(
                f"**{parent}** stays as it is; a new version, **{suggested}**, is made of its photos and these, with "
                "its settings. Its photos keep their splits, and corrections come along."
            )
        else:
            # Another upload brings another name; what else was typed stays.
            named = st.text_input("Name of the set", suggested, key=f"prepare-name-{suggested}", max_chars=60)
            settings["name"] = named.strip()
        if plugin.Options.model_fields:
            st.markdown(f"**{plugin.TITLE}**")
            settings["options"] = plugin_options("sources", source, key="prepare-options")
        if not parent:
            st.markdown("**The set made from them**")
            settings |= recipe_form(PrepareRecipe, key="prepare", main=MAIN, hide=("source", "path", "name", "parent"))
        pressed = st.form_submit_button("Prepare the set", type="primary", icon=":material/play_arrow:")
        # Inside the form, so that a refusal stands by the button.
        return _start({**settings, "source": source}, upload, path) if pressed else None


def _start(settings: dict[str, Any], upload: Any, path: str) -> str | None:
    """Start the preparation and return its run's id; None where it is refused, which is said."""
    with shown_errors(PrepareRecipe):
        kept = studio().keep_upload(upload.name, upload.getvalue()) if upload is not None else None
        try:
            place = kept or (allowed(path) if path else path)
            return studio().start("prepare", {**settings, "path": str(place)}).id
        except FaceSSLError:
            if kept is not None:
                studio().forget_upload(kept)  # nobody can use what was refused
            raise
    return None


def _where() -> tuple[Any, str]:
    """Ask for an upload or for a path; both empty until somebody answers."""
    how = st.segmented_control("How", [UPLOAD, SERVER], default=UPLOAD, required=True, key="prepare-how")
    st.caption("One folder a person, named after the person, with that person's photos in it.")
    if how == UPLOAD:
        return st.file_uploader("Zip with the photos", type=["zip", "tar", "tgz"], key="prepare-upload"), ""
    return None, st.text_input("Path of the folder or zip", key="prepare-path", persist_state="session").strip()


def _suggested_name(source: str, upload: Any, path: str) -> str:
    """Return what to call the set: after the file or folder it comes from."""
    if source not in WITH_PATH:
        return {"synthetic": "demo"}.get(source, source)
    stem = Path(upload.name if upload is not None else path).stem.lower()
    letters = "".join(c if unicodedata.category(c)[0] in "LMN" else "-" for c in stem)
    return re.sub("-+", "-", letters).strip("-")[:50] or "photos"
