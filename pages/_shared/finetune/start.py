"""Starting a fine-tuning: what matters first, the rest in groups by plain words."""

from typing import Any

import streamlit as st
from pydantic import ValidationError

from facessl import registry
from facessl.config import FinetuneRecipe, device_defaults
from facessl.dataset import FaceDataset
from facessl.viewing import ViewRecipe
from pages._shared.backend import studio
from pages._shared.forms import checked, plugin_options, plugin_select, recipe_form
from pages._shared.pretrain.before import EVERY, before_it, computes_on
from pages._shared.widgets import choose, open_tab, run_name, shown_errors
from pages._shared.words import count, plain

SHARES = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
MODES = {"finetune": "Fine-tune", "frozen": "Frozen"}
_MODE_WORDS = {
    "finetune": "The whole network is trained on the names.",
    "frozen": "The network stays as it is; only one linear layer on top learns the names.",
}
INIT = "finetune-init"  # of the select of what a network starts from
_STARTS = {"scratch": "Nothing", "imagenet": "ImageNet weights"}

MATTERS = ("epochs", "learning_rate", "batch_size", "image_size")
# Asked for above the groups, or by something that is no form.
BY_HAND = ("dataset", "init", "mode", "backbone", "backbone_options", "label_fraction", "views")
PARTS, NAMES, STOP, OPTIMISER, VIEWS, MACHINE, REST = (
    "How much of the network moves", "Unequal people and doubtful names", "When to stop", "Optimiser and rate",
    "Views", "Device, precision and processes", "Faces, figures and seed",
)  # fmt: skip
GROUPS: dict[str, tuple[str, ...]] = {
    PARTS: ("head", "refit", "layer_decay", "freeze_stages"),
    NAMES: ("class_weights", "label_smoothing"),
    STOP: ("patience",),
    OPTIMISER: ("optimizer", "weight_decay", "schedule", "warm_up", "clip_norm", "accumulate"),
    VIEWS: (),
    MACHINE: ("device", "precision", "processes", "threads", "compile"),
    REST: (),  # and whatever stands in no other group
}
_SAYS = {
    PARTS: "Early stages see edges and skin, which hold for any face; late ones see what they were taught. "
    "So the early ones may learn more slowly, or stay as they are.",
    NAMES: "A person with few photos counts for little unless each person weighs alike; and a network that may not be "
    "wholly certain forgives a name that is wrong.",
    STOP: "It can end when validation photos have not gone better for a while; the best epoch's weights are kept.",
    VIEWS: "The Views page shows what these do to a face.",
}
_WHOLE_ONLY = (PARTS, VIEWS)  # groups that say nothing to a linear layer on frozen embeddings


def start_run(dataset: FaceDataset, watch: tuple[str, str]) -> None:
    """Draw the form; ``watch`` is the key of the page's tabs and the one in which a started run is shown."""
    settings = where_from(dataset)
    settings |= the_rest(settings)
    named = len(dataset.rows("train"))
    st.caption(
        f"{plain(dataset.name)} names {count(len(dataset.people), 'person', 'people')} on "
        f"{count(named, 'train photo')}. Test photos are looked at once, at the end."
    )
    recipe = checked(FinetuneRecipe, settings)
    if recipe:
        st.fragment(where_it_goes, run_every=EVERY)(recipe)
    pressed = st.button(
        "Start", type="primary", icon=":material/play_arrow:", key="finetune-start", disabled=recipe is None
    )
    if pressed and recipe:
        with shown_errors():
            run = studio().start("finetune", settings)
            choose("run", run.id, key="finetune-run")
            open_tab(*watch)
            st.rerun()


def where_it_goes(recipe: FinetuneRecipe) -> None:
    """Say on which device a run would compute, and who is before it; a fragment with a timer."""
    st.markdown(f":material/memory: {computes_on(recipe, studio().device())} {before_it(recipe)}")


def where_from(dataset: FaceDataset) -> dict[str, Any]:
    """Let a person choose what the network starts from, what of it learns, and from how many of the names."""
    trained = {run.id: run for run in studio().models() if run.kind == "pretrain"}
    first, second = st.columns([3, 2], vertical_alignment="top", gap="medium")
    with first:
        init: str = st.selectbox(
            "Start from", [*trained, *_STARTS], key=INIT, persist_state="session",
            format_func=lambda name: run_name(trained[name]) if name in trained else _STARTS[name],
        )  # fmt: skip
        backbone: dict[str, Any] = {}
        if init not in trained:
            backbone["backbone"] = plugin_select("backbones", "Network", key="finetune-backbone", default="resnet18")
        if not trained:
            st.caption("No network was pre-trained yet, so this one starts without what faces alone could teach it.")
            st.page_link("pages/pretrain.py", label="Open Pre-train", icon=":material/arrow_forward:")
    with second:
        mode: str = st.segmented_control(
            "What learns", list(MODES), default="finetune", format_func=MODES.__getitem__, required=True,
            key="finetune-mode", persist_state="session",
        )  # fmt: skip
        st.caption(_MODE_WORDS[mode])
        share: float = st.select_slider(
            "Share of the labels", SHARES, value=1.0, key="finetune-share", persist_state="session",
            format_func=lambda part: f"{part * 100:g} %", help="Of each person's train labels; at least one is used.",
        )  # fmt: skip
    if init in trained:
        parent = trained[init].config["recipe"]
        backbone = {name: parent[name] for name in ("backbone", "backbone_options", "image_size")}
    return {"dataset": dataset.name, "init": init, "mode": mode, "label_fraction": share, **backbone}


def the_rest(settings: dict[str, Any]) -> dict[str, Any]:
    """Draw what matters, and the rest folded away by groups; ``settings`` are those chosen above."""
    mode: str = settings["mode"]
    device = studio().device()
    # A linear layer learns with other steps than a whole network, and on faces as they are.
    defaults = FinetuneRecipe(mode=mode).model_dump(exclude={"views"})
    if mode == "finetune" and device:
        defaults |= device_defaults("finetune", device.kind)
    key = f"finetune-{mode}"
    # What the network was pre-trained at is what it knows how to read.
    matters = [name for name in MATTERS if name not in settings]
    values = recipe_form(FinetuneRecipe, key=key, defaults=defaults, show=matters)
    options = settings.get("backbone_options")
    if options is None:
        with st.expander("Network"):
            options = plugin_options("backbones", settings["backbone"], key="finetune-backbone-options")
    values["backbone_options"] = options
    for title, names in groups().items():
        if mode == "frozen" and title in _WHOLE_ONLY:
            continue
        with st.expander(title):
            if title in _SAYS:
                st.caption(_SAYS[title] + (f" {stages_of({**settings, **values})}" if title == PARTS else ""))
            values |= recipe_form(FinetuneRecipe, key=key, defaults=defaults, show=names)
            if title == VIEWS:
                start = FinetuneRecipe().views.model_dump()
                values["views"] = recipe_form(ViewRecipe, key="finetune-views", defaults=start)
    return values


def stages_of(settings: dict[str, Any]) -> str:
    """Return in a sentence how many stages a network has; "" while its options are none that it could have."""
    plugin, imagenet = registry.load("backbones", settings["backbone"]), settings["init"] == "imagenet"
    try:
        options = registry.backbone_options(
            settings["backbone"], settings["backbone_options"], settings["image_size"], imagenet=imagenet
        )
        stages = len(plugin.stages(plugin.Options(**options)))
    except ValidationError:
        return ""
    return f"{plugin.TITLE} has {count(stages, 'stage')} here, its first layers counting as one."


def groups() -> dict[str, tuple[str, ...]]:
    """Return which settings each group shows; a setting that nobody put anywhere is in the last."""
    there = FinetuneRecipe.model_fields
    placed = {*BY_HAND, *MATTERS, *(name for names in GROUPS.values() for name in names)}
    rest = tuple(name for name in there if name not in placed)
    found = {title: tuple(n for n in names if n in there) for title, names in GROUPS.items()} | {REST: rest}
    return {title: names for title, names in found.items() if names or title == VIEWS}
