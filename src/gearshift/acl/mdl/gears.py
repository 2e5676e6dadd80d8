"""The gears of a model: which there are, and setting one before it is executed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import ADDRESS, DICT, SIZE, UINT, ArgumentsError, Refusal, beside, public
from gearshift.acl.codes import Code
from gearshift.acl.mdl.datasets import DATASETS
from gearshift.acl.mdl.described import Description
from gearshift.acl.mdl.model_descs import DESCRIPTIONS, Dims, dims_of
from gearshift.acl.mdl.models import MODELS, Model
from gearshift.gears.gear import Gear, Mode
from gearshift.tensors import MBATCH_INPUT

ANY_INDEX: Final = (1 << 64) - 1
"""-1, which the calls take that have an index to no purpose."""
_NARROW: Final = 4
_WIDE: Final = 8
_SETTERS: Final[dict[Mode, str]] = {
    "batch": "set_dynamic_batch_size",
    "image": "set_dynamic_hw_size",
    "dims": "set_input_dynamic_dims",
}


def _set(model: Model, dataset: int, index: int, mode: Mode, values: Sequence[int]) -> None:
    """Checks in the order that a card does, writes the values, and keeps the gear."""
    address, size = _shape_input(model, dataset, index)
    if not address:
        raise Refusal(
            Code.GE_DYNAMIC_INPUT_ADDRESS_INVALID,
            f"the buffer of {MBATCH_INPUT} points to nothing: allocate it with the size that "
            "acl.mdl.get_input_size_by_index gives",
        )
    if mode != "dims":  # there the card looks at the gear first
        _check_length(size, len(values))
    gear = _gear(model, mode, values)
    _check_length(size, len(gear.values))
    width = _WIDE if size >= _WIDE * len(gear.values) else _NARROW
    written = b"".join(value.to_bytes(width, "little") for value in gear.values)
    BLOCKS.write(address, written)
    DATASETS.get(dataset).gears[model] = gear
    model.current.gear = gear


def _shape_input(model: Model, dataset: int, index: int) -> tuple[int, int]:
    """Address and size of the buffer that carries the gear."""
    place = model.description.gear_input
    held = DATASETS.get(dataset)
    if place is not None and index != place:
        raise Refusal(
            Code.INVALID_PARAM,
            f"input {index} is not {MBATCH_INPUT!r}, which is input {place}: "
            "acl.mdl.get_input_index_by_name finds it",
        )
    if place is None:
        raise Refusal(
            Code.GE_DYNAMIC_BATCH_SIZE_INVALID, "this model was compiled without gears; leave it be"
        )
    buffer = held.buffer(index)
    return buffer.address, buffer.size


def _check_length(size: int, count: int) -> None:
    if size < _NARROW * count:
        raise Refusal(
            Code.GE_DYNAMIC_INPUT_LENGTH_INVALID,
            f"the buffer of {MBATCH_INPUT} has {size} bytes; the gear takes {_NARROW * count}",
        )


def _gear(model: Model, mode: Mode, values: Sequence[int]) -> Gear:
    """The gear of those values; of any dims, of the joined shapes of all inputs."""
    description = model.description
    declared = description.gears.mode
    if declared != mode:
        raise Refusal(
            Code.GE_DYNAMIC_BATCH_SIZE_INVALID,
            f"the gears of this model are set with acl.mdl.{_SETTERS[declared]}",
        )
    if mode == "dims":
        values = _open_values(description, values)
    gear = Gear(tuple(values))
    description.position(gear)
    return gear


def _open_values(description: Description, dims: Sequence[int]) -> tuple[int, ...]:
    """The gear's values out of the joined shapes of all inputs."""
    own = description.joined()
    fixed = [dim in (-1, given) for dim, given in zip(own, dims, strict=False)]
    if len(dims) != len(own) or not all(fixed):
        raise Refusal(
            Code.GE_DYNAMIC_INPUT_LENGTH_INVALID,
            f"dims {list(dims)} are not the shapes of all inputs together, which are {own} with "
            "the gear's values in the place of -1",
        )
    for number, gear in enumerate(description.gears):
        if description.joined(number) == list(dims):
            return gear.values
    return tuple(given for dim, given in zip(own, dims, strict=True) if dim == -1)


@public("acl.mdl.set_dynamic_batch_size", UINT, ADDRESS, SIZE, SIZE)
def set_dynamic_batch_size(model: int, dataset: int, index: int, batch: int) -> int:
    """Sets the batch size that a model runs at, until another is set.

    It is kept with the model and with the dataset; runs with that dataset go by the latter. The
    value is written to the buffer, of 8 bytes if it has as many, else of 4.

    Args:
        model: its number.
        dataset: handle of the dataset of inputs.
        index: of the input ``ascend_mbatch_shape_data``.
        batch: one of the gears.

    Returns:
        0; 145003 if no such model is loaded, 100000 if it is no dataset or another input, 145011 if
        the buffer points to nothing, 145012 if it has fewer than 4 bytes, 145013 if it is not a
        gear, or the gears are of another kind.
    """
    _set(MODELS.get(model), dataset, index, "batch", (batch,))
    return 0


@public("acl.mdl.set_dynamic_hw_size", UINT, ADDRESS, SIZE, SIZE, SIZE)
def set_dynamic_hw_size(model: int, dataset: int, index: int, height: int, width: int) -> int:
    """Sets the image size that a model runs at, until another is set.

    Args:
        model: its number.
        dataset: handle of the dataset of inputs.
        index: of the input ``ascend_mbatch_shape_data``.
        height: of a gear.
        width: of the same gear.

    Returns:
        0; codes as `set_dynamic_batch_size`, 145012 below 8 bytes.
    """
    _set(MODELS.get(model), dataset, index, "image", (height, width))
    return 0


@public("acl.mdl.set_input_dynamic_dims", UINT, ADDRESS, SIZE, DICT)
def set_input_dynamic_dims(model: int, dataset: int, index: int, dims: dict[str, Any]) -> int:
    """Sets the gear of any dims that a model runs at, until another is set.

    Args:
        model: its number.
        dataset: handle of the dataset of inputs.
        index: of the input ``ascend_mbatch_shape_data``.
        dims: ``{"dimCount": n, "name": "", "dims": [...]}``, the shapes of all other inputs in one
            list, in the order in which they were written for the compiler.

    Returns:
        0; codes as `set_dynamic_batch_size`; 145012 also if there are not as many dims as all
        inputs have, or a fixed one is another, or the buffer has fewer than 4 bytes a value.
    """
    values = _read_dims(dims)  # first: what cannot be read is no argument at all
    _set(MODELS.get(model), dataset, index, "dims", values)
    return 0


def _read_dims(dims: dict[str, Any]) -> tuple[int, ...]:
    count, given = dims.get("dimCount"), dims.get("dims")
    if (
        not isinstance(count, int)
        or not isinstance(given, list)
        or not all(type(dim) is int for dim in given)
        or not 0 <= count <= len(given)
    ):
        raise ArgumentsError(
            "acl.mdl.set_input_dynamic_dims args parse failed: argument 4 is "
            f"{dims!r:.80}; it takes {{'dimCount': n, 'name': '', 'dims': [n whole numbers]}}"
        )
    return tuple(given[:count])


def _content(desc: int) -> Description:
    held = DESCRIPTIONS.get(desc)
    held.tensors("input")  # refused while empty
    assert held.content is not None
    return held.content


def _check_index(index: int, also: int | None = None) -> None:
    if index not in (ANY_INDEX, also):
        raise Refusal(Code.INVALID_PARAM, f"index {index}; it is -1 here")


@public("acl.mdl.get_dynamic_batch", ADDRESS, failed=beside({}))
def get_dynamic_batch(desc: int) -> tuple[dict[str, Any], int]:
    """The batch sizes that a model was compiled for, in the order declared.

    Args:
        desc: handle of the description.

    Returns:
        ({"batchCount", "batch": [...]}, 0), with none for a model of another kind; 100000 if it is
        no description.
    """
    gears = _content(desc).gears
    sizes = list(gears.sizes) if gears.mode == "batch" else []
    return {"batchCount": len(sizes), "batch": sizes}, 0


@public("acl.mdl.get_dynamic_hw", ADDRESS, SIZE, failed=beside({}))
def get_dynamic_hw(desc: int, index: int) -> tuple[dict[str, Any], int]:
    """The image sizes that a model was compiled for, in the order declared.

    Args:
        desc: handle of the description.
        index: -1; the input ``ascend_mbatch_shape_data`` is taken as well.

    Returns:
        ({"hwCount", "hw": [[height, width], ...]}, 0), with none for a model of another kind;
        100000 if it is no description, or another index.
    """
    content = _content(desc)
    _check_index(index, content.gear_input)
    gears = content.gears
    sizes = [list(gear.values) for gear in gears] if gears.mode == "image" else []
    return {"hwCount": len(sizes), "hw": sizes}, 0


@public("acl.mdl.get_input_dynamic_gear_count", ADDRESS, SIZE, failed=beside(0))
def get_input_dynamic_gear_count(desc: int, index: int) -> tuple[int, int]:
    """How many gears of any dims a model was compiled for.

    Args:
        desc: handle of the description.
        index: -1.

    Returns:
        (count, 0), 0 for a model of another kind; 100000 if it is no description, or another index.
    """
    content = _content(desc)
    _check_index(index)
    return len(content.gears) if content.gears.mode == "dims" else 0, 0


@public("acl.mdl.get_input_dynamic_dims", ADDRESS, SIZE, SIZE, failed=beside([]))
def get_input_dynamic_dims(desc: int, index: int, count: int) -> tuple[list[Dims], int]:
    """The gears of any dims that a model was compiled for, in the order declared.

    Args:
        desc: handle of the description.
        index: -1.
        count: how many there are, as `get_input_dynamic_gear_count` gives it.

    Returns:
        ([{"name", "dimCount", "dims"}, ...], 0), dims being the shapes of all inputs in one list;
        100000 if it is no description, another index, or fewer than there are.
    """
    content = _content(desc)
    _check_index(index)
    gears = len(content.gears) if content.gears.mode == "dims" else 0
    if count < gears:
        raise Refusal(Code.INVALID_PARAM, f"room for {count} gears; there are {gears}")
    return [dims_of("", content.joined(number)) for number in range(gears)], 0
