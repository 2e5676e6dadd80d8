"""Every flag of ``atc``, in one table: what it is, and what becomes of it on this target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["supported", "accepted", "refused"]
Kind = Literal["text", "path", "int", "bool"]

FRAMEWORKS: Final = {0: "Caffe", 1: "MindSpore", 3: "TensorFlow", 5: "ONNX"}


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        name: without dashes.
        default: value when the flag is not given, as text.
        status: supported (does what it says), accepted (checked, has no effect here; a note says
            so) or refused (the command ends with the reason).
        help: what it is, and its values.
        note: what becomes of it here; the text of the note or of the refusal.
        kind: which values the flag parser itself takes; a path is recorded by its last part only.
        idle: values that ask for nothing, so that no note is due and nothing is refused.
    """

    name: str
    default: str
    status: Status
    help: str
    note: str = ""
    kind: Kind = "text"
    idle: tuple[str, ...] = ()

    def asks_for_something(self, value: str) -> bool:
        """Whether a user who gives that value wants something of this flag."""
        return any(piece not in ("", *self.idle) for piece in value.split(","))


_FUSION: Final = "fusion is the engine's own affair here"
_TUNING: Final = "there are no Ascend kernels to tune"
_PRECISION: Final = "networks are computed in f32 (gearshift compile --precision chooses)"
_NO_DEVICE: Final = "there is no Ascend device here"


def _supported(name: str, default: str, text: str, note: str = "", kind: Kind = "text") -> Flag:
    return Flag(name, default, "supported", text, note, kind)


def _accepted(
    name: str, default: str, text: str, note: str, *, kind: Kind = "text", idle: str = ""
) -> Flag:
    return Flag(name, default, "accepted", text, note, kind, tuple(idle.split()))


def _refused(name: str, default: str, text: str, note: str, *, idle: str = "") -> Flag:
    return Flag(name, default, "refused", text, note, "text", tuple(idle.split()))


GROUPS: Final[dict[str, tuple[Flag, ...]]] = {
    "Model": (
        _supported(
            "mode",
            "0",
            "0 compile, 1 convert to JSON, 3 check only, 5 dump to JSON, 6 show a model.",
            "0, 1, 3 and 6; 5 is refused after its checks",
            "int",
        ),
        _supported("model", "", "The source model. Required.", kind="path"),
        _supported(
            "framework",
            "-1",
            "0 Caffe, 1 MindSpore, 3 TensorFlow, 5 ONNX. Required.",
            "5 only; 0, 1 and 3 are refused after all checks",
            "int",
        ),
        _accepted("weight", "", "Caffe weights.", "ONNX models carry their weights", kind="path"),
        _supported(
            "om",
            "",
            "The file that modes 1, 5 and 6 read.",
            "a model compiled here; in mode 1 with framework 5, an ONNX file",
            "path",
        ),
        _refused(
            "singleop", "", "JSON file of single operators.", "single operators are not built"
        ),
    ),
    "Inputs": (
        _supported(
            "input_format",
            "",
            "NCHW, ND or NCDHW (ONNX).",
            "says which dims are height and width; dynamic_dims needs ND",
        ),
        _supported(
            "input_shape",
            "",
            'Shapes by input name, "data:-1,3,416,416;img_info:-1,4".',
            "without gears also open: -1 for any size, 1~8 for a range",
        ),
        _supported(
            "dynamic_batch_size",
            "",
            'The gears, 2 to 100 batch sizes: "1,2,4,8".',
            "any number of rows runs, where rows are independent",
        ),
        _supported(
            "dynamic_image_size",
            "",
            'The gears, 2 to 100 heights and widths: "416,416;832,832".',
            "the shapes of a call say which gear runs",
        ),
        _supported(
            "dynamic_dims",
            "",
            'The gears, 2 to 100 times a value for each -1: "20,20;40,40".',
            "leading dims that vary are rows, the others say which gear runs",
        ),
        _supported(
            "input_shape_range",
            "",
            'Open shapes without gears: "data:[1~8,3,-1,-1]".',
            "the engine's own dynamic shapes run it, checked at both ends",
        ),
    ),
    "Output": (
        _supported("output", "", "Where the model goes; .om is appended. Required.", kind="path"),
        _accepted(
            "output_type",
            "",
            "FP32, FP16, UINT8, or node:index:TYPE;...",
            "outputs keep the model's own types; FP16, UINT8 and per-node types are refused",
        ),
        _refused("out_nodes", "", "Outputs as node:index;...", "the outputs are the model's own"),
        _supported(
            "check_report",
            "check_result.json",
            "Where mode 3 reports, and a compile that unsupported operators end.",
            kind="path",
        ),
        _supported("json", "", "Where modes 1 and 5 write.", kind="path"),
        _accepted(
            "save_original_model",
            "",
            "true also saves the unoptimised model.",
            "no second file is written",
            idle="false",
        ),
        _supported("display_model_info", "0", "1 shows the model after the build, as mode 6 does."),
    ),
    "Target": (
        _accepted(
            "soc_version",
            "",
            "The Ascend chip: Ascend310, Ascend310P3, Ascend910B1 ...",
            "recorded in the .om file; the model is compiled for this computer",
        ),
        _accepted("core_type", "AiCore", "AiCore or VectorCore.", _NO_DEVICE),
        _accepted("aicore_num", "", "Number of AI cores.", _NO_DEVICE),
        _accepted("target", "", "Former name of the chip choice.", _NO_DEVICE),
        _accepted("device_id", "0", "Number of the device.", _NO_DEVICE),
    ),
    "Network": (
        _refused(
            "input_fp16_nodes",
            "",
            "Inputs that are given as FP16: name;...",
            "inputs keep the model's own types; put a Cast in front in the model",
        ),
        _supported(
            "insert_op_conf",
            "",
            "AIPP configuration file.",
            "static: part of the model; dynamic: on the host; with batch or image gears, or none",
            "path",
        ),
        _accepted(
            "op_name_map",
            "",
            "Map of custom operators.",
            "ONNX models name their operators",
            kind="path",
        ),
        _refused(
            "is_input_adjust_hw_layout",
            "",
            "true,false,... per input: NC1HWC0 as FP16.",
            "inputs keep the model's own layout",
            idle="false",
        ),
        _refused(
            "is_output_adjust_hw_layout",
            "",
            "true,false,... per output: NC1HWC0 as FP16.",
            "outputs keep the model's own layout",
            idle="false",
        ),
        _refused(
            "cal_conf",
            "",
            "Calibration configuration file.",
            "models are not quantised here; quantise the ONNX file first",
        ),
    ),
    "Tuning the model": (
        _accepted(
            "disable_reuse_memory",
            "0",
            "1 keeps every buffer apart.",
            "the engine manages its memory",
            kind="int",
        ),
        _accepted("fusion_switch_file", "", "Fusion passes to switch.", _FUSION, kind="path"),
        _accepted("enable_scope_fusion_passes", "", "Scope fusion passes.", _FUSION),
        _accepted("buffer_optimize", "l2_optimize", "Use of the card's buffers.", _NO_DEVICE),
        _accepted("enable_single_stream", "", "true runs one stream.", _NO_DEVICE, idle="false"),
        _accepted("enable_small_channel", "0", "1 for few input channels.", _TUNING),
        _accepted(
            "enable_compress_weight",
            "false",
            "true compresses the weights.",
            "weights are stored once, as they are",
        ),
        _accepted(
            "compress_weight_conf",
            "",
            "Nodes whose weights are compressed.",
            "weights are stored once, as they are",
            kind="path",
        ),
        _accepted("mdl_bank_path", "", "Tuned models.", _TUNING, kind="path"),
    ),
    "Tuning the operators": (
        _accepted("precision_mode", "force_fp16", "What to compute in.", _PRECISION),
        _accepted("modify_mixlist", "", "Operators of mixed precision.", _PRECISION, kind="path"),
        _accepted("op_precision_mode", "", "Precision per operator.", _PRECISION, kind="path"),
        _accepted("keep_dtype", "", "Operators that keep their type.", _PRECISION, kind="path"),
        _accepted("auto_tune_mode", "", '"RL,GA".', _TUNING),
        _accepted("op_bank_path", "", "Tuned operators.", _TUNING, kind="path"),
        _accepted("op_select_implmode", "", "high_precision or high_performance ...", _TUNING),
        _accepted("optypelist_for_implmode", "", "Operators it is for.", _TUNING),
        _accepted("op_debug_level", "0", "0 to 4.", _TUNING, kind="int"),
    ),
    "Running atc": (
        _supported("log", "null", "debug, info, warning, error or null."),
        _supported("dump_mode", "0", "1: JSON with shapes, in mode 1 with framework 5."),
        _accepted(
            "debug_dir", "", "Where debug files go.", "no debug files are written", kind="path"
        ),
        _accepted("op_compiler_cache_dir", "", "Cache of kernels.", _TUNING, kind="path"),
        _accepted("op_compiler_cache_mode", "", "disable, enable or force.", _TUNING),
        _supported("h", "false", "Shows this text.", kind="bool"),
        _supported("help", "false", "Shows this text.", kind="bool"),
        _supported("version", "false", "Shows the version.", kind="bool"),
    ),
}
FLAGS: Final[dict[str, Flag]] = {flag.name: flag for group in GROUPS.values() for flag in group}
