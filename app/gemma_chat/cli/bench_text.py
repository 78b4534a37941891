"""A report as text: a table where it fits, a paragraph for each figure where it does not."""

from __future__ import annotations

from typing import Final

from gemma_chat.cli.output import one_line
from gemma_chat.engine.bench.figures import Figure, Report, Subject, Target, Unit
from gemma_chat.quantities import byte_size

_HEADINGS: Final = ("figure", "measured", "baseline", "ratio (least to greatest)", "target", "")
_GAP: Final = "  "
_RELATIONS: Final = {">=": "≥", "<=": "≤", "<": "<", "=": "="}
_SIMPLER: Final = str.maketrans(
    {"≥": ">=", "≤": "<=", "→": "->", "✓": "+", "✗": "!", "…": "...", "·": "-", "—": "-"}
)
_NOISY: Final = 0.5
"""Busy processes, besides this one, from which on the reader is warned."""


def report_text(report: Report, width: int, encoding: str = "utf-8") -> str:
    """The report in lines of at most `width` columns where the words allow it."""
    rows = [_cells(one) for one in report.figures]
    lines = [*_heading(report), ""]
    table = _table(rows, report.figures)
    lines += table if max(map(len, table), default=0) <= width else _paragraphs(rows, report)
    lines += _endings(report)
    return _encodable("\n".join(lines) + "\n", encoding)


def _encodable(text: str, encoding: str) -> str:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return text.translate(_SIMPLER).encode("ascii", "replace").decode()
    return text


# ---------------------------------------------------------------- around the figures


def _heading(report: Report) -> list[str]:
    machine = report.machine
    lines = [f"gemma-chat bench {report.program}" + (", quick" if report.quick else "")]
    if report.subject is not None:
        lines.append(_subject(report.subject))
    lines.append(
        f"{machine.processor}, {machine.cores} cores, {byte_size(machine.memory_bytes)}; "
        f"{machine.system}"
    )
    rounds = "1 round" if report.rounds == 1 else f"medians of {report.rounds} rounds"
    lines.append(f"{rounds}, each beside its baseline; {report.seconds:.0f} s")
    if report.quick:
        lines.append("quick: fewer rounds, shallower contexts and shorter texts than the targets'")
    if machine.load > _NOISY:
        lines.append(
            f"The machine was busy before (load {machine.load:.1f} on {machine.cores} cores): "
            "look at least and greatest."
        )
    return lines


def _subject(subject: Subject) -> str:
    mode = f", {subject.safe_mode}" if subject.safe_mode else ""
    window = f", sliding window {subject.sliding_window}" if subject.sliding_window else ""
    return (
        f"{one_line(subject.name)} ({one_line(subject.path)}), {subject.architecture}, "
        f"{subject.parameters / 1e6:.0f} M parameters, context {subject.context_size} "
        f"tokens{window}{mode}"
    )


def _endings(report: Report) -> list[str]:
    lines = [""] if report.figures else []
    lines += [f"left out: {one.name}: {one_line(one.reason)}" for one in report.left_out]
    missed = sum(not one.reached for one in report.figures)
    if report.figures:
        lines.append(f"{len(report.figures) - missed} of {len(report.figures)} targets reached")
    if report.interrupted:
        lines.append("interrupted: what was not measured by then is missing")
    return lines


# ---------------------------------------------------------------- the figures

Cells = tuple[str, str, str, str, str, str]


def _cells(one: Figure) -> Cells:
    ratio = one.ratio
    spread = f" ({_ratio(ratio.least)} to {_ratio(ratio.greatest)})" if ratio else ""
    return (
        one.title,
        _value(one.measured, one.unit),
        "—" if one.baseline is None else _value(one.baseline, one.unit),
        f"{_ratio(ratio.median)}{spread}" if ratio else "—",
        _target(one.target, one.unit),
        "✓ reached" if one.reached else "✗ missed",
    )


def _explanation(one: Figure) -> str:
    """What it was compared with, and what else there is to know."""
    against = f"against {one.baseline_title}" if one.baseline_title else ""
    return "; ".join(part for part in (against, one.note) if part)


def _table(rows: list[Cells], figures: tuple[Figure, ...]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[at]) for row in (_HEADINGS, *rows)) for at in range(len(_HEADINGS))]
    lines = [_row(_HEADINGS, widths), _GAP.join("-" * width for width in widths)]
    for row, one in zip(rows, figures, strict=True):
        lines.append(_row(row, widths))
        if explanation := _explanation(one):
            lines.append(f"  {explanation}")
    return lines


def _row(cells: Cells | tuple[str, ...], widths: list[int]) -> str:
    return _GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _paragraphs(rows: list[Cells], report: Report) -> list[str]:
    lines: list[str] = []
    for row, one in zip(rows, report.figures, strict=True):
        title, measured, baseline, ratio, target, verdict = row
        lines.append(f"{title}: {verdict}")
        lines.append(f"  {measured}" + ("" if one.baseline is None else f" against {baseline}"))
        lines.append(f"  ratio {ratio}, target {target}" if one.ratio else f"  target {target}")
        if explanation := _explanation(one):
            lines.append(f"  {explanation}")
    return lines


def _value(value: float, unit: Unit) -> str:
    match unit:
        case "s":
            return f"{value * 1000:.1f} ms" if abs(value) < 1 else f"{value:.2f} s"
        case "bytes":
            return byte_size(value)
        case "tokens" | "tabs":
            return f"{value:.0f} {unit}"
        case _:
            return f"{value:.1f} {unit}"


def _ratio(value: float) -> str:
    # Enough digits that 0.968 does not read as a missed target of 0.97.
    return f"{value:.3f}"


def _target(target: Target, unit: Unit) -> str:
    value = f"{target.value:g}" if target.of == "ratio" else _value(target.value, unit)
    return f"{_RELATIONS[target.relation]} {value}"
