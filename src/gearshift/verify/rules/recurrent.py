"""Recurrent networks: they run along time, each row by itself, whatever the direction."""

from __future__ import annotations

from gearshift.verify.rules.labels import Part, follow
from gearshift.verify.rules.op import Op
from gearshift.verify.rules.registry import rule
from gearshift.verify.rules.state import State


@rule("GRU", "LSTM", "RNN")
def recurrent(op: Op) -> tuple[State, ...]:
    """The batch is axis 1 of the data (axis 0 with layout 1), and goes with lengths and states."""
    batch_first = bool(op.integer("layout", 0))
    op.shares(op.optional(1), op.optional(2), op.optional(3), op.optional(7))
    start = ("batch", "start", "unit") if batch_first else ("start", "batch", "unit")
    parts: list[Part] = [
        (op.operand(0), ("batch", "past", "in") if batch_first else ("past", "batch", "in")),
        (op.optional(4), ("batch",)),
        (op.optional(5), start),
        (op.optional(6), start),
    ]
    every = ("batch", "time", "way", "out") if batch_first else ("time", "way", "batch", "out")
    last = ("batch", "way", "out") if batch_first else ("way", "batch", "out")
    verb = "runs as if through time along"
    return tuple(
        follow(op, parts, every if index == 0 else last, verb=verb)
        for index in range(len(op.outputs))
    )


@rule("ReverseSequence")
def reverse_sequence(op: Op) -> State:
    """Reverses the first entries in time of each row, as many as its length says."""
    data, lengths = op.operand(0), op.operand(1)
    batch = data.resolve(op.integer("batch_axis", 1))
    op.keeps_clear(data, (op.integer("time_axis", 0),), "reverses")
    labels = tuple(range(data.rank))
    return follow(op, [(data, labels), (lengths, (batch,))], labels)
