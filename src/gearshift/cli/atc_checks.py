"""Every check of atc's flags, in ATC's order. All of them run; the errors add up to one list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from gearshift.cli.atc_argv import Args
from gearshift.cli.atc_flags import FRAMEWORKS
from gearshift.cli.atc_inputs import check_aipp, check_gears, check_input_format, check_inputs
from gearshift.cli.atc_nodes import check_input_fp16_nodes, check_out_nodes, check_output_type
from gearshift.cli.atc_paths import input_file, output_file, required
from gearshift.cli.atc_refusals import refuse_flags, refuse_framework, refuse_mode
from gearshift.cli.atc_soc import check_soc_version
from gearshift.errors import OptionError
from gearshift.gears.text import option_error, shown

Check = Callable[[Args], Iterator[OptionError]]

LOG_LEVELS: Final = ("debug", "info", "warning", "error", "null")
MODES: Final = (0, 1, 3, 5, 6)
_TRUE_FALSE: Final = ("true", "false")
_IMPLEMENTATIONS: Final = (
    "high_precision",
    "high_performance",
    "high_precision_for_all",
    "high_performance_for_all",
)
_BUFFERS: Final = ("l1_optimize", "l2_optimize", "off_optimize", "l1_and_l2_optimize")
_PRECISIONS: Final = (
    "force_fp16",
    "force_fp32",
    "allow_mix_precision",
    "allow_fp32_to_fp16",
    "must_keep_origin_dtype",
)


def check_log(args: Args) -> Iterator[OptionError]:
    """E10010; ATC judges ``--log`` before anything else."""
    return one_of("log", LOG_LEVELS, "E10010")(args)


def find_errors(args: Args) -> list[OptionError]:
    """The errors of the first stage that has any: flags, then gears, then what we cannot do."""
    for stage in _stages(args):
        errors = [error for check in stage for error in check(args)]
        if errors:
            return errors
    return []


def one_of(name: str, allowed: tuple[str, ...], code: str = "E10001") -> Check:
    """A check that the flag is empty or has one of those values."""

    def check(args: Args) -> Iterator[OptionError]:
        value = args[name]
        if value and value not in allowed:
            yield option_error(
                code,
                f"--{name}: got {shown(value)}; allowed: {', '.join(allowed)}. "
                f"Write for example --{name}={allowed[0]}, or leave the flag out.",
            )

    return check


def each_one_of(name: str, allowed: tuple[str, ...], code: str) -> Check:
    """A check that the flag is empty or a ``,`` list of those values."""

    def check(args: Args) -> Iterator[OptionError]:
        value = args[name]
        if value and any(piece not in allowed for piece in value.split(",")):
            yield option_error(
                code,
                f"--{name}: got {shown(value)}; allowed: {' or '.join(allowed)} for each, "
                f"separated by ','. Write for example --{name}={','.join(allowed)}.",
            )

    return check


def check_stray(args: Args) -> Iterator[OptionError]:
    """Words that belong to no flag. ATC drops them without a word, and the value with them."""
    for stray in args.stray:
        if stray.after.endswith("=") and stray.after.startswith("-"):
            cure = f"write {stray.after}{stray.word} without a blank after '='"
        elif stray.after == "--":
            cure = "remove the '--' before it, which ends the flags"
        else:
            cure = "remove it, or put the value it belongs to in quotes"
        yield option_error("E10001", f"{shown(stray.word)} belongs to no flag; {cure}.")


def _check_implementations(args: Args) -> Iterator[OptionError]:
    yield from one_of("op_select_implmode", _IMPLEMENTATIONS)(args)
    if args["optypelist_for_implmode"] and not args["op_select_implmode"]:
        yield option_error(
            "E10001",
            f"--optypelist_for_implmode: got {shown(args['optypelist_for_implmode'])} without "
            "--op_select_implmode, which says what these operators are to use; add it, for example "
            "--op_select_implmode=high_precision.",
        )


def _check_mixlist(args: Args) -> Iterator[OptionError]:
    if args["modify_mixlist"] and args["precision_mode"] != "allow_mix_precision":
        yield option_error(
            "E10001",
            f"--modify_mixlist: goes with --precision_mode=allow_mix_precision only, which is "
            f"{shown(args['precision_mode'])}; set that, or leave --modify_mixlist out.",
        )


def _check_framework(args: Args) -> Iterator[OptionError]:
    framework = args.number("framework")
    if framework not in FRAMEWORKS:
        named = ", ".join(f"{number} ({name})" for number, name in FRAMEWORKS.items())
        seen = f"got {framework}" if "framework" in args.given else "it is not given"
        yield option_error(
            "E10007", f"--framework: {seen}; allowed: {named}. Add --framework=5 for an ONNX file."
        )
    elif framework == 0 and not args["weight"]:
        yield option_error(
            "E10008",
            "--weight: no value was given but Caffe models (--framework=0) need one; name the "
            ".caffemodel file.",
        )


def _check_compression(args: Args) -> Iterator[OptionError]:
    yield from one_of("enable_compress_weight", _TRUE_FALSE, "E10005")(args)
    if args["enable_compress_weight"] == "true" and args["compress_weight_conf"]:
        yield option_error(
            "E10047",
            "--enable_compress_weight=true and --compress_weight_conf are set together; they "
            "exclude each other. Keep one.",
        )
    yield from input_file("compress_weight_conf")(args)


def _check_mode(args: Args) -> Iterator[OptionError]:
    if args.number("mode") not in MODES:
        yield option_error(
            "E10001",
            f"--mode: got {args.number('mode')}; allowed: {', '.join(map(str, MODES))}. "
            "Leave it out (0) to compile a model.",
        )


def _check_json_framework(args: Args) -> Iterator[OptionError]:
    framework = args.number("framework")
    if framework not in (-1, 0, 3, 5):
        yield option_error(
            "E10001",
            f"--framework: got {framework}; with --mode=1 allowed: 0 (Caffe), 3 (TensorFlow), "
            "5 (ONNX), or nothing for an .om file.",
        )
    elif framework >= 0:
        yield from one_of("dump_mode", ("0", "1"), "E10006")(args)
        yield from check_input_format(args) if args["dump_mode"] == "1" else ()


def _check_no_framework(args: Args) -> Iterator[OptionError]:
    if args.number("framework") != -1:
        yield option_error(
            "E10001",
            f"--framework: got {args.number('framework')}; --mode=6 shows compiled models and "
            "takes no framework. Leave the flag out.",
        )


_BEFORE_OUTPUT: Final[tuple[Check, ...]] = (
    check_input_format,
    required("model"),
    one_of("disable_reuse_memory", ("0", "1"), "E10006"),
    _check_implementations,
    input_file("op_precision_mode"),
    _check_mixlist,
)
_AFTER_OUTPUT: Final[tuple[Check, ...]] = (
    _check_framework,
    check_inputs,
    check_aipp,
    *map(input_file, ("model", "weight", "cal_conf", "op_name_map", "insert_op_conf")),
    _check_compression,
    input_file("keep_dtype"),
    output_file("check_report"),
    output_file("output", suffix=".om"),
    one_of("save_original_model", _TRUE_FALSE, "E10005"),
    one_of("buffer_optimize", _BUFFERS),
    one_of("enable_single_stream", _TRUE_FALSE, "E10005"),
    one_of("display_model_info", ("0", "1"), "E10006"),
)
# ATC judges these later, one library or another; here they join the same list.
_REST: Final[tuple[Check, ...]] = (
    one_of("enable_small_channel", ("0", "1"), "E10006"),
    each_one_of("is_input_adjust_hw_layout", _TRUE_FALSE, "E10005"),
    each_one_of("is_output_adjust_hw_layout", _TRUE_FALSE, "E10005"),
    one_of("precision_mode", _PRECISIONS),
    one_of("core_type", ("AiCore", "VectorCore")),
    one_of("op_debug_level", ("0", "1", "2", "3", "4")),
    one_of("op_compiler_cache_mode", ("disable", "enable", "force")),
    check_out_nodes,
    check_output_type,
    check_input_fp16_nodes,
    check_soc_version,
    check_stray,
)
_REFUSALS: Final[tuple[Check, ...]] = (refuse_framework, refuse_flags)
_BUILD: Final = (*_BEFORE_OUTPUT, required("output"), *_AFTER_OUTPUT, *_REST)
_READ_OM: Final = (required("om"), input_file("om"))
_WRITE_JSON: Final = (required("json"), output_file("json"))

_STAGES: Final[dict[int, tuple[tuple[Check, ...], ...]]] = {
    0: (_BUILD, (check_gears,), _REFUSALS),
    1: ((*_READ_OM, *_WRITE_JSON, _check_json_framework, check_stray), (refuse_framework,)),
    3: ((*_BEFORE_OUTPUT, *_AFTER_OUTPUT, *_REST), _REFUSALS),
    5: ((*_READ_OM, *_WRITE_JSON, check_stray), (refuse_mode,)),
    6: ((*_READ_OM, _check_no_framework, check_stray),),
}


def _stages(args: Args) -> tuple[tuple[Check, ...], ...]:
    if args["singleop"]:
        return ((input_file("singleop"), check_stray), (refuse_flags,))
    return _STAGES.get(args.number("mode"), ((_check_mode,),))
