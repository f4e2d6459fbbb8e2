"""Numbers and states in words; plain text, no Streamlit."""

import math
import re
from collections.abc import Sequence

from pydantic import BaseModel

# What people read for a run's state, and the badge's colour and icon.
STATES = {
    "queued": ("Waiting", "gray", ":material/schedule:"),
    "running": ("Running", "blue", ":material/play_arrow:"),
    "stopping": ("Stopping", "orange", ":material/stop_circle:"),
    "stopped": ("Stopped", "orange", ":material/pause_circle:"),
    "finished": ("Finished", "green", ":material/check_circle:"),
    "failed": ("Failed", "red", ":material/error:"),
    "paused": ("Paused", "violet", ":material/pause:"),
    "interrupted": ("Interrupted", "orange", ":material/power_off:"),
}

# What k-NN on val is compared with, the strongest first.
PLAIN_KNN = {
    "knn_whitened_pixels": "PCA-whitened pixels",
    "knn_pixels": "Normalised pixels",
    "knn_raw_pixels": "Raw pixels",
    "knn_untrained": "Untrained network",
}

# Behind the name of a CSV's column that holds shares as they are: tables show them in per cent. In letters that every
# spreadsheet reads.
OF_ONE = " (0-1)"

# Labels that are not simply the field's name in plain letters.
LABELS = {
    "accumulate": "Parts of a batch",
    "align": "Turn the eyes level",
    "also": "Further sets, nameless",
    "aspect": "Stretch, at most",
    "blur": "Blur, how often",
    "blur_max": "Largest blur",
    "cast": "Colour cast, at most",
    "clip_norm": "Longest gradient",
    "crop_max": "Largest crop",
    "crop_min": "Smallest crop",
    "flip": "Mirrored, how often",
    "grey": "Grey, how often",
    "grid": "Places a side of an embedding",
    "head": "What the classifier reads",
    "refit": "Fit the classifier anew at the end",
    "hidden_dim": "Width of the head",
    "image_size": "Image side in pixels",
    "transfer_size": "EfficientNet's image side in pixels",
    "init": "Start from",
    "jitter": "Colour shift, how often",
    "knn_k": "k of the k-NN",
    "layer_decay": "Rate of each earlier stage, as a share",
    "label_fraction": "Share of the labels",
    "light": "Side light, how often",
    "light_max": "Side light, at most",
    "margin": "Border around the face",
    "middle": "Middle: share of the photo",
    "mirror": "Mean with the mirror image",
    "min_dist": "UMAP: least distance",
    "min_neighbors": "Haar: votes needed",
    "min_photos": "Least photos of a person",
    "neighbours": "UMAP: neighbours",
    "optimizer": "Optimiser",
    "pretrain_each": "Pre-train for every seed",
    "projection_dim": "Size of the projection",
    "scale_factor": "Haar: pyramid step",
    "seeds": "Number of seeds",
    "size": "Side in pixels",
    "split_seed": "Seed of the split",
    "threads": "CPU threads",
    "train_share": "Share for train",
    "unnamed": "Photos without a name",
    "val_share": "Share for val",
    "warm_up": "Warm-up, share of the steps",
    "weights": "File of YuNet",
    "whiten": "Directions of an embedding",
    "workers": "Processes",
}


def duration(seconds: float | None) -> str:
    """Return a time span in two units at most: ``4 min 10 s``; a dash when it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share in 0..1 as ``71.4 %``; a dash when it is not known."""
    return "–" if share is None else f"{share * 100:.{digits}f} %"


def count(number: int, one: str, many: str = "") -> str:
    """Return ``1 person``, ``5,749 people``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def memory(mib: float) -> str:
    """Return ``640 MiB``, ``2.4 GiB``."""
    return f"{mib:,.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"


def label(field: str) -> str:
    """Return a setting's name as people read it."""
    return LABELS.get(field, field.replace("_", " ").capitalize())


def in_labels(text: str, model: type[BaseModel]) -> str:
    """Return a recipe's refusal, as Markdown, with settings called as in its form and not as the code calls them."""
    named = re.sub(r"(?:(?<=^)|(?<=; ))(?:\w+\.)*(\w+)(?=: )", lambda found: label(found[1]), text)
    for name in (name for name in _settings(model) if "_" in name):  # one word may be prose, or a set's name
        named = re.sub(rf"\b{name}\b", label(name), named)
    return plain(named)


def _settings(model: type[BaseModel]) -> list[str]:
    nested = [field.default for field in model.model_fields.values() if isinstance(field.default, BaseModel)]
    return [*model.model_fields, *(name for inner in nested for name in _settings(type(inner)))]


def plain(text: str) -> str:
    """Return a name or a note so that Markdown shows it as it is, line by line: a folder may be called anything."""
    return "  \n".join(_plain_line(line) for line in text.splitlines())


def _plain_line(line: str) -> str:
    line = line.strip()  # four blanks would begin a block of code
    shown = "".join(f"\\{c}" if c in "\\`*_[]()#~<>:$|&" else c for c in line)
    # A dash or a number would begin a list, a row of = or - a heading.
    return re.sub(r"^(?:([-+=])|(\d+)(\.)(?=\s|$))", lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\.", shown)


def preset_name(name: str, built_in: Sequence[str]) -> str:
    """Return a preset's name as people read it: one that comes along begins large, a saved one says that it is."""
    return name[0].upper() + name[1:] if name in built_in else f"{name} (saved)"


def probability(p: float) -> str:
    """Return a p-value with two figures that count: ``= 0.34``, ``= 0.0042``, ``< 0.0001``."""
    if p < 1e-4:
        return "< 0.0001"
    return f"= {p:.2f}" if p >= 0.095 else f"= {p:.2g}"
