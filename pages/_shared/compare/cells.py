"""The cells of a report's tables: as columns on the screen, and as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pages._shared.words import OF_ONE, percent

_SAID = {"how": "", "split": "on ", "photos": ""}  # what is said of an accuracy besides its interval
INTERVAL = " · 95 % interval"  # behind the name of the column whose interval it is
_SHARES = ("macro-F1", "chance")  # a column that begins so holds shares, 0-1, and one that ends in the first
_FEW = 3  # kinds of rows, whose ways of measuring a caption can tell one after the other


def accuracy_columns(table: Mapping[str, Any]) -> list[str]:
    """Return the columns that hold an accuracy (``{share, low, high, photos, split, how}``) in at least one row."""
    return [column for column in table["columns"] if any(_is_accuracy(row.get(column)) for row in table["rows"])]


def spread_out(table: Mapping[str, Any]) -> tuple[dict[str, list[Any]], str]:
    """Return a table's columns as they are shown, and what is true of all its accuracies, in words.

    An accuracy becomes its percentage and its interval; how, split and number of photos are said once where they are
    the same for all, for a column or for a kind of row in it, else in one column for the row, or in one for each
    accuracy where a row's own differ. These come last: the figures that are to be compared stand side by side.
    """
    accuracies = accuracy_columns(table)
    cells = [row[column] for row in table["rows"] for column in accuracies if _is_accuracy(row.get(column))]
    common = {part: cells[0].get(part) for part in _SAID if cells and len({str(c.get(part)) for c in cells}) == 1}
    varied = [part for part in _SAID if part not in common] if cells else []
    once = _said_once(table["rows"], accuracies, varied)
    columns: dict[str, list[Any]] = {}
    hows: dict[str, list[Any]] = {}
    told: dict[str, list[str]] = {}  # what is true of columns, in words, and of which
    for column in table["columns"]:
        values = [row.get(column) for row in table["rows"]]
        if column not in accuracies:
            mixed = _is_mixed(values)
            columns[column] = [_text(value) for value in values] if mixed else values
            if is_share(column) and not mixed:
                columns[column] = [None if value is None else value * 100 for value in values]
            continue
        columns[column] = [value["share"] * 100 if _is_number(value) else None for value in values]
        columns[f"{column}{INTERVAL}"] = [_interval(value) for value in values]
        if varied and once is None:
            ways = [_of_what(value, varied) for value in values]
            words = _by_kind([row.get(table["columns"][0]) for row in table["rows"]], ways)
            if words:
                told.setdefault(words, []).append(column)
            else:
                hows[f"{column} · how"] = ways
    shared = ""
    if varied and once is not None:
        shared, hows["How"] = _parted(once)
    of_all = ", ".join(part for part in (shared, _of_what(common, list(common))) if part)
    said = [f"All accuracies: {of_all}."] if of_all else []
    return columns | hows, " ".join(said + [f"{_together(names)}: {words}." for words, names in told.items()])


def _together(columns: Sequence[str]) -> str:
    """Return columns as a legend names them: "theirs: top-1" and "theirs: top-3" are theirs."""
    owners = {column.rpartition(": ")[0] for column in columns}
    return owners.pop() if len(owners) == 1 and "" not in owners else ", ".join(columns)


def is_share(column: str) -> bool:
    return column.startswith(_SHARES) or column.endswith(_SHARES[0])  # "NMI by chance" is none


def _by_kind(kinds: Sequence[Any], ways: Sequence[str]) -> str:
    """Return how a column was measured, where that is one way or one for each of a few kinds of rows; else ""."""
    found: dict[str, set[str]] = {}
    for kind, way in zip(kinds, ways, strict=True):
        if way:
            found.setdefault(str(kind), set()).add(way)
    if len({way for each in found.values() for way in each}) == 1:
        return max(ways)  # the one that is not empty
    few = len(set(kinds)) <= _FEW and len(set(kinds)) < len(kinds)
    if not few or any(len(each) > 1 for each in found.values()):
        return ""
    return "; ".join(f"{way} ({kind})" for kind, (way,) in found.items())


def _said_once(rows: Sequence[Mapping[str, Any]], accuracies: Sequence[str], parts: Sequence[str]) -> list[str] | None:
    """Return for each row how all its accuracies were measured, or None where those of one row differ."""
    said = [{_of_what(row.get(column), parts) for column in accuracies} - {""} for row in rows]
    return None if any(len(ways) > 1 for ways in said) else [next(iter(ways), "") for ways in said]


def _parted(ways: Sequence[str]) -> tuple[str, list[str]]:
    """Return what all ways have in common, and what is left of each: a long column is cut at the edge."""
    parts = [way.split(", ") for way in ways if way]
    common = [part for part in parts[0] if all(part in other for other in parts)]
    if any(set(own) <= set(common) for own in parts):  # of one nothing would be left
        return "", list(ways)
    left = [", ".join(part for part in way.split(", ") if part not in common) for way in ways]
    return ", ".join(common), left


def as_csv(table: Mapping[str, Any]) -> str:
    """Return a table as CSV; an accuracy, or a figure with its interval, takes a column for each thing known of it."""
    parts = {"share": OF_ONE, "low": OF_ONE, "high": OF_ONE, "photos": "", "split": "", "how": ""}  # with their units
    accuracies = accuracy_columns(table)
    figures = {c for c in table["columns"] if any(_is_figure(row.get(c)) for row in table["rows"])}
    named = {c: f"{c}{OF_ONE}" if is_share(c) else c for c in table["columns"]}
    names = [n for c, name in named.items() for n in (
        [f"{c} {part}{unit}" for part, unit in parts.items()] if c in accuracies
        else [name, f"{name} low", f"{name} high"] if c in figures else [name]
    )]  # fmt: skip
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    for row in table["rows"]:
        line: dict[str, Any] = {}
        for column, name in named.items():
            value = row.get(column)
            if _is_figure(value):
                line |= {name: value["value"], f"{name} low": value["low"], f"{name} high": value["high"]}
            elif column not in accuracies:
                line[name] = value
            elif _is_accuracy(value):
                line |= {f"{column} {part}{unit}": value.get(part) for part, unit in parts.items()}
            else:
                line[f"{column} how"] = value  # a remark in place of a figure
        writer.writerow(line)
    return text.getvalue()


def _is_accuracy(value: Any) -> bool:
    return isinstance(value, dict) and "share" in value


def _is_figure(value: Any) -> bool:
    return isinstance(value, dict) and "value" in value


def _is_number(value: Any) -> bool:
    return _is_accuracy(value) and value["share"] is not None


def _interval(value: Any) -> str:
    """Return an accuracy's interval, or the remark that stands in its place."""
    if not _is_accuracy(value):
        return _text(value)
    if value["share"] is None:
        return ""
    if value.get("low") is None or value.get("high") is None:
        return "not known"
    return f"{percent(value['low'])} – {percent(value['high'])}"


def _of_what(value: Any, parts: Sequence[str]) -> str:
    """Return in words how and on what an accuracy was measured, as far as ``parts`` go."""
    if not isinstance(value, dict):
        return ""
    known = {part: value.get(part) for part in parts if value.get(part) not in (None, "")}
    photos = f"{known['photos']:,} photos" if "photos" in known else ""
    split = f"on {known['split']}" if "split" in known else ""
    return ", ".join(part for part in (str(known.get("how", "")), split, photos) if part)


def _is_mixed(values: Sequence[Any]) -> bool:
    """Return whether a column's values are not all numbers or all text: such a column is shown as text."""
    kinds = {"number" if isinstance(v, int | float) and not isinstance(v, bool) else type(v).__name__
             for v in values if v is not None}  # fmt: skip
    return len(kinds) > 1 or bool(kinds & {"dict", "list", "bool"})


def _text(value: Any) -> str:
    if value is None:
        return ""
    if _is_figure(value):
        return f"{value['value']:z.2f} ({value['low']:z.2f} to {value['high']:z.2f})"  # z: never -0.00
    return f"{value:.3g}" if isinstance(value, float) else str(value)
