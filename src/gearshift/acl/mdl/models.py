"""Loaded models: a session each, the gear that was set last, and what a run needs to know."""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Final

from gearshift.acl import contexts
from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.leaving import WORK
from gearshift.acl.mdl.described import Description, Tensor, describe
from gearshift.acl.runtime import is_running
from gearshift.artifact.reader import Artifact
from gearshift.gears.gear import Gear
from gearshift.options import SessionOptions
from gearshift.session import Session
from gearshift.tensors import Array, Shape


@dataclass(frozen=True)
class Part:
    """One tensor of a run.

    Attributes:
        index: position in the dataset.
        tensor: what it is.
        shape: at the run's gear.
        nbytes: what it takes then.
    """

    index: int
    tensor: Tensor
    shape: Shape
    nbytes: int


@dataclass(frozen=True)
class Layout:
    """What a run at one gear reads and writes.

    Attributes:
        inputs: the model's own inputs whose shapes the gear decides, or nothing does.
        outputs: all of them.
    """

    inputs: tuple[Part, ...]
    outputs: tuple[Part, ...]


@dataclass(frozen=True)
class Views:
    """Arrays over a program's memory, or over copies of it, that a run reads and writes.

    Attributes:
        freed: how much memory had been freed when they were made: they are good until more is.
        feeds: what is read.
        into: what is written; None where a copy is safer.
    """

    freed: int
    feeds: list[Array]
    into: list[Array | None]

    @property
    def are_shared(self) -> bool:
        """Whether all of them lie over the program's own memory."""
        return all(
            array is not None and array.base is not None for array in (*self.feeds, *self.into)
        )


@dataclass
class Current:
    """What a model is set to, which its descriptions show, also once it is unloaded.

    Attributes:
        gear: the one that was set last; None before.
    """

    gear: Gear | None = None


class Model:
    """A loaded model. Safe to use from several threads.

    Attributes:
        number: what programs know it by.
        description: what it says of itself.
        session: runs it.
        current: what it is set to.
        views: those of late, by gear and memory.
    """

    def __init__(self, number: int, artifact: Artifact) -> None:
        self.number = number
        self.description: Description = describe(artifact.manifest)
        # A program waits for no measurement unless it asks for one; what is known is used.
        asked = os.environ.get("GEARSHIFT_TUNE_SECONDS")
        self.session = Session(artifact, SessionOptions(tune=None if asked else 0))
        self.current = Current()
        self.views: dict[object, Views] = {}
        self._process = os.getpid()
        self._layouts: dict[Gear | None, Layout] = {}

    def layout(self, gear: Gear | None) -> Layout:
        """What a run at that gear takes; whatever it runs on is built the first time."""
        found = self._layouts.get(gear)
        if found is None:
            if gear is not None:
                self.session.prepare(gear.values)
            number = 0 if gear is None else self.description.position(gear)
            own, fed = self.description.own_inputs, self.description.fed
            found = Layout(
                inputs=_parts({i: own[i] for i in range(len(own)) if i not in fed}, number),
                outputs=_parts(dict(enumerate(self.description.outputs)), number),
            )
            self._layouts[gear] = found
        return found

    @cached_property
    def is_plain(self) -> bool:
        """Whether the gear alone says what a run takes."""
        return not (self.is_range or self.description.fed)

    @cached_property
    def is_range(self) -> bool:
        """Whether the shapes of each call come with its datasets."""
        return self.description.gears.mode == "range"

    def close(self) -> None:
        """Gives everything back, once the runs under way have ended."""
        if self._process == os.getpid():  # in a forked process those of the parent never end
            self.session.close()


def _parts(tensors: dict[int, Tensor], number: int) -> tuple[Part, ...]:
    return tuple(
        Part(index, tensor, shape, tensor.dtype.itemsize * prod(max(dim, 0) for dim in shape))
        for index, tensor in tensors.items()
        for shape in [tensor.at[number] if tensor.at else tensor.dims]
    )


class Models:
    """The models that are loaded, by number. Safe to use from several threads."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._loaded: dict[int, Model] = {}
        self._lock = threading.Lock()

    def load(self, artifact: Artifact) -> int:
        """Loads what is in an artifact, which is closed with it.

        Raises:
            Refusal: 145001 before `acl.init`, 107002 in a thread without a context.
            GearshiftError: the artifact cannot be run.
        """
        try:
            if not is_running():
                raise Refusal(Code.GE_NOT_INITIALIZED, "acl.init has to be called first")
            contexts.current()
            with WORK:
                model = Model(next(self._numbers), artifact)
        except BaseException:
            artifact.close()
            raise
        with self._lock:
            self._loaded[model.number] = model
        return model.number

    def get(self, number: int) -> Model:
        """The model of a number; refused if there is none (any more)."""
        try:
            return self._loaded[number]
        except KeyError:
            raise self._refusal(number) from None

    def everything(self) -> tuple[Model, ...]:
        """Every model that is loaded."""
        return tuple(self._loaded.values())

    def unload(self, number: int) -> None:
        """Gives a model back, once the runs under way have ended."""
        with self._lock:
            model = self._loaded.pop(number, None)
        if model is None:
            raise self._refusal(number)
        model.close()

    def _refusal(self, number: int) -> Refusal:
        there = ", ".join(map(str, sorted(self._loaded))) or "none"
        return Refusal(
            Code.GE_MODEL_ID_INVALID, f"no model {number} is loaded; those that are: {there}"
        )


MODELS: Final = Models()


def _keep_inherited() -> None:
    """In a forked process an engine's end would wait for threads that did not come along."""
    for model in MODELS.everything():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(model))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_inherited)
