"""Starting a pre-training: what matters first, the rest in groups; then where it would go, and what it would take."""

import zlib
from collections.abc import Sequence
from typing import Any

import streamlit as st
from pydantic import BaseModel

from facessl import config, methods, registry
from facessl.config import PretrainRecipe, device_defaults
from facessl.viewing import ViewRecipe
from pages._shared.backend import studio
from pages._shared.forms import checked, field_widget, plugin_options, plugin_select, recipe_form
from pages._shared.pretrain.before import EVERY, estimate_waits, refused, where_it_goes
from pages._shared.pretrain.estimate import show_estimate
from pages._shared.widgets import choose, empty_state, open_tab, pick_dataset, shown_errors
from pages._shared.words import plain, preset_name

CARRIED = "carried_views"  # view settings from the Views page
FROM_VIEWS = "from the Views page"
BY_HAND = ("dataset", "method", "backbone", "options", "backbone_options", "views")
MATTERS = ("image_size", "epochs", "batch_size")
MATTERS_OF_METHOD = ("temperature", "clusters", "hidden_share", "gap", "expander_dim")
GROUPS = {
    "Optimiser and rate": (
        "optimizer", "learning_rate", "weight_decay", "schedule", "warm_up", "clip_norm", "accumulate",
    ),
    "Views": (),
    "Network and method": ("init",),
    "Device, precision and processes": ("device", "precision", "processes", "threads", "compile"),
    "Faces, figures and seed": (),  # and whatever stands in no other group
}  # fmt: skip
OPTIMISER, VIEWS, NETWORK, REST = "Optimiser and rate", "Views", "Network and method", "Faces, figures and seed"


def start_run(watch: tuple[str, str]) -> None:
    """Draw the form; ``watch`` is the key of the page's tabs and the one in which a started run is shown."""
    grid = st.grid(4, min_column_width=220, vertical_alignment="bottom")
    with grid.cell():
        dataset = pick_dataset("Set to learn from", key="pretrain-dataset")
    if dataset is None:
        empty_state("There is no prepared set any more.", page="pages/data.py", link="Prepare a set")
        return
    with grid.cell():
        method = plugin_select("methods", "Method", key="pretrain-method", default="simclr", hide=from_names())
    with grid.cell():
        backbone = plugin_select("backbones", "Backbone", key="pretrain-backbone", default="resnet18")
    with grid.cell():
        preset, views = pick_views()
    st.caption(what_it_asks(method))
    settings = settings_of(dataset.name, method, backbone, preset, views)
    recipe = checked(PretrainRecipe, settings)
    refusal = refused(recipe) if recipe else ""
    cannot = recipe is None or bool(refusal)
    if recipe:
        st.fragment(where_it_goes, run_every=EVERY)(recipe, refusal)
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button("Start pre-training", type="primary", icon=":material/play_arrow:", key="pretrain-start",
                            disabled=cannot)  # fmt: skip
        estimated = st.button("Estimate", icon=":material/timer:", key="pretrain-estimate", disabled=cannot,
                              help="A few steps of it say what an epoch takes, and how much memory.")  # fmt: skip
        each = st.button("Estimate each setting", key="pretrain-each", disabled=cannot,
                         help="Beside it the next smaller and larger image and batch, the other backbones, methods and "
                              "presets of views: what each does to time and memory.")  # fmt: skip
        if recipe:
            st.fragment(estimate_waits, run_every=EVERY)(recipe)
    if recipe is None:  # also where the click came with the number that is refused
        return
    if pressed:
        with shown_errors():
            run = studio().start("pretrain", settings)
            choose("run", run.id, key="pretrain-run")
            open_tab(*watch)
            st.rerun()
    if estimated:
        with shown_errors():
            studio().estimate(settings)
    if each:
        with shown_errors():
            studio().estimate_each(settings)
    show_estimate(recipe)


def from_names() -> list[str]:
    """Return the methods that learn from names, which is not pre-training; commands have them, as yardsticks."""
    return [name for name in registry.names("methods") if methods.needs_names(name)]


def what_it_asks(method: str) -> str:
    """Return a method's task in its own first sentence, and where it comes from."""
    plugin = registry.load("methods", method)
    return f"{plain((plugin.__doc__ or '').partition(chr(10))[0])} *{plain(plugin.REFERENCE)}*"


def settings_of(dataset: str, method: str, backbone: str, preset: str, views: dict[str, Any]) -> dict[str, Any]:
    """Draw what matters, and the rest folded away by groups; return all settings."""
    device = studio().device()
    defaults = device_defaults("pretrain", device.kind if device else "cpu")
    # A GPU brings other defaults: other keys, so that they are taken.
    key = f"pretrain-{'cuda' if defaults else 'cpu'}"
    of_method = registry.load("methods", method).Options
    first = [name for name in MATTERS_OF_METHOD if name in of_method.model_fields]
    grid = st.grid(4, min_column_width=220, vertical_alignment="bottom")
    values = _in(grid, PretrainRecipe, MATTERS, f"{key}", defaults)
    options = _in(grid, of_method, first, f"{key}-{method}", {})
    choices = {"also": [d.name for d in studio().datasets() if d.name != dataset], "init": starting_points()}
    for title, names in groups().items():
        with st.expander(title):
            values |= recipe_form(PretrainRecipe, key=key, defaults=defaults, show=names, choices=choices)
            if title == OPTIMISER and values["optimizer"] == "lars" and values["batch_size"] > 0:
                rate = config.lars_rate(values["batch_size"])
                st.caption(f"SimCLR's rate for LARS at batches of {values['batch_size']} is 0.075 × √N = {rate:.2g}.")
            if title == VIEWS:
                st.caption("The Views page shows what these do to a face.")
                values["views"] = recipe_form(ViewRecipe, key=f"pretrain-views-{preset}", defaults=views)
            if title == NETWORK:
                options |= recipe_form(of_method, key=f"{key}-{method}", hide=first)
                values["backbone_options"] = plugin_options("backbones", backbone, key="pretrain-backbone-options")
    return {**values, "options": options, "dataset": dataset, "method": method, "backbone": backbone}


def groups() -> dict[str, tuple[str, ...]]:
    """Return which settings each group shows; a setting that nobody put anywhere is in the last."""
    placed = {*BY_HAND, *MATTERS, *(name for names in GROUPS.values() for name in names)}
    rest = tuple(name for name in PretrainRecipe.model_fields if name not in placed)
    return {title: rest if title == REST else names for title, names in GROUPS.items()}


def _in(grid: Any, model: type[BaseModel], names: Sequence[str], key: str, defaults: dict[str, Any]) -> dict[str, Any]:
    values = {}
    for name in names:
        field = model.model_fields[name]
        with grid.cell():
            values[name] = field_widget(name, field, defaults.get(name, field.default), key=f"{key}-{name}")
    return values


def pick_views() -> tuple[str, dict[str, Any]]:
    """Choose the views by preset, or those carried over; return a name for the choice and its settings."""
    carried = st.session_state.get(CARRIED)
    names = [*([FROM_VIEWS] if carried is not None else []), *studio().presets()]
    key = f"pretrain-preset-{carried is not None}"
    if st.session_state.get(key, names[0]) not in names:
        del st.session_state[key]  # somebody deleted it
    name = st.selectbox("Views", names, key=key, format_func=_preset_name, persist_state="session")
    values = ViewRecipe().model_dump()
    if name == FROM_VIEWS and carried is not None:
        values = carried
    else:
        with shown_errors():
            values = studio().preset(name).model_dump()
    # Another preset, or one that was saved anew, is another set of widgets: so it is taken.
    return f"{name}-{zlib.crc32(str(values).encode()):x}", values


def _preset_name(name: str) -> str:
    from facessl.presets import BUILT_IN

    return "From the Views page" if name == FROM_VIEWS else preset_name(name, BUILT_IN)


def starting_points() -> list[str]:
    """Return what a network may start from: nothing, ImageNet's weights, or a trained run."""
    return ["scratch", "imagenet", *(run.id for run in studio().models())]
