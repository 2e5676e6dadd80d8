"""Which inputs of a model have AIPP, and what was compiled into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Final

from gearshift.acl.call import SIZE, UINT, Refusal, beside, public
from gearshift.acl.codes import Code
from gearshift.acl.mdl.described import Aipp, Description, Tensor, pixels
from gearshift.acl.mdl.model_descs import dims_of
from gearshift.acl.mdl.models import MODELS
from gearshift.aipp.spec import StaticAipp

WITHOUT: Final = 0
STATIC: Final = 1
DYNAMIC: Final = 2
PARAMETERS: Final = 3
NOWHERE: Final = 0xFFFFFFFF
"""Index of no input."""


def _check_input(description: Description, index: int) -> None:
    if index >= len(description.inputs):
        raise Refusal(
            Code.GE_PARAM_INVALID, f"input {index} of a model that has {len(description.inputs)}"
        )


@public("acl.mdl.get_aipp_type", UINT, SIZE, failed=beside(WITHOUT, NOWHERE))
def get_aipp_type(model: int, index: int) -> tuple[int, int, int]:
    """Whether an input has AIPP.

    Args:
        model: number of the model.
        index: of the input.

    Returns:
        (0 without, 1 static, 2 dynamic, 3 the parameters of another; position of its parameters, or
        0xFFFFFFFF, 0); 145003 if no such model is loaded, 145000 if there is no such input.
    """
    description = MODELS.get(model).description
    _check_input(description, index)
    known = description.aipp.get(index)
    if known is None:
        places = {each.parameters for each in description.aipp.values()}
        return PARAMETERS if index in places else WITHOUT, NOWHERE, 0
    if known.parameters is None:
        return STATIC, NOWHERE, 0
    return DYNAMIC, known.parameters, 0


@public("acl.mdl.get_first_aipp_info", UINT, SIZE, failed=beside({}))
def get_first_aipp_info(model: int, index: int) -> tuple[dict[str, Any], int]:
    """The static AIPP of an input.

    Args:
        model: number of the model.
        index: of the input.

    Returns:
        (its fields under AscendCL's names, with ``shapeCount`` and ``outDims`` for each gear, 0);
        100038 for an input without static AIPP, 145003 and 145000 as `get_aipp_type`.
    """
    description = MODELS.get(model).description
    _check_input(description, index)
    known = description.aipp.get(index)
    if known is None or known.static is None:
        raise Refusal(Code.NOT_STATIC_AIPP, f"input {index} has no static AIPP")
    return _info(description.inputs[index], known, known.static), 0


def _info(tensor: Tensor, known: Aipp, aipp: StaticAipp) -> dict[str, Any]:
    crop, csc, pad, norm = aipp.crop, aipp.csc, aipp.padding, aipp.normalisation
    matrix = csc.matrix if csc else ((0,) * 3,) * 3
    return {
        "inputFormat": int(aipp.format),
        "srcImageSizeW": aipp.width,
        "srcImageSizeH": aipp.height,
        "cropSwitch": int(crop is not None),
        "loadStartPosW": crop.left if crop else 0,
        "loadStartPosH": crop.top if crop else 0,
        "cropSizeW": crop.width if crop else 0,
        "cropSizeH": crop.height if crop else 0,
        "resizeSwitch": 0,
        "resizeOutputW": 0,
        "resizeOutputH": 0,
        "paddingSwitch": int(pad is not None),
        "leftPaddingSize": pad.left if pad else 0,
        "rightPaddingSize": pad.right if pad else 0,
        "topPaddingSize": pad.top if pad else 0,
        "bottomPaddingSize": pad.bottom if pad else 0,
        "cscSwitch": int(csc is not None),
        "rbuvSwapSwitch": int(aipp.rbuv_swap),
        "axSwapSwitch": int(aipp.ax_swap),
        "singleLineMode": 0,
        **{
            f"matrixR{row}C{column}": matrix[row][column] for row in range(3) for column in range(3)
        },
        **_numbered("outputBias", csc.output_bias if csc else (0,) * 3),
        **_numbered("inputBias", csc.input_bias if csc else (0,) * 3),
        **_numbered("meanChn", norm.mean),
        **_numbered("minChn", norm.minimum),
        **_numbered("varReciChn", norm.var_reci),
        "srcFormat": known.own_format,
        "srcDatatype": known.own_dtype.acl,
        "srcDimNum": len(known.own[0]),
        "shapeCount": len(known.own),
        "outDims": list(_out_dims(tensor, known, aipp)),
        "aippExtend": 0,
    }


def _numbered(name: str, numbers: Sequence[float]) -> dict[str, float]:
    return {f"{name}{place}": number for place, number in enumerate(numbers)}


def _out_dims(tensor: Tensor, known: Aipp, aipp: StaticAipp) -> Iterator[dict[str, Any]]:
    for source, own in zip(tensor.at, known.own, strict=True):
        yield {
            "srcDims": dims_of(tensor.name, pixels(aipp, source)),
            "srcSize": prod(source) * tensor.dtype.itemsize,
            "aippOutdims": dims_of(tensor.name, own),
            "aippOutSize": prod(own) * known.own_dtype.itemsize,
        }
