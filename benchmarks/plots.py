"""Pictures of a run, as SVG and PNG."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.batch import Sheet
from benchmarks.contenders import OPENVINO
from benchmarks.ratios import geometric_mean
from benchmarks.starting import Starts
from benchmarks.summary import EVEN

_COLOURS: Final = {"changing": "#1d4ed8", "same": "#d97706"}
_INK, _FAINT, _LOSS = "#1f2937", "#d1d5db", "#b91c1c"
_OURS, _THEIRS = "#1d4ed8", "#6b7280"
_OUR_NAMES: Final = ("gearshift", "speed", "memory")
_ALLOWED: Final = 1.3
"""How much more than OpenVINO's dynamic program gearshift may take."""

_STYLE: Final[dict[Any, Any]] = {
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "svg.hashsalt": "gearshift",
}


def can_draw() -> bool:
    """Whether matplotlib is there, which only pictures need."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_ratios(sheets: Sequence[Sheet], folder: Path) -> tuple[Path, ...]:
    """Best dynamic peer over gearshift by number of rows, a panel for each model.

    Returns:
        The files written; none if no sheet has a ratio.
    """
    sheets = [sheet for sheet in sheets if all(cell.ratio for cell in sheet.cells)]
    models = list(dict.fromkeys(sheet.model for sheet in sheets))
    if not models:
        return ()
    with _style():
        figure, panels = _panels(len(models), "Time of the best dynamic peer / time of gearshift")
        for panel, model in zip(panels, models, strict=True):
            _ratio_panel(panel, model, [sheet for sheet in sheets if sheet.model == model])
        legend = panels[0].get_legend_handles_labels()
        figure.legend(*legend, loc="outside lower left", ncols=3, frameon=False)
        return _save(figure, folder / "ratios")


def _ratio_panel(panel: Any, model: str, sheets: Sequence[Sheet]) -> None:
    panel.axhline(1.0, color=_INK, linewidth=0.8)
    panel.axhline(EVEN, color=_LOSS, linewidth=0.8, linestyle=(0, (4, 3)), label=f"{EVEN}: a loss")
    means = []
    for sheet in sheets:
        ratios = [cell.ratio for cell in sheet.cells if cell.ratio is not None]
        rows = [cell.rows for cell in sheet.cells]
        values, colour = [ratio.value for ratio in ratios], _COLOURS[sheet.protocol]
        low, high = [ratio.low for ratio in ratios], [ratio.high for ratio in ratios]
        panel.fill_between(rows, low, high, color=colour, alpha=0.15, linewidth=0)
        label = f"{sheet.protocol} number of rows"
        panel.plot(rows, values, "o-", color=colour, markersize=3, linewidth=1.4, label=label)
        means.append(f"{sheet.protocol} {geometric_mean(values):.2f}")
    panel.set_title(model, loc="left", fontweight="bold", fontsize=10)
    panel.set_title("mean " + ", ".join(means), loc="right", fontsize=8)
    panel.set_xticks([1, 2, 4, 8, 12, 16])
    panel.set_xlabel("rows")
    shown = [cell.ratio.value for sheet in sheets for cell in sheet.cells if cell.ratio]
    panel.set_ylim(min(0.9, *shown) - 0.05, max(1.1, *shown) + 0.05)
    panel.grid(axis="y", color=_FAINT, linewidth=0.5)


def draw_memory(starts: Sequence[Starts], folder: Path) -> tuple[Path, ...]:
    """Resident memory and its peak, a panel for each model and a bar for each contender.

    Returns:
        The files written; none if there are no starts.
    """
    models = list(dict.fromkeys(each.model for each in starts))
    if not models:
        return ()
    with _style():
        title = "Resident memory after 1 to 16 rows, MB (faint: its peak)"
        figure, panels = _panels(len(models), title)
        for panel, model in zip(panels, models, strict=True):
            _memory_panel(panel, model, [each for each in starts if each.model == model])
        return _save(figure, folder / "memory")


def _memory_panel(panel: Any, model: str, starts: Sequence[Starts]) -> None:
    names = [each.contender for each in starts]
    colours = [_OURS if name in _OUR_NAMES else _THEIRS for name in names]
    resident = [each.memory.resident / 1e6 for each in starts]
    peak = [(each.memory.peak or each.memory.resident) / 1e6 for each in starts]
    panel.barh(names, peak, color=colours, alpha=0.25, height=0.62)
    bars = panel.barh(names, resident, color=colours, height=0.62)
    panel.bar_label(bars, fmt="%.0f", label_type="center", color="white", fontsize=8)
    for each in starts:
        if each.contender == OPENVINO.name:
            limit = _ALLOWED * each.memory.resident / 1e6
            panel.axvline(limit, color=_LOSS, linewidth=0.8, linestyle=(0, (4, 3)))
            panel.set_title(f"red: {_ALLOWED} x {each.contender}", loc="right", fontsize=8)
    panel.set_title(model, loc="left", fontweight="bold", fontsize=10)
    panel.invert_yaxis()
    panel.margins(x=0.12)
    panel.grid(axis="x", color=_FAINT, linewidth=0.5)
    panel.set_axisbelow(True)


def _style() -> Any:
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def _panels(count: int, title: str) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = min(count, 4 if count > 6 else 3)
    lines = math.ceil(count / columns)
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure(figsize=(0.6 + 4.0 * columns, 0.7 + 2.6 * lines), layout=layout)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    grid = figure.subplots(lines, columns, squeeze=False)
    panels = list(grid.flat)
    for panel in panels[count:]:
        panel.set_visible(False)
    return figure, panels[:count]


def _save(figure: Any, stem: Path) -> tuple[Path, ...]:
    paths = tuple(stem.with_suffix(suffix) for suffix in (".svg", ".png"))
    for path in paths:
        figure.savefig(path, dpi=160)
    return paths
