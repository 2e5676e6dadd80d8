"""What an operator of the vendor's set is told: tensors, attributes, and where they fit.

An operator is declared by one row: the names of its inputs, how many outputs it has, and its
attributes with their defaults. Names of inputs may begin with a mark:

    =   its values decide what is done, as an attribute would, and builders find them as one
    *   any number of tensors, one at least
    ?   may be left out, at the end or by a description whose type is -1
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.descs import UNDEFINED, TensorDesc
from gearshift.acl.dtypes import ITEM_SIZES
from gearshift.acl.op.attrs import Attribute
from gearshift.tensors import DTYPE_NAMES, Array, DType, Shape, dtype_named, format_shape

NHWC: Final = 1
_PLAIN_FORMATS: Final = {UNDEFINED, 0, NHWC, 2, 16, 27, 30}
"""NCHW, NHWC, ND, HWCN, NDHWC, NCDHW: elements in the order of the dims."""
_DTYPES: Final = {dtype.acl: dtype for dtype in map(dtype_named, DTYPE_NAMES)}
_KINDS: Final = {
    bool: ("bool",),
    int: ("int", "data_type"),
    float: ("float",),
    str: ("string",),
    tuple: ("list_int",),
}


@dataclass(frozen=True)
class Tensor:
    """One input or output as it was described when the call was made.

    Attributes:
        number: AscendCL's number of its type.
        shape: -1 where it is not known.
        format: AscendCL's number of its layout.
        constant: its bytes, if its description holds them.
    """

    number: int
    shape: Shape
    format: int
    constant: bytes | None = field(default=None, compare=False)

    @classmethod
    def of(cls, desc: TensorDesc, role: str) -> Tensor:
        """The tensor of a description; refused if no operator can work on such a thing."""
        if desc.format not in _PLAIN_FORMATS:
            raise Refusal(
                Code.FORMAT_NOT_MATCH,
                f"{role} has format {desc.format}, which only exists on a card; 0 (NCHW), "
                "1 (NHWC) and 2 (ND) are taken",
            )
        if desc.dtype != UNDEFINED and desc.dtype not in ITEM_SIZES:
            raise Refusal(Code.UNSUPPORTED_DATA_TYPE, f"{role} has type {desc.dtype}")
        return cls(desc.dtype, tuple(desc.dims), desc.format, desc.constant)

    @property
    def is_known(self) -> bool:
        """Whether every dim is."""
        return all(dim >= 0 for dim in self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return math.prod(self.shape) * ITEM_SIZES[self.number]

    @property
    def dtype(self) -> DType:
        """Its type, as engines know it; refused for one that they do not take."""
        if self.number not in _DTYPES:
            raise Refusal(
                Code.UNSUPPORTED_DATA_TYPE,
                f"type {self.number}; operators take "
                f"{', '.join(f'{number} ({dtype.name})' for number, dtype in _DTYPES.items())}",
            )
        return _DTYPES[self.number]

    def __str__(self) -> str:
        name = _DTYPES[self.number].name if self.number in _DTYPES else f"type {self.number}"
        return f"{name}{format_shape(self.shape)}"


class Prepared(Protocol):
    """An operator ready to run on tensors of certain types and shapes."""

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Of the outputs."""

    def run(self, feeds: Sequence[Array]) -> list[Array]:
        """The outputs, of what lies in the inputs: one-dimensional arrays of bytes."""


@dataclass(frozen=True)
class Job:
    """One operator on certain tensors. Equal jobs are prepared once.

    Attributes:
        name: of the operator.
        inputs: those that are data; an operator's values are among the settings.
        outputs: in order.
        names: what the operator calls each input, once for each tensor.
        settings: attributes and values, by name.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    names: tuple[str, ...]
    settings: tuple[tuple[str, Any], ...]

    def get(self, name: str) -> Any:
        """One setting."""
        return dict(self.settings)[name]

    def whole(self, name: str) -> int:
        """A setting that is one whole number: an attribute, or the value of an input."""
        value = self.get(name)
        if isinstance(value, tuple):
            if len(value) != 1:
                raise Refusal(Code.OP_INPUT_NOT_MATCH, f"{name} is {list(value)}, not one value")
            value = value[0]
        return int(value)

    def wholes(self, name: str) -> list[int]:
        """A setting that is a list of whole numbers."""
        return list(self.get(name))

    def positions(self, name: str) -> list[int]:
        """Where among the inputs those of that name are."""
        return [place for place, own in enumerate(self.names) if own == name]

    def shape(self, name: str = "x") -> Shape:
        """Shape of the first input of that name."""
        return self.inputs[self.positions(name)[0]].shape

    def axis(self, value: int, rank: int | None = None) -> int:
        """An axis of the first input, counted from 0; refused if there is none."""
        rank = len(self.inputs[0].shape) if rank is None else rank
        if not -rank <= value < rank:
            raise self.wrong(f"axis {value} of a tensor that has {rank}")
        return value % rank

    def wrong(self, message: str) -> Refusal:
        """A setting that does not go with the tensors."""
        return Refusal(Code.OP_ATTR_NOT_MATCH, f"{self.name}: {message}")


@dataclass(frozen=True)
class Operator:
    """One row of the table.

    Attributes:
        prepare: makes a job ready to run.
        inputs: names with marks.
        outputs: how many there are; 0 for any number.
        attributes: defaults by name, or the type of one that has to be given.
    """

    prepare: Callable[[Job], Prepared]
    inputs: tuple[str, ...]
    outputs: int
    attributes: Mapping[str, Any]

    def deal(self, name: str, tensors: Sequence[Tensor]) -> list[str]:
        """Which of its inputs each tensor is; empty for one that was left out."""
        fewest = sum(not own.startswith("?") for own in self.inputs)
        is_open = any(own.startswith("*") for own in self.inputs)
        if len(tensors) < fewest or not (is_open or len(tensors) <= len(self.inputs)):
            raise Refusal(
                Code.OP_INPUT_NOT_MATCH,
                f"{name} has inputs {', '.join(own.lstrip('=*?') for own in self.inputs)}; "
                f"{len(tensors)} were given",
            )
        more = len(tensors) - len(self.inputs) if is_open else 0
        spread = [own for own in self.inputs for _ in range(1 + more * own.startswith("*"))]
        return [
            "" if tensor.number == UNDEFINED and own.startswith("?") else own
            for own, tensor in zip(spread, tensors, strict=False)
        ]

    def settings(self, name: str, given: Mapping[str, Attribute]) -> dict[str, Any]:
        """Every attribute, given or by default; refused if one is unknown or of another kind."""
        for own, attribute in given.items():
            kinds = _KINDS[_type(self.attributes[own])] if own in self.attributes else ()
            if attribute.kind not in kinds:
                known = ", ".join(
                    f"{other} ({_KINDS[_type(default)][0]})"
                    for other, default in self.attributes.items()
                )
                raise Refusal(
                    Code.OP_ATTR_NOT_MATCH,
                    f"{name} has no attribute {own!r} of kind {attribute.kind}; "
                    f"its attributes are: {known or 'none'}",
                )
        missing = [
            own for own, default in self.attributes.items()
            if isinstance(default, type) and own not in given
        ]  # fmt: skip
        if missing:
            raise Refusal(Code.OP_ATTR_NOT_MATCH, f"{name} needs attribute {missing[0]!r}")
        return {
            own: given[own].value if own in given else default
            for own, default in self.attributes.items()
        }


def _type(default: Any) -> type:
    return default if isinstance(default, type) else type(default)


OPERATORS: Final[dict[str, Operator]] = {}
"""Every operator there is, by the vendor's name of its type."""


def operator_named(name: str) -> Operator:
    """The operator of that type; refused if it is not in the table."""
    if name not in OPERATORS:
        raise Refusal(
            Code.OP_NOT_FOUND,
            f"operator {name!r} is not one that runs here; those that do: "
            f"{', '.join(sorted(OPERATORS))}",
        )
    return OPERATORS[name]


def values_of(name: str, tensor: Tensor, data: Array) -> tuple[int, ...]:
    """The whole numbers in an input whose values decide what is done."""
    if tensor.dtype.name not in ("int32", "int64"):
        raise Refusal(Code.OP_INPUT_NOT_MATCH, f"{name} is {tensor}; int32 and int64 are taken")
    return tuple(int(value) for value in np.frombuffer(data.tobytes(), tensor.dtype.numpy))
