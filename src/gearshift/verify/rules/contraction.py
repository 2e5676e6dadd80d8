"""Operators that multiply and sum: matrix products and Einstein sums."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from gearshift.verify.rules.labels import Labels, Part, follow
from gearshift.verify.rules.op import Op, Operand
from gearshift.verify.rules.registry import CONTRIB, rule
from gearshift.verify.rules.state import State


@rule("MatMul")
def matmul(op: Op) -> State:
    """Numpy's matrix product: the summed axes must not carry the rows."""
    return product(op, op.operand(0), op.operand(1))


@rule("FusedMatMul", domain=CONTRIB)
def fused_matmul(op: Op) -> State:
    """A matrix product of operands that may be transposed."""
    if op.integer("transBatchA", 0) or op.integer("transBatchB", 0):
        raise op.unclear("has no rule for transBatchA and transBatchB")
    turned = bool(op.integer("transA", 0)), bool(op.integer("transB", 0))
    return product(op, op.operand(0), op.operand(1), turned=turned)


@rule("Gemm")
@rule("FusedGemm", domain=CONTRIB)
def gemm(op: Op) -> State:
    """``alpha * A' @ B' + beta * C``, with C broadcast."""
    turned = bool(op.integer("transA", 0)), bool(op.integer("transB", 0))
    addend = op.optional(2)
    extra: list[Part] = []
    if addend is not None:
        extra.append((addend, ("m", "n")[2 - addend.rank :]))
    return product(op, op.operand(0), op.operand(1), turned=turned, extra=extra)


def product(
    op: Op,
    left: Operand,
    right: Operand,
    *,
    turned: tuple[bool, bool] = (False, False),
    extra: Sequence[Part] = (),
) -> State:
    """State of a matrix product; `extra` operands join it under the labels m, k, n."""
    batch = tuple(range(max(left.rank, right.rank) - 2))
    a = _labels(left, batch, ("k", "m") if turned[0] else ("m", "k"))
    b = _labels(right, batch, ("n", "k") if turned[1] else ("k", "n"))
    if left.rank == 1:
        a = ("k",)
    if right.rank == 1:
        b = ("k",)
    out = (*batch, *(label for label in ("m", "n") if label in (*a, *b)))
    parts = [(left, a), (right, b), *extra]
    return follow(op, parts, out, verb="sums over", stretch=True)


def _labels(operand: Operand, batch: Labels, matrix: tuple[str, str]) -> tuple[Hashable, ...]:
    return (*batch[len(batch) - max(operand.rank - 2, 0) :], *matrix)


@rule("Einsum")
def einsum(op: Op) -> State:
    """Reads the equation, with ellipsis and with the output left to be implied."""
    equation = op.text("equation", "").replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    operands = list(op.given())
    if len(terms) != len(operands):
        raise op.unclear(f"has an equation of {len(terms)} terms for {len(operands)} operands")
    pairs = list(zip(operands, terms, strict=True))
    widths = [operand.rank - len(term.replace("...", "")) for operand, term in pairs]
    most = max(widths, default=0)
    parts = [
        (operand, _expand(term, width, most))
        for (operand, term), width in zip(pairs, widths, strict=True)
    ]
    out = _expand(right if arrow else _implied(left), most, most)
    return follow(op, parts, out, verb="sums over", stretch=True)


def _expand(term: str, width: int, most: int) -> tuple[Hashable, ...]:
    """The labels of a term; an ellipsis of `width` axes stands for the last of `most`."""
    before, dots, after = term.partition("...")
    return (*before, *(range(most - width, most) if dots else ()), *after)


def _implied(left: str) -> str:
    letters = left.replace("...", "").replace(",", "")
    once = sorted(letter for letter in letters if letters.count(letter) == 1)
    return ("..." if "..." in left else "") + "".join(once)
