"""The report of a set: one HTML file with every count, without a face, that needs nothing else to be read."""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from facessl.config import QualityRecipe
from facessl.dataset import FaceDataset
from facessl.overview._alike import train_and_test
from facessl.overview._counts import count, folders, left_out, people_table
from facessl.overview._quality import QUANTITIES, limits

_LOOK = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 54rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem; }
th, td { text-align: left; padding: 0.25rem 1rem 0.25rem 0; border-bottom: 1px solid #8884; vertical-align: top;
         overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
"""


def report(dataset: FaceDataset) -> str:
    """Return the set's report as an HTML page; it holds names of people, as the set does, and no picture."""
    info, counts = dataset.info, count(dataset)
    leak = info["counts"]
    came, people = folders(dataset), people_table(dataset)
    refused = dataset.table.loc[dataset.table["status"] != "kept", ["status", "reason"]].value_counts()
    sides = {
        "Pictures there more than once": counts.copied,
        "Photos that show them": counts.copies,
        "On several sides of the split before": leak.get("crossed_before", "not looked for"),
        "On several sides now": counts.crossing,
        "Photos that changed sides for it": leak.get("moved", "not looked for"),
        "Nameless photos left out for it": leak.get("left_out", "not looked for"),
    }
    shares = {split: f"{number:,}" for split, number in counts.splits.items()}
    totals = {
        "People with a name": counts.people, "Photos": counts.photos, "Faces in use": counts.faces,
        "Turned level": counts.level, "With a flaw": counts.flagged, "From photos with several faces": counts.several,
    }  # fmt: skip
    body = [
        f"<h1>{escape(dataset.name)}</h1>",
        f"<p>Made {escape(info['created'].replace('T', ' '))} from {escape(str(info.get('source', '')))}; "
        f"{len(dataset.edits)} entries in its history since. Counts are of the set as it stands.</p>",
        *(f"<p>{escape(note)}</p>" for note in info["notes"]),
        _pairs("Counts", totals), _pairs("Faces in each part", shares), _pairs("Photos by status", counts.statuses),
        _table("Not used", ("status", "reason", "photos"), ((*key, number) for key, number in refused.items())),
        _pairs("Copies", sides), _quality(dataset), _alike(dataset),
        _table("People", tuple(c.replace("_", " ") for c in people), people.itertuples(index=False, name=None)),
        _table("Folders as they came", ("folder", "photos"), ((n or "(no name)", int(c)) for n, c in came.items())),
        _table("Left out", ("person",), ((name,) for name in left_out(dataset))),
        _table("History", ("when", "what", ""), (
            (e.when.replace("T", " "), e.sentence(), "undone" if e.undone else "") for e in dataset.edits
        )),
        _pairs("Recipe", _flat(info["recipe"])),
    ]  # fmt: skip
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(dataset.name)}</title>'
        f"<style>{_LOOK}</style><body>{''.join(body)}</body></html>\n"
    )


def _quality(dataset: FaceDataset) -> str:
    used, lines = dataset.crops[dataset.used], limits(QualityRecipe(**dataset.info["recipe"]["quality"]))
    rows = []
    for quantity in QUANTITIES:
        values, (low, high) = used[quantity.column].dropna(), lines[quantity.column]
        quartiles = [f"{value:.3g}" for value in values.quantile([0.05, 0.25, 0.5, 0.75, 0.95])]
        beyond = (values < (-math.inf if low is None else low)) | (values > (math.inf if high is None else high))
        rows.append((quantity.title, len(values), *(quartiles if len(values) else ["–"] * 5), int(beyond.sum())))
    return _table("Quality", ("", "known of", "5 %", "25 %", "50 %", "75 %", "95 %", "beyond the limits"), rows)


def _alike(dataset: FaceDataset) -> str:
    found = [(a.quantity.title, a.sentence(("train", "test")), f"{a.distance:.3f}") for a in train_and_test(dataset)]
    return _table("Train beside test", ("", "Kolmogorov and Smirnov", "distance"), found)


def _flat(recipe: Mapping[str, Any]) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for name, value in recipe.items():
        rows |= {f"{name}: {k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    return rows


def _pairs(title: str, rows: Mapping[str, Any]) -> str:
    return _table(title, ("", ""), rows.items())


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    """Return a heading and a table; nothing where there is no row."""
    lines = ["".join(_cell(value) for value in row) for row in rows]
    if not lines:
        return ""
    first = "".join(f"<th>{escape(name)}</th>" for name in head) if any(head) else ""
    return f"<h2>{escape(title)}</h2><table><tr>{first}</tr><tr>{'</tr><tr>'.join(lines)}</tr></table>"


def _cell(value: Any) -> str:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return f"<td>{escape(str(value))}</td>"
    return f'<td class="n">{int(value):,}</td>'
