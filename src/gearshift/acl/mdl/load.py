"""Loading models: from files or memory, and what they take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gearshift.acl.blocks import BLOCKS
from gearshift.acl.call import ADDRESS, SIZE, TEXT, UINT, Refusal, beside, public
from gearshift.acl.codes import Code
from gearshift.acl.mdl.models import MODELS
from gearshift.artifact.reader import Artifact
from gearshift.errors import TruncatedArtifactError


def from_file(path: str) -> Artifact:
    """An artifact that lies in a file."""
    with _as_calls_say_it():
        return Artifact.open(path)


def from_memory(address: int, size: int) -> Artifact:
    """An artifact that lies in a program's memory, which it may free at once."""
    if not address or not size:
        raise Refusal(Code.INVALID_PARAM, f"a model of {size} bytes at {address:#x}")
    with _as_calls_say_it():
        return Artifact.from_bytes(BLOCKS.read(address, size))


@contextmanager
def _as_calls_say_it() -> Iterator[None]:
    """On a card, too, 145006 is what is found out inside, and 145000 what the call answers."""
    try:
        yield
    except TruncatedArtifactError as error:
        raise Refusal(Code.GE_PARAM_INVALID, error.message) from error


def check_memory(address: int, size: int, what: str) -> None:
    """Memory that a program gives a model to work in: either none, or as much as it says."""
    if bool(address) != bool(size):
        raise Refusal(Code.INVALID_PARAM, f"{what} memory of {size} bytes at {address:#x}")
    if address:
        BLOCKS.check_there(address, size)


@public("acl.mdl.load_from_file", TEXT, failed=beside(0))
def load_from_file(path: str) -> tuple[int, int]:
    """Loads a model.

    Args:
        path: of an ``.om`` file that `atc` or `gearshift compile` made.

    Returns:
        (its number, 0); 145002 if there is no such file, 145000 if it is none of ours (one for a
        card among them) or is cut off, 145001 before `acl.init`, 107002 in a thread without a
        context, 500002 if no engine runs it.
    """
    return MODELS.load(from_file(path)), 0


@public("acl.mdl.load_from_mem", ADDRESS, SIZE, failed=beside(0))
def load_from_mem(model: int, size: int) -> tuple[int, int]:
    """Loads a model from memory, which may be freed at once.

    Args:
        model: where it starts.
        size: bytes.

    Returns:
        (its number, 0); 100000 for null or no bytes, 107000 for memory that cannot be read, other
        codes as `load_from_file`.
    """
    return MODELS.load(from_memory(model, size)), 0


@public("acl.mdl.load_from_file_with_mem", TEXT, ADDRESS, SIZE, ADDRESS, SIZE, failed=beside(0))
def load_from_file_with_mem(
    path: str, work: int, work_size: int, weight: int, weight_size: int
) -> tuple[int, int]:
    """Loads a model, which may work in memory of the program's. It is checked and left alone.

    Args:
        path: as for `load_from_file`.
        work: where memory for runs starts, or 0.
        work_size: bytes.
        weight: where memory for weights starts, or 0.
        weight_size: bytes.

    Returns:
        as `load_from_file`; 100000 if only one of address and size is 0, 107000 for memory that
        cannot be used.
    """
    check_memory(work, work_size, "work")
    check_memory(weight, weight_size, "weight")
    return MODELS.load(from_file(path)), 0


@public(
    "acl.mdl.load_from_mem_with_mem", ADDRESS, SIZE, ADDRESS, SIZE, ADDRESS, SIZE, failed=beside(0)
)
def load_from_mem_with_mem(
    model: int, size: int, work: int, work_size: int, weight: int, weight_size: int
) -> tuple[int, int]:
    """Loads a model from memory, which may work in memory of the program's.

    Args:
        model: where it starts.
        size: bytes.
        work: where memory for runs starts, or 0.
        work_size: bytes.
        weight: where memory for weights starts, or 0.
        weight_size: bytes.

    Returns:
        as `load_from_mem` and `load_from_file_with_mem`.
    """
    check_memory(work, work_size, "work")
    check_memory(weight, weight_size, "weight")
    return MODELS.load(from_memory(model, size)), 0


@public(
    "acl.mdl.load_from_file_with_q",
    *(TEXT, ADDRESS, SIZE, ADDRESS, SIZE),
    failed=beside(0),
    status="refused",
)
def load_from_file_with_q(
    path: str, inputs: int, input_count: int, outputs: int, output_count: int
) -> tuple[int, int]:
    """Is refused: there are no queues of a card.

    Args:
        path: of the model.
        inputs: queues of inputs.
        input_count: how many.
        outputs: queues of outputs.
        output_count: how many.

    Returns:
        (0, 200006).
    """
    raise Refusal(Code.FEATURE_UNSUPPORTED, "queues are of a card; load the model without")


@public(
    "acl.mdl.load_from_mem_with_q",
    *(ADDRESS, SIZE, ADDRESS, SIZE, ADDRESS, SIZE),
    failed=beside(0),
    status="refused",
)
def load_from_mem_with_q(
    model: int, size: int, inputs: int, input_count: int, outputs: int, output_count: int
) -> tuple[int, int]:
    """Is refused: there are no queues of a card.

    Args:
        model: where it starts.
        size: bytes.
        inputs: queues of inputs.
        input_count: how many.
        outputs: queues of outputs.
        output_count: how many.

    Returns:
        (0, 200006).
    """
    raise Refusal(Code.FEATURE_UNSUPPORTED, "queues are of a card; load the model without")


@public("acl.mdl.unload", UINT)
def unload(model: int) -> int:
    """Gives a model back, once the runs under way have ended; also after `acl.finalize`.

    Args:
        model: its number.

    Returns:
        0; 145003 if no such model is loaded.
    """
    MODELS.unload(model)
    return 0


def _sizes(artifact: Artifact) -> tuple[int, int]:
    """Bytes of runs of the gear that takes most, and of the weights."""
    with artifact:
        work = max((gear.predicted_bytes for gear in artifact.manifest.gears), default=0)
        # Never 0: programs allocate as much, and nothing cannot be allocated.
        return max(work, 1), max(len(artifact.pool), 1)


@public("acl.mdl.query_size", TEXT, failed=beside(0, 0))
def query_size(path: str) -> tuple[int, int, int]:
    """What a model takes: as predicted for the gear that takes most, and its weights.

    Args:
        path: as for `load_from_file`.

    Returns:
        (bytes to work in, bytes of weights, 0); codes as `load_from_file`.
    """
    return *_sizes(from_file(path)), 0


@public("acl.mdl.query_size_from_mem", ADDRESS, SIZE, failed=beside(0, 0))
def query_size_from_mem(model: int, size: int) -> tuple[int, int, int]:
    """What a model takes that lies in memory.

    Args:
        model: where it starts.
        size: bytes.

    Returns:
        as `query_size`; codes as `load_from_mem`.
    """
    return *_sizes(from_memory(model, size)), 0
