"""Follow rows through an operator whose axes have names, as in Einstein's notation.

An entry of the output is computed from those entries of the operands that agree with it in every
label they share; a label that the output lacks is mixed (summed, slid over, recurred along).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from gearshift.verify.rules.op import Op, Operand
from gearshift.verify.rules.state import Rows, Shared

Labels = Sequence[Hashable]
Part = tuple[Operand | None, Labels]
"""An operand (None: left out) and the labels of its axes."""


def follow(
    op: Op,
    parts: Sequence[Part],
    out: Labels,
    *,
    verb: str | None = None,
    stretch: bool = False,
) -> Rows | Shared:
    """State of an output, from the labels of each operand's axes.

    Args:
        op: the node.
        parts: the operands, labelled.
        out: labels of the output's axes.
        verb: what happens to the rows where the output lacks their label ("sums over"); None if
            that may still leave them apart in a way that is not covered.
        stretch: whether a dim of 1 stands for any, as in broadcasting.
    """
    label: Hashable = None
    lead: Operand | None = None
    for operand, labels in parts:
        if operand is None or (rows := operand.rows) is None:
            continue
        here = _label(op, operand, rows, labels, out, verb)
        if lead is None:
            lead, label = operand, here
        elif here != label:
            raise op.mixes(f"pairs every row of '{lead.name}' with every row of '{operand.name}'")
        elif rows.moved(0) != _rows(lead).moved(0):
            raise op.unclear(f"joins '{lead.name}' and '{operand.name}', whose rows lie unlike")
    if lead is None:
        return Shared()
    for operand, labels in parts:
        if operand is not None and operand.rows is None and label in labels:
            _fits_every_place(op, operand, list(labels).index(label), stretch)
    return _rows(lead).moved(list(out).index(label))


def broadcast(op: Op, operands: Sequence[Operand | None], rank: int | None = None) -> Rows | Shared:
    """State of an output computed entry by entry from operands aligned at their last axes."""
    out = tuple(range(op.result.rank if rank is None else rank))
    parts = [(operand, out[len(out) - operand.rank :]) for operand in operands if operand]
    return follow(op, parts, out, stretch=True)


def first_axis(op: Op, operands: Sequence[Operand | None]) -> Rows | Shared:
    """State of an output whose index i along axis 0 needs that index of each operand only.

    What the other axes do is not looked at, so that rows along them are not covered.
    """
    parts = [
        (operand, (0, *((place, axis) for axis in range(1, operand.rank))))
        for place, operand in enumerate(operands)
        if operand is not None
    ]
    return follow(op, parts, (0,))


def _rows(operand: Operand) -> Rows:
    assert operand.rows is not None
    return operand.rows


def _label(
    op: Op, operand: Operand, rows: Rows, labels: Labels, out: Labels, verb: str | None
) -> Hashable:
    label = labels[rows.axis]
    where = f"axis {rows.axis} of '{operand.name}', which carries the rows"
    if label not in out:
        if verb is None:
            raise op.unclear(f"has no rule for rows along {where}")
        raise op.mixes(f"{verb} {where}")
    if list(labels).count(label) > 1 or list(out).count(label) > 1:
        raise op.unclear(f"takes a diagonal along {where}")
    return label


def _fits_every_place(op: Op, operand: Operand, axis: int, stretch: bool) -> None:
    if stretch and set(operand.dims(axis)) == {1}:
        return
    raise op.unclear(
        f"lays axis {axis} of '{operand.name}', the same at every batch size, along the rows"
    )
