"""Loading and running with settings, and dumps, which there are none of."""

from __future__ import annotations

from typing import Any, Final

from gearshift.acl.call import (
    ADDRESS,
    ANY,
    FUNCTION,
    INT,
    LONG,
    SIZE,
    TEXT,
    UINT,
    ArgumentsError,
    Kind,
    Refusal,
    beside,
    fallback,
    public,
)  # fmt: skip
from gearshift.acl.codes import Code
from gearshift.acl.handles import Handles
from gearshift.acl.mdl.load import check_memory, from_file, from_memory
from gearshift.acl.mdl.models import MODELS
from gearshift.acl.mdl.run import execute, execute_async

PRIORITY: Final = 0
LOAD_TYPE: Final = 1
PATH: Final = 2
MODEL_ADDRESS: Final = 3
MODEL_SIZE: Final = 4
WEIGHT_ADDRESS: Final = 5
WEIGHT_SIZE: Final = 6
WORK_ADDRESS: Final = 7
WORK_SIZE: Final = 8
WEIGHT_PATH: Final = 14

FROM_FILE: Final = (1, 2)
FROM_MEMORY: Final = (3, 4)
FROM_QUEUES: Final = (5, 6)

_KINDS: Final[dict[int, Kind]] = {
    PRIORITY: INT,
    PATH: TEXT,
    MODEL_ADDRESS: ADDRESS,
    WEIGHT_ADDRESS: ADDRESS,
    WORK_ADDRESS: ADDRESS,
    WEIGHT_PATH: ADDRESS,
}
_LAST_SETTING: Final = 15
_LAST_RUN_SETTING: Final = 3

LOADS: Final[Handles[dict[int, Any]]] = Handles("set of settings for loading")
RUNS: Final[Handles[dict[int, int]]] = Handles("set of settings for running")


@public("acl.mdl.create_config_handle", failed=fallback(0))
def create_config_handle() -> int:
    """Makes settings for `load_with_config`.

    Returns:
        their handle.
    """
    return LOADS.add({})


@public("acl.mdl.destroy_config_handle", ADDRESS)
def destroy_config_handle(handle: int) -> int:
    """Destroys settings for loading.

    Args:
        handle: of the settings.

    Returns:
        0; 100000 if there are none.
    """
    LOADS.remove(handle)
    return 0


@public("acl.mdl.set_config_opt", ADDRESS, INT, ANY)
def set_config_opt(handle: int, attribute: int, value: Any) -> int:
    """Sets how a model is loaded.

    Args:
        handle: of the settings.
        attribute: 1 from what (1 a file, 2 with memory, 3 memory, 4 with memory), 2 the path, 3 and
            4 address and size of the model, 5 and 6 memory for weights, 7 and 8 memory to work in;
            others up to 15 have no meaning here.
        value: a str for the path, else an int.

    Returns:
        0; 100000 if there are no such settings, or no such attribute.
    """
    settings = LOADS.get(handle)
    if not 0 <= attribute <= _LAST_SETTING:
        raise Refusal(Code.INVALID_PARAM, f"attribute {attribute}; allowed: 0 to {_LAST_SETTING}")
    try:
        settings[attribute] = _KINDS.get(attribute, SIZE).read(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentsError(
            f"acl.mdl.set_config_opt args parse failed: attribute {attribute} is {value!r:.80}: "
            f"{error}"
        ) from error
    return 0


@public("acl.mdl.load_with_config", ADDRESS, failed=beside(0))
def load_with_config(handle: int) -> tuple[int, int]:
    """Loads a model as settings say.

    Args:
        handle: of the settings.

    Returns:
        (number of the model, 0); 100000 if there are no such settings or something is missing in
        them, 200006 for queues, codes as `load_from_file_with_mem` and `load_from_mem_with_mem`.
    """
    settings = LOADS.get(handle)
    kind = settings.get(LOAD_TYPE, 0)
    if kind in FROM_QUEUES:
        raise Refusal(Code.FEATURE_UNSUPPORTED, "queues are of a card; load the model without")
    check_memory(settings.get(WORK_ADDRESS, 0), settings.get(WORK_SIZE, 0), "work")
    check_memory(settings.get(WEIGHT_ADDRESS, 0), settings.get(WEIGHT_SIZE, 0), "weight")
    if kind in FROM_FILE and PATH in settings:
        return MODELS.load(from_file(settings[PATH])), 0
    if kind in FROM_MEMORY:
        address, size = settings.get(MODEL_ADDRESS, 0), settings.get(MODEL_SIZE, 0)
        return MODELS.load(from_memory(address, size)), 0
    raise Refusal(
        Code.INVALID_PARAM,
        f"settings {settings} name no model: set attribute 1 to 1 and 2 to the path of a file, or "
        "1 to 3 and 3 and 4 to address and size",
    )


@public("acl.mdl.create_exec_config_handle", failed=fallback(0))
def create_exec_config_handle() -> int:
    """Makes settings for `execute_v2`.

    Returns:
        their handle.
    """
    return RUNS.add({})


@public("acl.mdl.destroy_exec_config_handle", ADDRESS)
def destroy_exec_config_handle(handle: int) -> int:
    """Destroys settings for running.

    Args:
        handle: of the settings.

    Returns:
        0; 100000 if there are none.
    """
    RUNS.remove(handle)
    return 0


@public("acl.mdl.set_exec_config_opt", ADDRESS, LONG, UINT, status="accepted")
def set_exec_config_opt(handle: int, attribute: int, value: int) -> int:
    """Takes note of how a model is run, which has no meaning here.

    Args:
        handle: of the settings.
        attribute: 0 to 3.
        value: any.

    Returns:
        0; 100000 if there are no such settings, or no such attribute.
    """
    settings = RUNS.get(handle)
    if not 0 <= attribute <= _LAST_RUN_SETTING:
        raise Refusal(
            Code.INVALID_PARAM, f"attribute {attribute}; allowed: 0 to {_LAST_RUN_SETTING}"
        )
    settings[attribute] = value
    return 0


@public("acl.mdl.execute_v2", UINT, ADDRESS, ADDRESS, ADDRESS, ADDRESS)
def execute_v2(model: int, inputs: int, outputs: int, stream: int, handle: int) -> int:
    """Runs a model as `execute` does, and waits for it.

    Args:
        model: its number.
        inputs: handle of the dataset of inputs.
        outputs: handle of the dataset of outputs.
        stream: has no meaning, as the call waits.
        handle: settings for running, or 0.

    Returns:
        as `execute`; 100000 also if there are no such settings.
    """
    if handle:
        RUNS.get(handle)
    return execute(model, inputs, outputs)


@public("acl.mdl.execute_async_v2", UINT, ADDRESS, ADDRESS, ADDRESS, ADDRESS)
def execute_async_v2(model: int, inputs: int, outputs: int, stream: int, handle: int) -> int:
    """Runs a model as `execute_async` does.

    Args:
        model: its number.
        inputs: handle of the dataset of inputs.
        outputs: handle of the dataset of outputs.
        stream: its handle; 0 is the default one of the context.
        handle: settings for running, or 0.

    Returns:
        as `execute_async`; 100000 also if there are no such settings.
    """
    if handle:
        RUNS.get(handle)
    return execute_async(model, inputs, outputs, stream)


@public("acl.mdl.init_dump", status="accepted")
def init_dump() -> int:
    """Takes note that dumps are wanted; there are none here.

    Returns:
        0.
    """
    return 0


@public("acl.mdl.set_dump", TEXT, optional=1, status="accepted")
def set_dump(path: str = "") -> int:
    """Takes note of which dumps are wanted; there are none here.

    Args:
        path: of a JSON file.

    Returns:
        0.
    """
    return 0


@public("acl.mdl.finalize_dump", status="accepted")
def finalize_dump() -> int:
    """Takes note that dumps are wanted no more.

    Returns:
        0.
    """
    return 0


@public("acl.mdl.dump_reg_callback", FUNCTION, INT, status="accepted")
def dump_reg_callback(function: Any, flag: int) -> int:
    """Takes a function for dumps, which is never called.

    Args:
        function: any.
        flag: any.

    Returns:
        0.
    """
    return 0


@public("acl.mdl.dump_unreg_callback", failed=fallback(None), status="accepted")
def dump_unreg_callback() -> None:
    """Takes the function for dumps back.

    Returns:
        None.
    """
