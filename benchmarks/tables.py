"""What the benchmark prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks import host
from benchmarks.acl_calls import AclCalls
from benchmarks.batch import Cell, Sheet
from benchmarks.contender import Contender
from benchmarks.contenders import DYNAMIC, GEARSHIFT
from benchmarks.limits import Machine, Work
from benchmarks.preprocessing import WAYS, Preprocessed
from benchmarks.ratios import Ratio
from benchmarks.rounds import Times
from benchmarks.starting import Starts
from benchmarks.summary import EVEN, against_ours, summarise
from gearshift.placing import usable_cores
from gearshift.tuning.cpu import cpu_name

WIDTH = 132
NOISY = 0.05
"""Above this share of the machine for other programs, figures are not to be quoted."""

_SHOWN = 12
_WITH_SPREAD = (GEARSHIFT.name, *DYNAMIC)


def print_header(
    console: Console, contenders: Sequence[Contender], threads: int, machine: Machine | None
) -> None:
    """The host, and who takes part with which settings."""
    versions = ", ".join(f"{name} {version}" for name, version in host.versions().items())
    console.print(Text(f"{cpu_name()}, {usable_cores()} cores; {versions}", "bold"))
    if machine is not None:
        console.print(f"seen of this machine: {machine.how}")
    console.print(f"every contender: a process of its own, {threads} threads, float32 (f32)")
    for each in contenders:
        console.print(f"  {each.name:<12} {each.how}" + _how_often(each))


def _how_often(contender: Contender) -> str:
    return f"; timed in one round of {contender.every}" if contender.every > 1 else ""


def print_sheet(console: Console, sheet: Sheet, work: Work, machine: Machine) -> None:
    """Medians in ms with half the quartile distance; the ratio; how near the machine's limit."""
    names = list(sheet.cells[0].times)
    table = Table(
        title=f"{sheet.model}, {sheet.protocol} number of rows: median ms, {sheet.rounds} "
        f"round{'s' * (sheet.rounds != 1)}; a row is {work.flops / 1e9:.2f} GFLOP, at least "
        f"{work.least_seconds(1, machine) * 1e3:.2f} ms; weights {work.weight_bytes / 1e6:.1f} MB, "
        f"from memory {work.weight_seconds(machine) * 1e3:.2f} ms",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("rows", justify="right")
    table.add_column("plan", overflow="fold", max_width=28)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("best/ours", justify="right")
    table.add_column("90 %", justify="right")
    table.add_column("of peak", justify="right")
    for cell in sheet.cells:
        table.add_row(
            str(cell.rows),
            cell.plan,
            *(_figure(name, cell.times[name]) for name in names),
            *_ratio(cell.ratio),
            _efficiency(cell, work, machine),
        )
    console.print(table)
    warn_of(console, sheet.bystanders, "while this was timed")


def _figure(name: str, times: Times) -> Text:
    return _spread_out(times) if name in _WITH_SPREAD else _median(times)


def _spread_out(times: Times) -> Text:
    return _median(times).append(f" ±{times.spread:.0%}", "dim")


def _median(times: Times) -> Text:
    return Text(f"{times.median * 1e3:.2f}" if times.median < 0.1 else f"{times.median * 1e3:.0f}")


def _ratio(ratio: Ratio | None) -> tuple[Text, Text]:
    if ratio is None:
        return Text("-"), Text("-")
    return coloured(ratio.value), Text(f"{ratio.low:.2f}-{ratio.high:.2f}", "dim")


def coloured(ratio: float) -> Text:
    """A ratio in the colour of who won."""
    return Text(f"{ratio:.3f}", "bold red" if ratio < EVEN else "green" if ratio > 1 else "")


def _efficiency(cell: Cell, work: Work, machine: Machine) -> str:
    ours = cell.times.get(GEARSHIFT.name)
    return f"{work.least_seconds(cell.rows, machine) / ours.median:.0%}" if ours else "-"


def print_preprocessed(console: Console, found: Preprocessed) -> None:
    """Medians in ms with half the quartile distance, and how many times as long others took."""
    table = Table(
        title="preprocessing 640x480 NV12 into the detector 320n: median ms per call, "
        f"{found.rounds} round{'s' * (found.rounds != 1)}; then the other's time over the folded",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for head in ("engine", "frames", *WAYS):
        table.add_column(head, justify="left" if head == "engine" else "right", no_wrap=True)
    before = ("numpy", "opencv")  # the calls
    for way in before:
        table.add_column(f"{way}/folded", justify="right")
        table.add_column("90 %", justify="right")
    for cell in found.cells:
        figures = [_spread_out(cell.times[way]) for way in WAYS]
        ratios = [text for way in before for text in _ratio(cell.ratios[way])]
        table.add_row(cell.engine, str(cell.rows), *figures, *ratios)
    console.print(table)
    for way, (how, _) in WAYS.items():
        console.print(f"  {way:<12} {how}")
    warn_of(console, found.bystanders, "while this was timed")


def print_acl_calls(console: Console, found: Sequence[AclCalls]) -> None:
    """Calls of `acl` beside the engine's own, and memory over cycles."""
    table = Table(
        title="acl.mdl.execute on a small model: microseconds a call, median [quartiles]",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in ("engine", "execute", "the engine's own call", "over it"):
        table.add_column(column, justify="left" if column == "engine" else "right")
    table.add_column("resident MB after 100 cycles and all", justify="right")
    for each in found:
        table.add_row(
            each.engine,
            *(f"{m:.1f} [{low:.1f}, {high:.1f}]" for low, m, high in (each.execute, each.own)),
            f"{each.overhead:.1f}",
            f"{each.early / 1e6:.1f}, {each.late / 1e6:.1f} after {each.cycles} "
            f"({each.growth:+.1%})",
        )
    console.print(table)


def warn_of(console: Console, bystanders: float, when: str) -> None:
    """Says so if other programs took too much of the machine for figures to be quoted."""
    if bystanders > NOISY:
        text = f"other programs took {bystanders:.0%} of the machine {when}: not to be quoted"
        console.print(Text(text, "bold yellow"))


def print_summary(console: Console, sheets: Sequence[Sheet]) -> None:
    """Geometric means by model and in all, the least ratio, and what was lost."""
    whole = summarise(sheets)
    if whole is None:
        console.print("no ratio: it takes gearshift and one of " + ", ".join(DYNAMIC))
        return
    names = [name for name in sheets[0].cells[0].times if name != GEARSHIFT.name]
    table = Table(
        title="geometric means over the numbers of rows: the best dynamic peer's time over ours; "
        "then each contender's over ours",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for head in ("model", "protocol"):
        table.add_column(head)
    for head in ("best/ours", "least", "at rows", f"below {EVEN}", *names, "others ran"):
        table.add_column(head, justify="right", no_wrap=True)
    for sheet in sheets:
        _add_summary(table, sheet.model, sheet.protocol, [sheet], names)
    table.add_section()
    for protocol in dict.fromkeys(sheet.protocol for sheet in sheets):
        chosen = [sheet for sheet in sheets if sheet.protocol == protocol]
        _add_summary(table, "all", protocol, chosen, names)
    _add_summary(table, "all", "both", sheets, names)
    console.print(table)
    console.print(f"geometric mean of all {whole.count} ratios: {whole.mean:.3f}")
    console.print(f"the least ratio: {whole.least}")
    console.print(
        f"below {EVEN}: {len(whole.lost)} of {whole.count}, "
        f"{whole.surely_lost} of them with all of their 90 % interval"
    )
    for place in whole.lost[:_SHOWN]:
        console.print(f"  {place}")
    if len(whole.lost) > _SHOWN:
        console.print(f"  and {len(whole.lost) - _SHOWN} more")


def _add_summary(
    table: Table, model: str, protocol: str, sheets: Sequence[Sheet], names: Sequence[str]
) -> None:
    found = summarise(sheets)
    if found is None:
        return
    table.add_row(
        *(model, protocol, coloured(found.mean), coloured(found.least.ratio.value)),
        *(str(found.least.rows), f"{len(found.lost)} of {found.count}"),
        *(f"{against_ours(sheets, name):.2f}" for name in names),
        f"{max(sheet.bystanders for sheet in sheets):.0%}",
    )


def print_starts(console: Console, starts: Sequence[Starts]) -> None:
    """Times to results, and memory, of every contender on one model."""
    gears = sorted(starts[0].timed[0].further)
    table = Table(
        title=f"{starts[0].model}: cold starts, median ms of {len(starts[0].timed)}: from "
        "load (from the start of the process) to the first row's result; the first call of each "
        "further gear; memory in MB after every number of rows ran twice, grown since before load",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("contender", no_wrap=True)
    table.add_column("loads", no_wrap=True)
    heads = ("load-1st", "process-1st", *(f"1st {gear}" for gear in gears))
    for head in (*heads, "worst", "RSS", "USS", "peak", "grown"):
        table.add_column(head, justify="right")
    for each in starts:
        further = [each.further(gear) for gear in gears]
        seconds = [each.median(lambda start: start.first), each.median(lambda start: start.whole)]
        memory = each.memory
        sizes = (memory.resident, memory.own, memory.peak, memory.resident - memory.before)
        table.add_row(
            each.contender,
            "+".join(each.engines),
            *(f"{second * 1e3:.0f}" for second in seconds),
            *(f"{second * 1e3:.1f}" for second in (*further, each.median(lambda s: s.worst))),
            *("-" if size is None else f"{size / 1e6:.0f}" for size in sizes),
        )
    console.print(table)
