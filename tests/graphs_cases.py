"""One small graph and what the proof has to say of it, checked by running it."""

from __future__ import annotations

from dataclasses import dataclass

import onnxruntime

from gearshift.tensors import RowLayout
from graphs import program_from_text
from graphs_rows import keeps_rows, layouts_that_fit, prove_program, run_batches

TOLERANCE = 1e-4
AT_0 = RowLayout(0)
AT_1 = RowLayout(1)
AT_2 = RowLayout(2)
AT_3 = RowLayout(3)
REFUTED = "refuted"
UNKNOWN = "unknown"


RECENT = tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= (1, 24)
"""Older releases lack some operators, or refuse some forms of them."""


@dataclass(frozen=True)
class Case:
    """A graph with output y.

    Attributes:
        body: nodes in ONNX's text form; the one to blame is n.
        expected: "refuted", "unknown", or how the rows of y lie (None: the same for every row).
        inputs: of the graph; those with N in front carry rows.
        constants: initializers.
        opset: versions of the operator sets.
        output: element type of y.
        runs: whether ONNX Runtime takes the graph.
    """

    body: str
    expected: RowLayout | str | None
    inputs: str = "float[N,4] x"
    constants: str = ""
    opset: str = '"" : 17'
    output: str = "float"
    runs: bool = True

    def __str__(self) -> str:
        return f"{self.body} | {self.expected}"

    @property
    def text(self) -> str:
        head = f"<ir_version: 10, opset_import: [{self.opset}]>"
        constants = f"<{self.constants}>" if self.constants else ""
        return f"{head} g ({self.inputs}) => ({self.output}[A] y) {constants} {{ {self.body} }}"

    def check(self) -> None:
        """The proof says what is expected, and so does what ONNX Runtime makes of rows.

        What is proved must not move with neighbours, place or batch size; of what is refuted no
        layout whatever may fit.
        """
        program = program_from_text(self.text)
        program.model.graph.outputs[0].shape = None  # the text has to say some shape
        proof = prove_program(program)
        if isinstance(self.expected, str):
            assert (proof.verdict, proof.node) == (self.expected, "n"), proof
            assert "node 'n'" in proof.reason or "output 'y'" in proof.reason
            assert proof.path[0] in {spec.name for spec in program.inputs}, proof.path
            assert "y" not in proof.outputs
        else:
            assert proof.verdict == "proved", proof
            assert proof.outputs == {"y": self.expected}, proof
            assert not proof.path
        if not self.runs:
            return
        (arrays,) = run_batches(program)
        if proof.verdict == "proved":
            assert keeps_rows(arrays, self.expected, tolerance=TOLERANCE)  # type: ignore[arg-type]
        elif proof.verdict == "refuted":
            assert not list(layouts_that_fit(arrays))
