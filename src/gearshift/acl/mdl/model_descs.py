"""The descriptions of models that programs hold."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.handles import Handles
from gearshift.acl.mdl.described import Description, Tensor
from gearshift.acl.mdl.models import Current

Role = Literal["input", "output"]
Dims = dict[str, Any]
"""``{"name": str, "dimCount": int, "dims": [int, ...]}``."""

LONGEST_NAME: Final = 127
"""Characters of a name that AscendCL's structures have room for."""


@dataclass
class ModelDesc:
    """A description that a program holds; empty until it is filled.

    Attributes:
        content: of which model; None while empty.
        number: of the model it was filled from; 0 if from a file.
        current: what that model is set to.
    """

    content: Description | None = None
    number: int = 0
    current: Current = field(default_factory=Current)

    def tensors(self, role: Role) -> tuple[Tensor, ...]:
        """All inputs or outputs; refused while empty."""
        if self.content is None:
            raise Refusal(Code.INVALID_PARAM, "the description is empty: acl.mdl.get_desc fills it")
        return self.content.inputs if role == "input" else self.content.outputs

    def tensor(self, role: Role, index: int) -> Tensor:
        """One of them; refused if there is none."""
        tensors = self.tensors(role)
        if index >= len(tensors):
            raise Refusal(
                Code.INVALID_PARAM, f"{role} {index} of a model that has {len(tensors)} {role}s"
            )
        return tensors[index]

    def shown_name(self, role: Role, index: int) -> str:
        """The name as structures hold it: one that is too long is replaced."""
        name = self.tensor(role, index).name
        if len(name) <= LONGEST_NAME:
            return name
        return f"acl_modelId_{self.number}_{role}_{index}_{zlib.crc32(name.encode()):08x}"

    def shown_names(self) -> Iterator[tuple[str, str]]:
        """Every name as structures hold it, and as the model spells it."""
        roles: tuple[Role, Role] = ("input", "output")
        for role in roles:
            for index, tensor in enumerate(self.tensors(role)):
                yield self.shown_name(role, index), tensor.name

    def index_of(self, role: Role, name: str) -> int:
        """Position of the one of that name, in either spelling; refused if there is none."""
        names = [tensor.name for tensor in self.tensors(role)]
        shown = [self.shown_name(role, index) for index in range(len(names))]
        for known in (names, shown):
            if name in known:
                return known.index(name)
        raise Refusal(Code.INVALID_PARAM, f"no {role} is called {name!r}; there are {names}")

    def dims(self, role: Role, index: int, shape: Sequence[int]) -> Dims:
        """A shape of one of them, as a structure."""
        return dims_of(self.shown_name(role, index), shape)


DESCRIPTIONS: Final[Handles[ModelDesc]] = Handles("model description")


def dims_of(name: str, shape: Sequence[int]) -> Dims:
    """A shape under a name, as a structure."""
    return {"name": name, "dimCount": len(shape), "dims": list(shape)}
