"""Find the batch size that an export baked into the graph, and repair it where that is safe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx_ir as ir

from gearshift.analysis.facts import Facts, walk
from gearshift.analysis.nodes import output_names
from gearshift.errors import InternalError, UnsupportedModelError
from gearshift.passes.baked_edit import Editor, Repair
from gearshift.passes.baked_rules import RULES
from gearshift.passes.dead import RemoveDead
from gearshift.passes.two_sizes import TwoSizes
from gearshift.program import Program
from gearshift.tensors import Shape

__all__ = ["Repair", "repair_baked_batch"]

_FACTOR: Final = 61
"""The other batch size is this many times the file's: a prime that is no usual dim, so that a dim
that grew by it grew with the batch."""

_TAKE_PARTS: Final = frozenset({"GatherElements", "GatherND", "Resize", "Slice", "Split"})


def repair_baked_batch(program: Program, shapes: Mapping[str, Shape]) -> tuple[Repair, ...]:
    """Makes a graph that was exported at one batch size work at any, in place.

    Call it after `run_passes` and before the inputs are bound: the file's own input shapes tell
    which batch size was baked.

    Why a repair is safe. Each one keeps the meaning of the graph at the file's batch size to the
    letter; that is checked here, node by node. What it does at other sizes is for the proof of row
    separability to judge: a repaired graph whose rows are proved independent computes, for every
    row, what the file computes at its own size. A repaired graph without that proof must not be
    trusted.

    A file that leaves the batch open and works at several sizes means what it says and is left
    alone, whatever it does to rows.

    Args:
        program: the imported program, with the file's own input shapes.
        shapes: what is asked for; -1 at axis 0 where the gear decides. Inputs that are not listed
            keep the file's shape.

    Returns:
        What was changed, in the graph's order.

    Raises:
        UnsupportedModelError: a batch size is baked in a way that cannot be repaired, or the graph
            does not fit those shapes at all; names the node, its operator and the tensor.
    """
    wanted = {spec.name: shapes.get(spec.name, spec.shape) for spec in program.inputs}
    if not _is_batch_mode(program, wanted):
        return ()
    size = _file_batch(program, wanted)
    if size is None:
        if _works_at(program, wanted, 2) and _works_at(program, wanted, _FACTOR):
            return ()
        size = 1
    return _Repairer(program, wanted, size).run()


def _is_batch_mode(program: Program, wanted: Mapping[str, Shape]) -> bool:
    """Whether some input has its batch open and nothing else is; other wishes are refused later."""
    if any(len(wanted[spec.name]) != len(spec.shape) for spec in program.inputs):
        return False
    return any(-1 in shape for shape in wanted.values()) and not any(
        -1 in shape[1:] for shape in wanted.values()
    )


def _file_batch(program: Program, wanted: Mapping[str, Shape]) -> int | None:
    """The batch size the file fixes, None if it leaves it open."""
    fixed = {
        spec.name: spec.shape[0]
        for spec in program.inputs
        if wanted[spec.name][:1] == (-1,) and spec.shape[0] > 0
    }
    if len(set(fixed.values())) > 1:
        seen = ", ".join(f"'{name}' at {size}" for name, size in fixed.items())
        raise UnsupportedModelError(
            f"the model's inputs fix different batch sizes: {seen}. Give -1 only to inputs that "
            "carry one item per row, or export the model again with one dynamic batch axis.",
            tensor=next(iter(fixed)),
        )
    return next(iter(fixed.values()), None)


def _at(wanted: Mapping[str, Shape], size: int) -> dict[str, Shape]:
    return {name: tuple(size if d == -1 else d for d in dims) for name, dims in wanted.items()}


def _works_at(program: Program, wanted: Mapping[str, Shape], size: int) -> bool:
    try:
        walk(program, _at(wanted, size))
    except UnsupportedModelError:
        return False  # why not is found out, and said, at the file's own size
    return True


class _Repairer:
    """Goes through the graph at two sizes at once and repairs what breaks at the second."""

    def __init__(self, program: Program, wanted: Mapping[str, Shape], size: int) -> None:
        self._model = program.model
        carrier = next(name for name, shape in wanted.items() if -1 in shape)
        self._at = TwoSizes(program.model, size, _FACTOR)
        self._at.start(_at(wanted, size), _at(wanted, size * _FACTOR))
        self._edit = Editor(program.model, self._at, carrier)

    def run(self) -> tuple[Repair, ...]:
        """Repairs the main graph; what is inside If, Loop and Scan is only looked at."""
        for node in list(self._model.graph):
            self._step(node)
        if self._edit.repairs:
            RemoveDead()(self._model)
        return tuple(self._edit.repairs)

    def _step(self, node: ir.Node) -> None:
        at, op_type = self._at, node.op_type
        at.take_old(node)
        before = {name: at.old[name] for name in output_names(node)}
        follows = any(at.has_rows(value) for value in node.inputs)
        count = len(self._edit.repairs)
        if follows and op_type in RULES and node.domain in ("", "ai.onnx"):
            RULES[op_type](self._edit, node)
        if len(self._edit.repairs) > count:
            self._check_unchanged(node, before)
        try:
            at.take_new(node)
        except UnsupportedModelError as error:
            rows = at.batch * at.factor
            raise self._edit.refuse(node, f"At {rows} rows: {error.message}") from error
        if any(len(at.new[name].shape) != len(fact.shape) for name, fact in before.items()):
            raise self._edit.refuse(node, "It drops dims of 1, and the batch was one of them.")
        if op_type in _TAKE_PARTS and at.has_rows(node.inputs[0]):
            self._check_kept(node)

    def _check_unchanged(self, node: ir.Node, before: Facts) -> None:
        """At the file's own batch size a repaired node gives what it gave before."""
        self._at.take_old(node)
        for name, fact in before.items():
            again = self._at.old[name]
            same = (again.dtype, again.shape) == (fact.dtype, fact.shape)
            if same and fact.value is not None and again.value is not None:
                same = np.array_equal(fact.value, again.value)
            if not same:
                raise InternalError(f"the repair of '{name}' changed it: {fact} to {again}")

    def _check_kept(self, node: ir.Node) -> None:
        """A constant that picks a part of the data must not pick a part of the batch."""
        if not any(self._at.has_rows(value) for value in node.outputs):
            raise self._edit.refuse(node, "It takes as many rows as the file has, never more.")
