"""A study's report: the answer in sentences, then tables and charts, then what was missing and why."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages._shared.compare.cells import INTERVAL, accuracy_columns, as_csv, is_share, spread_out
from pages._shared.compare.charts import chart, picture_format
from pages._shared.compare.names import row_height
from pages._shared.words import plain

_INTERVAL_WIDTH = 128  # pixels
_NAME_WIDTH, _NAME_LETTERS = 250, 40  # pixels of a phone's 356; of what is no sentence
_LETTER, _PADDING = 8, 18  # pixels; Streamlit squeezes many columns of text until none can be read
_FIRST_WIDTH = 280  # of names that do not wrap: a phone shows a figure beside them
_LEAST_LETTERS = 10  # fewer fit anyway


def show_report(report: Mapping[str, Any], *, key: str, name: str) -> None:
    """Draw a report; ``name`` begins the names of the files that are saved."""
    at_first = [drawn for drawn in report["charts"] if drawn.get("first")]
    for number, sentence in enumerate(report["sentences"]):
        said = _sentence(sentence)
        st.markdown(f"**{said}**" if number == 0 else said, width=880)
        if number == 0:
            show_charts(at_first, key=f"{key}-first", name=name)
    for number, table in enumerate(report["tables"]):
        show_table(table, key=f"{key}-table-{number}", name=name)
    show_charts([drawn for drawn in report["charts"] if not drawn.get("first")], key=key, name=name)
    if report["missing"]:
        st.markdown("**What is missing, and why**")
        for sentence in report["missing"]:
            st.markdown(f"- {_sentence(sentence)}", width=880)


def _sentence(text: str) -> str:
    """Return a sentence as it is, no figure parted from its % at the end of a line."""
    return plain(text).replace(" %", "\N{NO-BREAK SPACE}%")


def show_charts(charts: Sequence[Mapping[str, Any]], *, key: str, name: str) -> None:
    """Draw charts of a report, with the choice of a picture's format above them."""
    from facessl import figures

    if charts:
        picture_format(key=f"{key}-format")
    for number, drawn in enumerate(charts):
        title = drawn["title"]
        figure = figures.report_chart(drawn)
        chart(figure, title=title, key=f"{key}-chart-{number}", name=f"{name} {title}")


def show_table(table: Mapping[str, Any], *, key: str, name: str) -> None:
    """Draw a table of a report: accuracies as numbers that sort, each with its interval beside it."""
    st.markdown(f"**{plain(table['title'])}**")
    columns, said = spread_out(table)
    accuracies = accuracy_columns(table)
    several = len(accuracies) > 1
    rows = table["rows"]
    first = table["columns"][0]
    wraps = has_sentences(columns[first])
    config = {
        **{
            column: st.column_config.TextColumn(
                width=min(_LETTER * letters + _PADDING, _FIRST_WIDTH if column == first else 400)
            )
            for column, values in columns.items() if _LEAST_LETTERS < (letters := _letters(values)) <= _NAME_LETTERS
        },
        **({first: st.column_config.TextColumn(width=_NAME_WIDTH)} if wraps else {}),
        **{column: st.column_config.NumberColumn(format="%.3f") for column in columns if _is_fine(columns[column])},
        **{
            column: st.column_config.NumberColumn(format="%.1f %%", alignment="left" if wraps else None)
            for column in columns if column in accuracies or is_share(column)
        },
        **{
            f"{column}{INTERVAL}": _interval_column(columns[f"{column}{INTERVAL}"], column if several else "")
            for column in accuracies
        },
    }  # fmt: skip
    st.dataframe(
        {_head(column): values for column, values in columns.items()}, hide_index=True, key=key,
        height="content" if len(rows) <= 15 else 560, alt=table["title"], placeholder="–",
        row_height=row_height([str(name) for name in columns[first]], _NAME_WIDTH) if wraps else None,
        column_config={_head(column): shown for column, shown in config.items()},
    )  # fmt: skip
    notes = [table.get("note", ""), said]
    if any(notes):
        st.caption(" ".join(plain(note) for note in notes if note))
    st.download_button(
        "Download as CSV", as_csv(table), file_name=f"{name} {table['title']}.csv", mime="text/csv",
        icon=":material/download:", key=f"{key}-csv", type="tertiary",
    )  # fmt: skip


def _letters(values: Sequence[Any]) -> int:
    """Return of how many letters the longest text of a column is; 0 where it holds anything but text."""
    texts = [value for value in values if value is not None]
    return max(map(len, texts), default=0) if all(isinstance(value, str) for value in texts) else 0


def _is_fine(values: Sequence[Any]) -> bool:
    """Return whether a column holds small numbers with fractions, which one number of decimals makes comparable."""
    known = [value for value in values if value is not None]
    fractions = any(isinstance(value, float) and value != int(value) for value in known)
    return fractions and all(isinstance(value, int | float) and abs(value) < 10 for value in known)


def has_sentences(names: Sequence[Any]) -> bool:
    """Return whether names would take a phone's whole width: then they wrap, for an accuracy to stand beside them.

    Its numbers begin at the left: at the right of a wide column the phone would not show them either.
    """
    return max((len(str(name)) for name in names), default=0) > _NAME_LETTERS


def _head(column: str) -> str:
    return column[:1].upper() + column[1:]


def _interval_column(texts: Sequence[str], of: str) -> Any:
    """Return how intervals are shown; left alone, a column is as wide as its first rows, which may be empty.

    They stand beside their accuracy: a long name again would take the room of the next figure.
    """
    remark = max(map(len, texts)) > len("100.0 % – 100.0 %")
    title = f"{_head(of)}, 95 %" if 0 < len(of) <= _LEAST_LETTERS else "95 % interval"
    return st.column_config.TextColumn(
        title, width=None if remark else _INTERVAL_WIDTH, help=f"95 % interval of {of}" if of else None
    )
