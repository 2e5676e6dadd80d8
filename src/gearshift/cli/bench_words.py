"""The words of ``gearshift bench``: ais_bench's options in each of their spellings, and msame's."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gearshift.bench.jobs import PURES
from gearshift.bench.outputs import FORMATS

IDLE: Final = {
    "device": "there is one device, the CPU",
    "debug": "see --json for the figures of each setting",
    "profiler": "there is no device to profile",
    "dump": "no operator runs by itself, so that there is nothing to dump",
    "acl_json_path": "there is nothing it could configure",
    "outputSize": "the size of every output is known",
    "run_mode": "inputs are always handed over as arrays",
    "npu_id": "there is no NPU to measure the energy of",
    "energy_consumption": "there is no NPU to measure the energy of",
    "backend": "--engine chooses what runs the model",
    "perf": "there is no device to profile",
    "pipeline": "reading and running do not overlap",
    "profiler_rename": "there is no device to profile",
    "dump_npy": "nothing is dumped",
    "divide_input": "there is one device, the CPU",
}
"""Options that are read and change nothing here, and why."""

_SWITCHES: Final = ("debug", "profiler", "dump", "energy_consumption", "perf", "pipeline",
                    "profiler_rename", "dump_npy", "divide_input")  # fmt: skip
_YES_NO: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_SHORT: Final = {
    "model": ("-m", "-om", "--om-model"),
    "input": ("-i",),
    "output": ("-o",),
    "output_dirname": ("-od",),
    "device": ("-d",),
    "dymBatch": ("-db", "--dym-batch"),
    "dymHW": ("-dhw", "--dym-hw"),
    "dymDims": ("-dd", "--dym-dims"),
    "dymShape": ("-ds", "--dym-shape"),
    "dymShape_range": ("-dr", "--dym-shape-range"),
    "outputSize": ("-outsize", "--output-size"),
    "auto_set_dymshape_mode": ("-asdsm",),
    "auto_set_dymdims_mode": ("-asddm",),
    "batchsize": ("--batch-size",),
    "pure_data_type": ("-pdt",),
    "profiler": ("-pf",),
    "acl_json_path": ("-acl",),
    "output_batchsize_axis": ("-oba",),
    "run_mode": ("-rm",),
    "display_all_summary": ("-das",),
    "warmup_count": ("-wcount",),
    "energy_consumption": ("-ec",),
    "aipp_config": ("-aipp",),
    "loop": ("-l",),
}
_EXAMPLES: Final = """examples:
  gearshift bench rec.om --dymBatch 4 --loop 100
  gearshift bench rec.om --dymBatch 4 --input crops/ --output results --outfmt NPY
  gearshift bench det.om --dymHW 416,416 --input images/,infos/
  gearshift bench bert.om --input ids/,mask/ --auto_set_dymdims_mode"""


def add_bench(command: argparse.ArgumentParser) -> None:
    """Adds the words."""
    idle = textwrap.fill(" ".join(f"--{name}" for name in IDLE), 78, break_on_hyphens=False)
    command.epilog = f"{_EXAMPLES}\n\nread, and of no effect here:\n{textwrap.indent(idle, '  ')}"
    command.add_argument("model", nargs="?", type=Path, metavar="MODEL", help="the .om file")
    command.add_argument(
        *_spellings("model"), dest="model_option", type=Path, metavar="FILE", help=argparse.SUPPRESS
    )
    _add_inputs(command)
    _add_gears(command)
    _add_runs(command)
    _add_outputs(command)
    for name in IDLE:
        _add_idle(command, name)


def given_idle(arguments: argparse.Namespace) -> dict[str, str]:
    """The options that were given and change nothing, and why."""
    return {
        name: why
        for name, why in IDLE.items()
        if getattr(arguments, name, None) not in (None, False)
    }


def _add_inputs(command: argparse.ArgumentParser) -> None:
    what = "folders, one per input, or files (.npy, .bin), with commas (default: generated)"
    _add(command, "input", type=_words, metavar="PATH,...", help=what)
    what = "what is generated without --input: zeros, or floats in 0-1 and whole numbers of 0 and 1"
    _add(command, "pure_data_type", choices=PURES, default=PURES[0], help=what)
    what = "parameters of dynamic AIPP, an INI file with [aipp_op]"
    _add(command, "aipp_config", metavar="FILE", help=what)


def _add_gears(command: argparse.ArgumentParser) -> None:
    _add(command, "dymBatch", type=_count(0), default=0, metavar="N", help="run the gear of N rows")
    _add(command, "dymHW", type=_size, metavar="H,W", help="run the gear of that image size")
    what = "run the gear of those dims, as x:1,600;y:1,600"
    _add(command, "dymDims", metavar="NAME:DIMS;...", help=what)
    what = "run those dims (of a model compiled for ranges)"
    _add(command, "dymShape", metavar="NAME:DIMS;...", help=what)
    what = "run every shape of these, as x:1,3,200~224,64-128, on generated data"
    _add(command, "dymShape_range", metavar="NAME:DIMS;...", help=what)
    for mode in ("auto_set_dymdims_mode", "auto_set_dymshape_mode"):
        _add_switch(command, mode, "take the gear, or the shape, from each .npy file")


def _add_runs(command: argparse.ArgumentParser) -> None:
    _add(command, "loop", type=_count(1), default=1, metavar="N", help="runs of each input")
    what = "runs before that are not counted (default: 1)"
    _add(command, "warmup_count", type=_count(0), default=1, metavar="N", help=what)
    what = "rows of a run, for the throughput (default: the first dim of the first input)"
    _add(command, "batchsize", type=_count(1), metavar="N", help=what)


def _add_outputs(command: argparse.ArgumentParser) -> None:
    _add(command, "output", type=Path, metavar="DIR", help="write outputs and a summary there")
    what = "folder in that (default: date and time)"
    _add(command, "output_dirname", metavar="NAME", help=what)
    _add(command, "outfmt", type=str.upper, choices=FORMATS, default=FORMATS[0], help="of outputs")
    what = "where the outputs of joined files are cut (default: 0)"
    _add(command, "output_batchsize_axis", type=_count(0), default=0, metavar="AXIS", help=what)
    _add_switch(command, "display_all_summary", "show the figures of each setting as well")


def _add_idle(command: argparse.ArgumentParser, name: str) -> None:
    if name in _SWITCHES:
        _add_switch(command, name, argparse.SUPPRESS)
    else:
        _add(command, name, help=argparse.SUPPRESS)


def _add(command: argparse.ArgumentParser, name: str, **how: Any) -> None:
    command.add_argument(*_spellings(name), dest=name, **how)


def _add_switch(command: argparse.ArgumentParser, name: str, what: str) -> None:
    """``--x``, ``--x 1``, ``--x=true`` and ``--no-x``, as the generations of ais_bench have it."""
    _add(
        command,
        name,
        nargs="?",
        const=True,
        default=False,
        type=_yes_or_no,
        metavar="0|1",
        help=what,
    )
    no = [f"--no-{name.replace('_', '-')}", f"--no_{name}"]
    command.add_argument(*no, dest=name, action="store_false", help=argparse.SUPPRESS)


def _spellings(name: str) -> tuple[str, ...]:
    """Its own, with hyphens, and those that only some of the tools have."""
    own = (f"--{name}", f"--{name.replace('_', '-')}")
    return tuple(dict.fromkeys((*own, *_SHORT.get(name, ()))))


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise argparse.ArgumentTypeError(
            f"got {text!r}; write files or folders with one comma between two of them"
        )
    return words


def _yes_or_no(text: str) -> bool:
    if text.lower() not in _YES_NO:
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: {', '.join(_YES_NO)}")
    return _YES_NO[text.lower()]


def _count(least: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) < least:
            raise argparse.ArgumentTypeError(
                f"got {text!r}; allowed: a whole number, {least} or more"
            )
        return int(text)

    return count


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch("([0-9]{1,9}) ?, ?([0-9]{1,9})", text.strip())
    if not match:
        raise argparse.ArgumentTypeError(
            f"got {text!r}; allowed: height and width, such as 416,416"
        )
    return int(match[1]), int(match[2])
