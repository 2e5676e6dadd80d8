"""Bind a program's inputs to the shapes that were asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import onnx_ir as ir

from gearshift.errors import OptionError, OptionErrors, did_you_mean
from gearshift.program import Program
from gearshift.tensors import Shape, TensorSpec, format_shape

ROWS_DIM = "gearshift_rows"
"""Name of the dim that the gear decides, in every graph that is handed to an engine."""


def bind_inputs(program: Program, shapes: Mapping[str, Shape]) -> Program:
    """The program with the listed inputs' shapes replaced; -1 becomes the gear's dim.

    Inputs that are not listed keep their shape. Changes the graph in place.

    Raises:
        OptionErrors: a name is not in the model (E10016) or is not an input (E10017), or the number
            of dims differs from the model's (E10001).
    """
    specs = {spec.name: spec for spec in program.inputs}
    errors = [
        error for name, shape in shapes.items() if (error := _fault(program, specs, name, shape))
    ]
    if errors:
        raise OptionErrors(errors)
    bound = tuple(
        dataclasses.replace(spec, shape=shapes.get(spec.name, spec.shape))
        for spec in program.inputs
    )
    values = {value.name: value for value in program.model.graph.inputs}
    for spec in bound:
        values[spec.name].shape = ir.Shape(
            [
                _dim_name(spec.name, axis) if dim == -1 else dim
                for axis, dim in enumerate(spec.shape)
            ]
        )
    return dataclasses.replace(program, inputs=bound)


def _dim_name(name: str, axis: int) -> str:
    """Rows are one dim of all inputs; about others nothing is known."""
    return f"{name}_{axis}" if axis else ROWS_DIM


def _fault(
    program: Program, specs: Mapping[str, TensorSpec], name: str, shape: Shape
) -> OptionError | None:
    if name not in specs:
        known = ", ".join(f"{spec.name}{format_shape(spec.shape)}" for spec in specs.values())
        is_inside = program.has_inside(name)
        what = "is inside the model, not an input" if is_inside else "is not in the model"
        return OptionError(
            f"--input_shape names {name!r}, which {what}; its inputs are {known}."
            + did_you_mean(name, specs),
            code="E10017" if is_inside else "E10016",
        )
    rank = len(specs[name].shape)
    if len(shape) != rank:
        return OptionError(
            f"--input_shape gives {name!r} {len(shape)} dims, {format_shape(shape)}; the model's "
            f"{name!r} has {rank}, {format_shape(specs[name].shape)}. Give {rank} dims.",
            code="E10001",
        )
    return None
