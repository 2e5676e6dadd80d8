"""Descriptions of models: made, and filled from a loaded model, a file or memory."""

from __future__ import annotations

from gearshift.acl.call import ADDRESS, SIZE, TEXT, UINT, fallback, public
from gearshift.acl.mdl.described import describe
from gearshift.acl.mdl.load import from_file, from_memory
from gearshift.acl.mdl.model_descs import DESCRIPTIONS, ModelDesc
from gearshift.acl.mdl.models import MODELS, Current
from gearshift.artifact.reader import Artifact


def _fill(desc: int, artifact: Artifact) -> None:
    with artifact:
        content = describe(artifact.manifest)
    held = DESCRIPTIONS.get(desc)
    held.content, held.number, held.current = content, 0, Current()


@public("acl.mdl.create_desc", failed=fallback(0))
def create_desc() -> int:
    """Makes an empty description of a model.

    Returns:
        its handle.
    """
    return DESCRIPTIONS.add(ModelDesc())


@public("acl.mdl.destroy_desc", ADDRESS)
def destroy_desc(desc: int) -> int:
    """Destroys a description.

    Args:
        desc: its handle.

    Returns:
        0; 100000 if it is none.
    """
    DESCRIPTIONS.remove(desc)
    return 0


@public("acl.mdl.get_desc", ADDRESS, UINT)
def get_desc(desc: int, model: int) -> int:
    """Fills a description from a loaded model; it stays when the model is unloaded.

    Args:
        desc: its handle.
        model: number of the model.

    Returns:
        0; 100000 if it is no description, 145003 if no such model is loaded.
    """
    held, loaded = DESCRIPTIONS.get(desc), MODELS.get(model)
    held.content, held.number, held.current = loaded.description, model, loaded.current
    return 0


@public("acl.mdl.get_desc_from_file", ADDRESS, TEXT)
def get_desc_from_file(desc: int, path: str) -> int:
    """Fills a description from a file.

    Args:
        desc: its handle.
        path: of the ``.om`` file.

    Returns:
        0; 100000 if it is no description, codes of files as `acl.mdl.load_from_file`.
    """
    DESCRIPTIONS.get(desc)
    _fill(desc, from_file(path))
    return 0


@public("acl.mdl.get_desc_from_mem", ADDRESS, ADDRESS, SIZE)
def get_desc_from_mem(desc: int, model: int, size: int) -> int:
    """Fills a description from a model in memory.

    Args:
        desc: its handle.
        model: where it starts.
        size: bytes.

    Returns:
        0; 100000 if it is no description, codes of memory as `acl.mdl.load_from_mem`.
    """
    DESCRIPTIONS.get(desc)
    _fill(desc, from_memory(model, size))
    return 0
