"""What a command answers, as text for people."""

from typing import Any


def as_text(answer: Any) -> str:
    """Return an answer of plain values, an object or a list of them, as lines or a table."""
    if isinstance(answer, list):
        return _table(answer) if answer else "There is nothing to list."
    if "sentences" in answer:
        return _report(answer)
    lines = []
    for key, value in answer.items():
        if key == "roc":
            continue  # a curve is for charts
        if key == "notes":
            lines += ["notes:", *value] if value else []
        elif value == "":
            continue  # a note that nobody wrote, an error that there is not
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{key}:\n{_table(value)}")
        else:
            lines.append(f"{key}: {_cell(value, key)}")
    return "\n".join(lines)


def _report(answer: dict[str, Any]) -> str:
    """Return a study's report: its answer, its tables, what is missing; charts are for pages."""
    lines = list(answer["sentences"])
    for table in answer["tables"]:
        rows = [{column: row.get(column) for column in table["columns"]} for row in table["rows"]]
        lines += ["", f"{table['title']}. {table['note']}".strip(), *([_table(rows)] if rows else [])]
    return "\n".join([*lines, *(["", *answer["missing"]] if answer["missing"] else [])])


def _table(rows: list[dict[str, Any]]) -> str:
    columns = list(rows[0])
    cells = [columns] + [[_cell(row.get(column), column) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    padded = [[text.ljust(width) for text, width in zip(line, widths, strict=True)] for line in cells]
    return "\n".join("  ".join(line).rstrip() for line in padded)


def _accuracy(cell: dict[str, Any]) -> str:
    """Return an accuracy of a report with its interval, per cent, and on what it was measured."""
    if cell["share"] is None:
        return "–"
    known = cell["low"] is not None and cell["high"] is not None
    interval = f" ({100 * cell['low']:.1f}–{100 * cell['high']:.1f})" if known else ""
    return f"{100 * cell['share']:.1f} %{interval} {cell['how']}, {cell['photos']} {cell['split']}"


def _cell(value: Any, of: str = "") -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict) and "share" in value:
        return _accuracy(value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {_cell(v, k)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(v) for v in value)
    if value is None:
        return "nobody known" if of == "person" else "–"
    return " ".join(str(value).split())  # a note may have several lines, a row has one
