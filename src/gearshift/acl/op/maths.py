"""Operators that calculate: element by element, along an axis, on matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.op.jobs import Job
from gearshift.acl.op.onnx import (
    Builder,
    Input,
    Node,
    Pick,
    Value,
    cast_to,
    int64s,
    node,
    operator,
)
from gearshift.tensors import Array

_FLOATS: Final = ("float16", "float32", "float64")


def _plain(kind: str, **attributes: Any) -> Builder:
    """One ONNX node on all inputs."""
    return lambda job: [node(kind, *map(Input, range(len(job.inputs))), **attributes)]


def _floats(build: Builder) -> Builder:
    """The same for numbers with a fraction only."""

    def checked(job: Job) -> Sequence[Value]:
        for tensor in job.inputs:
            if tensor.dtype.name not in _FLOATS:
                raise Refusal(
                    Code.UNSUPPORTED_DATA_TYPE,
                    f"{job.name} takes {', '.join(_FLOATS)}, not {tensor}",
                )
        return build(job)

    return checked


def _like(job: Job, value: float) -> Array:
    """A constant of the first input's type."""
    with np.errstate(over="ignore"):  # to infinity, like every number that is too large
        return np.array(value).astype(job.inputs[0].dtype.numpy)


def _swish(job: Job) -> list[Value]:
    scaled = node("Mul", Input(0), _like(job, job.get("scale")))
    return [node("Mul", Input(0), node("Sigmoid", scaled))]


for _name, _kind in {
    "Add": "Add", "Sub": "Sub", "Mul": "Mul", "Maximum": "Max", "Minimum": "Min", "Pow": "Pow",
    "Equal": "Equal", "Greater": "Greater", "GreaterEqual": "GreaterOrEqual", "Less": "Less",
    "LessEqual": "LessOrEqual", "LogicalAnd": "And", "LogicalOr": "Or",
}.items():  # fmt: skip
    operator(_name, _plain(_kind), "x1 x2")
# What a card makes of whole numbers that do not divide is not written down.
for _name in ("Div", "RealDiv"):
    operator(_name, _floats(_plain("Div")), "x1 x2")
operator("NotEqual", lambda job: [node("Not", node("Equal", Input(0), Input(1)))], "x1 x2")
for _name in (
    "Abs", "Neg", "Sign", "Exp", "Log", "Floor", "Ceil", "Sqrt", "Reciprocal", "Sin", "Cos",
    "Tanh", "Sigmoid", "Relu", "Erf", "Softplus", "Softsign", "HardSwish", "Identity",
):  # fmt: skip
    operator(_name, _plain(_name))
for _name in ("Rint", "Round"):  # halves to the even neighbour, as ONNX does
    operator(_name, _plain("Round"))
operator("LogicalNot", _plain("Not"))
operator("Rsqrt", lambda job: [node("Reciprocal", node("Sqrt", Input(0)))])
operator("Square", lambda job: [node("Mul", Input(0), Input(0))])
operator("Relu6", lambda job: [node("Clip", Input(0), _like(job, 0), _like(job, 6))])
operator("Swish", _floats(_swish), scale=1.0)
operator(
    "LeakyRelu",
    lambda job: [node("LeakyRelu", Input(0), alpha=job.get("negative_slope"))],
    negative_slope=0.0,
)
operator("Elu", lambda job: [node("Elu", Input(0), alpha=job.get("alpha"))], alpha=1.0)
operator(
    "ClipByValue",
    lambda job: [node("Min", node("Max", Input(0), Input(1)), Input(2))],
    "x clip_value_min clip_value_max",
)
for _name in ("Select", "SelectV2"):
    operator(_name, _plain("Where"), "condition x1 x2")


def _along_one_axis(kind: str) -> Builder:
    def build(job: Job) -> list[Value]:
        axes = job.wholes("axes")
        if len(axes) != 1:
            raise job.wrong(f"axes {axes}; one is taken")
        return [node(kind, Input(0), axis=job.axis(axes[0]))]

    return build


operator("Softmax", _along_one_axis("Softmax"), axes=(-1,))
operator("SoftmaxV2", _along_one_axis("Softmax"), axes=(-1,), half_to_float=False)
operator("LogSoftmaxV2", _along_one_axis("LogSoftmax"), axes=(-1,))


def _place_of(kind: str) -> Builder:
    """Where along an axis the largest or smallest is, the first if there are several."""

    def build(job: Job) -> list[Value]:
        found = node(kind, Input(0), axis=job.axis(job.whole("dimension")), keepdims=0)
        return [_whole_output(job, 0, found)]

    return build


def _whole_output(job: Job, place: int, value: Value) -> Value:
    """Places as the type that is described, int32 or int64."""
    dtype = job.outputs[place].dtype
    return cast_to(dtype, value) if dtype.name == "int32" else value


for _name in ("ArgMax", "ArgMin"):
    operator(_name, _place_of(_name), "x =dimension", dtype=9)
    operator(f"{_name}D", _place_of(_name), dimension=int, dtype=9)
operator("ArgMaxV2", _place_of("ArgMax"), "x =dimension", dtype=9)


def _largest(job: Job) -> list[Value]:
    axis, count = job.axis(job.whole("dim")), job.whole("k")
    if not 0 < count <= job.shape()[axis]:
        raise job.wrong(f"k is {count} where {job.inputs[0]} has {job.shape()[axis]}")
    options = {"axis": axis, "largest": int(job.get("largest")), "sorted": int(job.get("sorted"))}
    top = Node("TopK", (Input(0), int64s([count])), options, outputs=2)
    return [Pick(top, 0), _whole_output(job, 1, Pick(top, 1))]


_TOP: Final[dict[str, Any]] = {"sorted": True, "dim": -1, "largest": True}
operator("TopKV2", _largest, "x =k", outputs=2, **_TOP, indices_dtype=3)
operator("TopK", _largest, "x =k", outputs=2, **_TOP)
operator("TopKD", _largest, "x ?assist_seq", outputs=2, k=int, **_TOP)


def _reduce(kind: str) -> Builder:
    def build(job: Job) -> list[Value]:
        axes = sorted({job.axis(axis) for axis in job.wholes("axes")})
        if not axes:
            raise job.wrong("axes are empty: what that means depends on the card's software")
        return [node(kind, Input(0), int64s(axes), keepdims=int(job.get("keep_dims")))]

    return build


for _name in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"):
    operator(_name, _reduce(_name), "x =axes", keep_dims=False)
    operator(f"{_name}D", _reduce(_name), axes=tuple, keep_dims=False)


def _product(job: Job, *flags: str) -> Value:
    """The first input times the second, each turned over if one of its two flags says so."""
    sides: list[Value] = []
    for place, names in enumerate((flags[0::2], flags[1::2])):
        side = _as_output(job, place)
        rank = len(job.inputs[place].shape)
        if any(job.get(name) for name in names):
            if rank < 2:
                raise job.wrong(f"{job.inputs[place]} is no matrix to turn over")
            turned = [*range(rank - 2), rank - 1, rank - 2]
            side = node("Transpose", side, perm=turned)
        sides.append(side)
    return node("MatMul", *sides)


def _as_output(job: Job, place: int) -> Value:
    """An input as the output's type, as in sums of int8 products in int32."""
    wanted = job.outputs[0].dtype
    return Input(place) if job.inputs[place].dtype == wanted else cast_to(wanted, Input(place))


def _matrices(*flags: str) -> Builder:
    def build(job: Job) -> list[Value]:
        if "offset_x" in dict(job.settings) and job.get("offset_x"):
            raise job.wrong(f"offset_x is {job.get('offset_x')}; 0 is taken")
        made = _product(job, *flags)
        bias = job.positions("bias")
        return [node("Add", made, _as_output(job, bias[0])) if bias else made]

    return build


def _gemm(job: Job) -> list[Value]:
    def scaled(value: Value, by: str) -> Value:
        factor = _as_output(job, job.positions(by)[0])
        return node("Mul", value, node("Reshape", factor, int64s([])))

    made = scaled(_product(job, "transpose_a", "transpose_b"), "alpha")
    return [node("Add", made, scaled(_as_output(job, 2), "beta"))]


_TURNS: Final = ("transpose_x1", "transpose_x2", "transpose_a", "transpose_b")
_NO_TURNS: Final[dict[str, Any]] = dict.fromkeys(_TURNS, False)
operator("MatMul", _matrices(*_TURNS), "x1 x2 ?bias", **_NO_TURNS)
operator("MatMulV2", _matrices(*_TURNS), "x1 x2 ?bias ?offset_w", **_NO_TURNS, offset_x=0)
operator("BatchMatMul", _matrices("adj_x1", "adj_x2"), "x1 x2", adj_x1=False, adj_x2=False)
operator(
    "BatchMatMulV2",
    _matrices("adj_x1", "adj_x2"),
    "x1 x2 ?bias ?offset_w",
    adj_x1=False,
    adj_x2=False,
    offset_x=0,
)
operator("GEMM", _gemm, "a b c alpha beta", transpose_a=False, transpose_b=False)
