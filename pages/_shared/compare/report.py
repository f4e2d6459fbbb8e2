"""A study's report: the answer in sentences, then tables and charts, then what was missing and why."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from facessl.files import read_json
from facessl.run import Run
from pages._shared.compare.charts import chart, picture_format
from pages._shared.words import percent, plain

_SAID = {"how": "", "split": "on ", "photos": ""}  # what is said of an accuracy besides its interval


def report_of(run: Run) -> dict[str, Any] | None:
    """Return what a study has to say so far, or None before its first step is done."""
    path = run.path / "report.json"
    return read_json(path) if path.exists() else None


def show_report(report: Mapping[str, Any], *, key: str, name: str) -> None:
    """Draw a report; ``name`` begins the names of the files that are saved."""
    for sentence in report["sentences"]:
        st.markdown(f"**{plain(sentence)}**" if sentence is report["sentences"][0] else plain(sentence), width=880)
    for number, table in enumerate(report["tables"]):
        show_table(table, key=f"{key}-table-{number}", name=name)
    if report["charts"]:
        picture_format(key=f"{key}-format")
    for number, drawn in enumerate(report["charts"]):
        from facessl import figures

        st.markdown(f"**{plain(drawn['title'])}**")
        chart(figures.report_chart(drawn), key=f"{key}-chart-{number}", name=f"{name} {drawn['title']}")
    if report["missing"]:
        st.markdown("**What is missing, and why**")
        for sentence in report["missing"]:
            st.markdown(f"- {plain(sentence)}", width=880)


def show_table(table: Mapping[str, Any], *, key: str, name: str) -> None:
    """Draw a table of a report: accuracies as numbers that sort, each with its interval beside it."""
    st.markdown(f"**{plain(table['title'])}**")
    columns, said = spread_out(table)
    accuracies = accuracy_columns(table)
    rows = table["rows"]
    st.dataframe(
        columns, hide_index=True, key=key, height="content" if len(rows) <= 15 else 560, alt=table["title"],
        placeholder="–",
        column_config={
            column: st.column_config.NumberColumn(format="%.1f %%") for column in accuracies if column in columns
        },
    )  # fmt: skip
    notes = [table.get("note", ""), said]
    if any(notes):
        st.caption(" ".join(plain(note) for note in notes if note))
    st.download_button(
        "CSV", as_csv(table), file_name=f"{name} {table['title']}.csv", mime="text/csv", icon=":material/download:",
        key=f"{key}-csv", type="tertiary",
    )  # fmt: skip


def accuracy_columns(table: Mapping[str, Any]) -> list[str]:
    """Return the columns that hold an accuracy (``{share, low, high, photos, split, how}``) in at least one row."""
    return [column for column in table["columns"] if any(_is_accuracy(row.get(column)) for row in table["rows"])]


def spread_out(table: Mapping[str, Any]) -> tuple[dict[str, list[Any]], str]:
    """Return a table's columns as they are shown, and what is true of all its accuracies, in words.

    An accuracy becomes its percentage and its interval; how, split and number of photos are said once where they are
    the same for all, else in one column for the row, or beside each accuracy where a row's own differ.
    """
    accuracies = accuracy_columns(table)
    cells = [row[column] for row in table["rows"] for column in accuracies if _is_accuracy(row.get(column))]
    common = {part: cells[0].get(part) for part in _SAID if cells and len({str(c.get(part)) for c in cells}) == 1}
    varied = [part for part in _SAID if part not in common] if cells else []
    once = _said_once(table["rows"], accuracies, varied)
    columns: dict[str, list[Any]] = {}
    for column in table["columns"]:
        values = [row.get(column) for row in table["rows"]]
        if column not in accuracies:
            columns[column] = [_text(value) for value in values] if _is_mixed(values) else values
            continue
        columns[column] = [value["share"] * 100 if _is_number(value) else None for value in values]
        columns[f"{column} · 95 % interval"] = [_interval(value) for value in values]
        if varied and once is None:
            columns[f"{column} · how"] = [_of_what(value, varied) for value in values]
    if varied and once is not None:
        columns["How"] = once
    return columns, f"All accuracies: {_of_what(common, list(common))}." if common else ""


def _said_once(rows: Sequence[Mapping[str, Any]], accuracies: Sequence[str], parts: Sequence[str]) -> list[str] | None:
    """Return for each row how all its accuracies were measured, or None where those of one row differ."""
    said = [{_of_what(row.get(column), parts) for column in accuracies} - {""} for row in rows]
    return None if any(len(ways) > 1 for ways in said) else [next(iter(ways), "") for ways in said]


def as_csv(table: Mapping[str, Any]) -> str:
    """Return a table as CSV; an accuracy takes a column for each thing that is known of it."""
    parts = ("share", "low", "high", "photos", "split", "how")
    accuracies = accuracy_columns(table)
    names = [n for c in table["columns"] for n in ([f"{c} {part}" for part in parts] if c in accuracies else [c])]
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    for row in table["rows"]:
        line: dict[str, Any] = {}
        for column in table["columns"]:
            value = row.get(column)
            if column not in accuracies:
                line[column] = value
            elif _is_accuracy(value):
                line |= {f"{column} {part}": value.get(part) for part in parts}
            else:
                line[f"{column} how"] = value  # a remark in place of a figure
        writer.writerow(line)
    return text.getvalue()


def _is_accuracy(value: Any) -> bool:
    return isinstance(value, dict) and "share" in value


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
    return f"{value:g}" if isinstance(value, float) else str(value)
