"""What the demo prints: colour and progress on a terminal, plain lines in a log."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks.rounds import Board
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

import gearshift
from examples.ocr.pages import Page
from examples.ocr.reader import Reading

_CLEAR = 0.03  # ratios nearer to 1 than this are called even


class Show:
    """A console that suits where it writes to."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a log may not know Chinese
        terminal = sys.stdout.isatty()
        self.console = Console(force_terminal=terminal, width=None if terminal else 100)
        if self.console.width > 120:
            self.console.width = 120

    def title(self, text: str) -> None:
        """A heading."""
        self.console.print()
        self.console.rule(Text(text, "bold cyan"), align="left", characters="─")

    def line(self, text: str = "", style: str = "") -> None:
        """One line or paragraph, without markup."""
        self.console.print(Text(text, style))

    def flush(self) -> None:
        """Before somebody else writes to the same place."""
        self.console.file.flush()

    def report(self, report: gearshift.CompileReport) -> None:
        """What a compile did, in one line."""
        worst = max(each.absolute for gear in report.manifest.gears for each in gear.differences)
        self.line(
            f"{report.output.name}: {len(report.manifest.gears)} gears, "
            f"{report.nbytes / 1e6:.1f} MB, largest difference to the ONNX model {worst:.1e}, "
            f"{report.seconds:.1f} s"
        )

    def programs(self, memory: gearshift.MemoryReport) -> None:
        """What a session runs on, in one line."""
        programs = "; ".join(str(program.build) for program in memory.programs)
        self.line(f"recogniser: {programs} ({memory.total / 1e6:.0f} MB)")

    def reading(self, number: int, page: Page, reading: Reading) -> None:
        """The text of one page beside what was drawn on it."""
        turned = ", fed upside down (and turned)" if reading.upside_down else ""
        crops = len(reading.crops)
        head = f"page {number}, {page.title}{turned}: {crops} {'crop' if crops == 1 else 'crops'}"
        self.console.print()
        self.console.print(
            Text.assemble((head, "bold"), f", plan {reading.plan}, {reading.seconds * 1e3:.0f} ms")
        )
        for drawn, read in _side_by_side(page.lines, reading.texts):
            same = drawn == read
            mark = ("ok", "green") if same else ("DIFFERS", "bold red")
            body = f"{_padded(drawn, 24)} {_padded(read, 24)} "
            self.console.print(Text.assemble("  ", body, mark), soft_wrap=True)

    def verdict(self, good: bool, text: str) -> None:
        """A line that begins with ok or FAILED."""
        mark = ("ok      ", "bold green") if good else ("FAILED  ", "bold red")
        self.console.print(Text.assemble(mark, text))

    @contextmanager
    def progress(self, doing: str, total: float) -> Iterator[Callable[[float], None]]:
        """A bar that goes away when done; on a log one line says what is being done.

        Yields what to call with the amount done so far.
        """
        if not self.console.is_terminal:
            self.line(f"{doing} ...")
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f}%"),
        )
        with Progress(
            *columns, console=self.console, transient=True, disable=not self.console.is_terminal
        ) as bar:
            task = bar.add_task(doing, total=total)
            yield lambda done: bar.update(task, completed=min(done, total))

    def times(self, board: Board, plans: Mapping[int, str], names: Sequence[str]) -> None:
        """The first contender by number of crops, and the others against it."""
        ours, *others = names
        table = Table(box=SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
        table.add_column("crops", justify="right")
        table.add_column("plan", overflow="fold")
        for name in names:
            table.add_column(f"{name}\nms", justify="right")
        for rows, plan in plans.items():
            times = {name: board.times(name, rows) for name in names}
            base = times[ours].median
            cells = [_figure(times[ours].median, times[ours].spread)]
            for name in others:
                figure = _figure(times[name].median, times[name].spread)
                cells.append(figure.append_text(ratio(times[name].median / base)))
            table.add_row(str(rows), plan, *cells)
        totals = [sum(board.times(name, rows).median for rows in plans) for name in names]
        cells = [Text(f"{_milliseconds(totals[0])}     ")]
        for total in totals[1:]:
            cells.append(Text(f"{_milliseconds(total)}     ").append_text(ratio(total / totals[0])))
        table.add_section()
        table.add_row("all", "", *cells)
        self.console.print(table)


def ratio(value: float) -> Text:
    """How many times as long the other took, coloured by who won."""
    style = "green" if value > 1 + _CLEAR else "red" if value < 1 - _CLEAR else ""
    return Text(f" {value:.2f}x", style)


def _figure(seconds: float, spread: float) -> Text:
    return Text(f"{_milliseconds(seconds)} ").append(f"±{spread:.0%}", "dim")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}" if seconds < 0.1 else f"{seconds * 1e3:.0f}"


def _side_by_side(drawn: Sequence[str], read: Sequence[str]) -> Iterator[tuple[str, str]]:
    length = max(len(drawn), len(read))
    filled = [[*texts, *["(nothing)"] * (length - len(texts))] for texts in (drawn, read)]
    return zip(*filled, strict=True)


def _padded(text: str, width: int) -> str:
    """Padded to that many columns; Chinese characters take two."""
    return text + " " * max(0, width - Text(text).cell_len)
