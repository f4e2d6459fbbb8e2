"""Which models were judged on the same pairs: what they were asked decides, and not how it was asked for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from facessl import pairs, shapes
from facessl.dataset import FaceDataset
from facessl.errors import DamagedError, RunError
from facessl.run import Run
from facessl.states import ACTIVE
from pages._shared.backend import studio

_WITH_NETWORK = ("untrained", "imagenet")  # models whose network is a setting; others bring their own or have none
_NOT_ASKED = ("pairs", "device", "backbone")  # what may differ without another answer
_ASKED = ("pairs", "per_fold", "seed")  # settings that say which pairs


@dataclass(frozen=True)
class PairList:
    """One list of pairs, and the evaluations that asked about it, the newest first."""

    digest: str
    name: str  # no two alike
    runs: tuple[Run, ...]
    brought: bool  # as a file, and not drawn from the test part


def lists_of(finished: Sequence[Run]) -> list[PairList]:
    """Return the lists of pairs that finished evaluations asked about, that of the newest first.

    Of evaluations that asked the same of the same model the newest is there; a copy of a list is the list.
    Two files of one name may hold other pairs, and two seeds draw other ones; a set that was corrected has other
    people. Where what a run was asked cannot be read any more, it stands alone.
    """
    groups: dict[str, list[Run]] = {}
    for run in finished:
        groups.setdefault(_digest(run), []).append(run)
    # By the first file that brought a list: who judges another model from a copy of it renames nothing.
    names = {digest: _named(runs[-1], fully=False) for digest, runs in groups.items()}
    names |= {digest: _named(groups[digest][-1], fully=True) for digest in _repeated(names)}
    names |= {digest: f"{names[digest]} · {digest[:4]}" for digest in _repeated(names)}
    return [
        PairList(digest, names[digest], _each_once(runs), brought=bool(runs[-1].config["recipe"]["pairs"]))
        for digest, runs in groups.items()
    ]


def _each_once(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Return of evaluations of one list that asked the same model in the same way the first."""
    kept: list[Run] = []
    asked: list[dict[str, Any]] = []
    for run in runs:
        recipe = {name: value for name, value in run.config["recipe"].items() if name not in _NOT_ASKED}
        if recipe["model"] in _WITH_NETWORK:
            recipe["backbone"] = run.config["recipe"]["backbone"]
        if recipe not in asked:
            asked.append(recipe)
            kept.append(run)
    return tuple(kept)


def _repeated(names: Mapping[str, str]) -> list[str]:
    times = Counter(names.values())
    return [key for key, name in names.items() if times[name] > 1]


def _named(run: Run, *, fully: bool) -> str:
    recipe = run.config["recipe"]
    if recipe["pairs"]:
        return Path(recipe["pairs"]).name
    seed = f", seed {recipe['seed']}" if recipe["seed"] else ""
    most = f", up to {recipe['per_fold']:,} of a kind in a fold" if fully else ""
    return f"drawn from test{seed}{most}"


def _digest(run: Run) -> str:
    path = run.path / "pairs.parquet"
    try:
        return _read(str(path), path.stat().st_mtime_ns) if path.exists() else run.id
    except DamagedError:
        return run.id


@st.cache_data(show_spinner=False, max_entries=2000)
def _read(path: str, changed: int) -> str:
    table = shapes.table(Path(path), ("face_a", "face_b", "same", "fold"))
    return pairs.digest(table[["face_a", "face_b"]].to_numpy(), table["same"].to_numpy(), table["fold"].to_numpy())


# -- plain rows --------------------------------------------------------------------------------------------------


def missing_rows(found: PairList, dataset: FaceDataset) -> list[dict[str, Any]]:
    """Return the settings of the evaluations without learning that a list has not got, nor gets just now.

    Pixels, whitened pixels, and each network as chance makes it. None where the set was corrected since: the same
    settings would ask about other people.
    """
    newest = found.runs[0].config
    if newest["edits"].get(dataset.name, 0) != len(dataset.edits):
        return []
    asked = {name: newest["recipe"][name] for name in _ASKED} | {"dataset": dataset.name}
    wanted: list[dict[str, Any]] = [{"model": "pixels"}, {"model": "pixels-whitened"}]
    networks = dict.fromkeys(network for run in found.runs if (network := _network(run)))
    wanted += [{"model": "untrained", "backbone": name, "image_size": side} for name, side in networks]
    at_work = [run.config["recipe"] for run in studio().runs("evaluate") if run.status().state in ACTIVE]
    there = [run.config["recipe"] for run in found.runs]
    there += [recipe for recipe in at_work if all(recipe[name] == value for name, value in asked.items())]
    return [
        {**asked, **row} for row in wanted
        if not any(all(recipe[name] == value for name, value in row.items()) for recipe in there)
    ]  # fmt: skip


def _network(run: Run) -> tuple[str, int] | None:
    """Return which network an evaluated run trained, and on faces of what side; None where it was none, or is gone."""
    recipe = run.config["recipe"]
    if recipe["model"] in ("untrained", "imagenet"):
        return recipe["backbone"], recipe["image_size"]
    if recipe["model"].startswith("pixels"):
        return None
    try:
        trained = studio().run(recipe["model"]).config["recipe"]
    except RunError:
        return None
    return trained["backbone"], trained["image_size"]
