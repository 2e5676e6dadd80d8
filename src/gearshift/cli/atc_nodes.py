"""The flags that name nodes and types: ``--out_nodes``, ``--output_type``, ``--input_fp16_nodes``.

Whether a node exists is for the graph to say; these are the rules of writing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gearshift.cli.atc_argv import Args
from gearshift.errors import OptionError
from gearshift.gears.text import is_digits, option_error, shown, slip_hint

TYPES: Final = ("FP32", "FP16", "UINT8")


def check_out_nodes(args: Args) -> Iterator[OptionError]:
    """E10001: items are ``node:index``, or (Caffe) the names of top blobs, never both."""
    text = args["out_nodes"]
    if not text:
        return
    items = [item.split(":") for item in text.split(";")]
    example = "for example --out_nodes='conv1:0;conv1:1;fc:0'"
    is_caffe = args.number("framework") == 0
    odd = [item for item in items if not (len(item) == 2 or (len(item) == 1 and is_caffe))]
    if odd:
        yield option_error(
            "E10001",
            f"--out_nodes: {shown(':'.join(odd[0]))} in {shown(text)} is not node:index; write "
            f"items separated by ';' with none after the last, {example}.{slip_hint(text)}",
        )
    elif len({len(item) for item in items}) > 1:
        yield option_error(
            "E10001",
            f"--out_nodes: {shown(text)} mixes node:index with names alone; use one of the two, "
            f"{example}.",
        )
    elif bad := [item[1] for item in items if len(item) == 2 and not is_digits(item[1])]:
        yield option_error(
            "E10001",
            f"--out_nodes: index {shown(bad[0])} in {shown(text)} is not a whole number of 0 or "
            f"more, {example}.",
        )


def check_output_type(args: Args) -> Iterator[OptionError]:
    """E10001: one type, or ``node:index:TYPE`` for nodes that ``--out_nodes`` names as well."""
    text = args["output_type"]
    if not text:
        return
    if ":" not in text:
        if text not in TYPES:
            yield option_error(
                "E10001",
                f"--output_type: got {shown(text)}; allowed: {', '.join(TYPES)}, or "
                "node:index:TYPE items. Leave it out to keep the model's own types.",
            )
        return
    outputs = args["out_nodes"].split(";")
    for item in text.split(";"):
        node, _, type_name = item.rpartition(":")
        if item.count(":") != 2 or not is_digits(node.rpartition(":")[2]) or type_name not in TYPES:
            yield option_error(
                "E10001",
                f"--output_type: {shown(item)} in {shown(text)} is not node:index:TYPE; "
                f"TYPE is one of {', '.join(TYPES)}, for example fc:0:FP32.",
            )
        elif node not in outputs:
            yield option_error(
                "E10001",
                f"--output_type: {shown(node)} is not among --out_nodes={shown(args['out_nodes'])};"
                " name it there as well.",
            )


def check_input_fp16_nodes(args: Args) -> Iterator[OptionError]:
    """E10001 for an empty name in the ``;`` list (that a node exists only the graph can tell)."""
    text = args["input_fp16_nodes"]
    if text and not all(name.strip() for name in text.split(";")):
        yield option_error(
            "E10001",
            f"--input_fp16_nodes: {shown(text)} holds an empty name; separate names by ';' with "
            "none after the last, for example data;img_info.",
        )
