"""What a proof says, and what it is given: verdicts, paths, layouts, sizes, messages."""

from __future__ import annotations

import pytest

from gearshift.analysis.facts import walk
from gearshift.errors import InternalError
from gearshift.gears.gear import Gear, GearSet
from gearshift.program import Program
from gearshift.tensors import RowLayout
from gearshift.verify.rules.op import Op
from gearshift.verify.rules.registry import rule
from gearshift.verify.rules.state import Shared, State
from gearshift.verify.separability import prove
from graphs import program_from_text
from graphs_rows import prove_text

HALVES = """g (float[N, 4] x) => (float[A] y)
<int64[1] four = {4}, int64[1] end = {9}, int64[1] one = {1}> {
    n = Shape<end=1>(x)
    start = Div(n, four)
    [cut] y = Slice(x, start, end, one)
}"""


def gears_of(program: Program, *sizes: int) -> GearSet:
    return GearSet("batch", tuple(Gear((size,)) for size in sizes), program.inputs)


def test_facts_at_further_sizes_are_looked_at_too() -> None:
    program = program_from_text(HALVES)
    declared, more = gears_of(program, 1, 2), gears_of(program, 1, 2, 4)
    facts = {gear: walk(program, more.shapes(gear)) for gear in more}
    first_two = {gear: facts[gear] for gear in declared}
    assert prove(program, declared, first_two).verdict == "proved"
    proof = prove(program, declared, facts)
    assert (proof.verdict, proof.node) == ("refuted", "cut")
    assert "'start', which depends on the batch size" in proof.reason


def test_every_gear_needs_facts_and_one_is_not_enough() -> None:
    program = program_from_text(HALVES)
    gears = gears_of(program, 1, 2)
    facts = {gear: walk(program, gears.shapes(gear)) for gear in gears}
    first = gears.gears[0]
    with pytest.raises(InternalError, match="facts of all gears"):
        prove(program, gears, {first: facts[first]})
    with pytest.raises(InternalError, match="two at least"):
        prove(program, gears_of(program, 1), {first: facts[first]})


def test_outputs_that_are_inputs_constants_or_shared() -> None:
    proof = prove_text("""g (float[N, 4] x, float[3] s) => (float[N, 4] x, float[3] t, float[3] u)
        <float[3] w = {1, 2, 3}> { t = Add(s, w) u = Identity(w) }""")
    assert proof.verdict == "proved"
    assert proof.outputs == {"x": RowLayout(0), "t": None, "u": None}


def test_a_proof_says_what_it_rests_on() -> None:
    proof = prove_text("g (float[N, 4] x, float[N, 4] z) => (float[A] y) { y = Add(x, z) }", (2, 5))
    assert proof.reason == (
        "rows of 'x' and 'z' were followed through 1 nodes, each of which keeps them apart at "
        "batch sizes 2, 5"
    )
    assert (proof.node, proof.op_type, proof.path) == ("", "", ())


def test_the_batch_size_as_an_output_is_refuted() -> None:
    proof = prove_text("g (float[N, 4] x) => (int64[A] n) { [size] n = Shape(x) }")
    assert (proof.verdict, proof.node, proof.path) == ("refuted", "size", ("x", "n"))
    assert proof.reason == "output 'n' depends on the batch size or on the place"


def test_a_mixed_output_outranks_an_unknown_one() -> None:
    proof = prove_text("""g (float[N, 4] x) => (float[A] a, float[A] b, float[A] c)
        <int64[2] p = {4, -1}> {
            [odd] r = Reshape(x, p)
            a = Relu(r)
            [mean] m = ReduceMean<axes=[0]>(x)
            [sub] b = Sub(x, m)
            c = Neg(x)
        }""")
    assert (proof.verdict, proof.node) == ("refuted", "mean")
    assert proof.path == ("x", "m")
    assert proof.outputs == {"c": RowLayout(0)}
    assert proof.reason == (
        "node 'mean' (ReduceMean) averages over axis 0 of 'x', which carries the rows"
    )


def test_mixing_that_no_output_sees_does_no_harm() -> None:
    proof = prove_text("""g (float[N, 4] x) => (float[A] y)
        { m = ReduceMean<axes=[0]>(x) d = Sub(x, m) y = Relu(x) }""")
    assert proof.verdict == "proved"


def test_a_path_leads_through_both_names_of_a_mixed_pair() -> None:
    proof = prove_text("""g (float[N, 4] x) => (float[A] y)
        { a = Relu(x) t = Transpose(a) [gram] s = MatMul(a, t) y = MatMul(s, x) }""")
    assert (proof.verdict, proof.node, proof.path) == ("refuted", "gram", ("x", "a", "s"))
    assert "pairs every row of 'a' with every row of 't'" in proof.reason


def test_rows_in_several_places_cannot_be_cut_off() -> None:
    proof = prove_text("g (float[N, 4] x) => (float[A] y) { [c] y = Concat<axis=0>(x, x) }")
    assert (proof.verdict, proof.node) == ("unknown", "c")
    assert proof.reason == "output 'y' holds each row in 2 places that lie apart along axis 0"


def test_an_operator_without_a_rule_is_named_even_if_the_node_is_not() -> None:
    proof = prove_text("""g (float[N, 4] rois, int64[N] at) => (float[A] y)
        <float[1, 1, 2, 2] image = {1, 2, 3, 4}> { y = RoiAlign(image, rois, at) }""")
    assert (proof.verdict, proof.node, proof.op_type) == ("unknown", "", "RoiAlign")
    assert "RoiAlign node that gives 'y'" in proof.reason
    assert "has no rule" in proof.reason


def test_operator_sets_beyond_the_rules_are_not_guessed_at() -> None:
    head = '<ir_version: 8, opset_import: ["" : 6]>'
    proof = prove_text(f"{head} g (float[N, 4] x) => (float[A] y) {{ [r] y = Relu(x) }}")
    assert (proof.verdict, proof.node) == ("unknown", "r")
    assert "is of operator set 6; the rules are for 7 to" in proof.reason


def test_an_operator_has_one_rule() -> None:
    def other(op: Op) -> State:
        return Shared()

    with pytest.raises(InternalError, match="onnx::Relu has two rules"):
        rule("Relu")(other)


def test_a_shared_input_with_a_row_for_each_of_some_batch_is_not_taken_for_rows() -> None:
    """At gear 3 the shapes fit; they must fit at every gear."""
    proof = prove_text(
        """g (float[N, 4] x, float[3, 4] s) => (float[A] y)
        { [pick] y = Gather<axis=0>(s, i) i = Shape(x) }""".replace(
            "[pick] y = Gather<axis=0>(s, i) i = Shape(x)",
            "w = Transpose(x) [mix] y = MatMul(s, w)",
        )
    )
    assert proof.outputs == {"y": RowLayout(1)}
