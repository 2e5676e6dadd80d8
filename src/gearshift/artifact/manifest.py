"""What an artifact says of itself; `codec` turns it into JSON and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from gearshift.artifact.codec import LEFT_OUT
from gearshift.gears.pads import Follow, Padded
from gearshift.tensors import Range, Shape

_NEW: Final = {LEFT_OUT: True}

Verdict = Literal["proved", "refuted", "unknown"]


@dataclass(frozen=True)
class SourceRecord:
    """Where the model came from: see `program.Source`."""

    file: str
    sha256: str
    opset: int
    ir_version: int
    producer: str


@dataclass(frozen=True)
class InputRecord:
    """An input as the caller sees it; -1 where the gear decides.

    Attributes:
        name: as the model spells it.
        dtype: numpy's name.
        shape: -1 where the gear decides.
        ranges: in mode "range" from what to what each dim may go, -1 for no end; else empty.
        pad: what it may be padded with beside its rows; None if it may not.
    """

    name: str
    dtype: str
    shape: Shape
    ranges: tuple[Range, ...] = field(default=(), metadata=_NEW)
    pad: float | None = field(default=None, metadata=_NEW)


@dataclass(frozen=True)
class AippRecord:
    """Preprocessing of one input.

    Attributes:
        input: its name.
        config: the AIPP block, as text, with every default filled in.
        shape: of the model's own input, behind the preprocessing; -1 where the gear decides.
        dtype: of that, by numpy's name.
        layout: how that lies: "NCHW" or "NHWC".
    """

    input: str
    config: str
    shape: Shape
    dtype: str
    layout: str = field(default="NCHW", metadata=_NEW)


@dataclass(frozen=True)
class OutputRecord:
    """An output as the caller sees it.

    Attributes:
        name: as the model spells it.
        dtype: numpy's name.
        shape: -1 where the gear decides.
        row_axis: axis that carries the rows; None if the output is the same for every row, or if
            the model is not separable.
        row_inner: consecutive indices along `row_axis` that one row takes.
        follows: the dims to cut off again where an input was padded beside its rows.
    """

    name: str
    dtype: str
    shape: Shape
    row_axis: int | None
    row_inner: int
    follows: tuple[Follow, ...] = field(default=(), metadata=_NEW)


@dataclass(frozen=True)
class DifferenceRecord:
    """The worst difference of one output against the reference, on one engine.

    Attributes:
        engine: name of the engine that ran the gear.
        output: its name.
        absolute: largest |ours - reference|.
        relative: that, over the reference's largest magnitude.
    """

    engine: str
    output: str
    absolute: float
    relative: float


@dataclass(frozen=True)
class GearRecord:
    """One gear: its values, the shapes of the outputs, its predicted memory and its check.

    Attributes:
        values: one number per gear-decided dim; in batch mode the batch size.
        outputs: shape of each output at this gear, in output order.
        predicted_bytes: memory one run of this gear is predicted to take besides the weights.
        differences: one record per engine and output.
        inputs: shape of each input, in input order; empty where a gear is a number of rows.
    """

    values: tuple[int, ...]
    outputs: tuple[Shape, ...]
    predicted_bytes: int
    differences: tuple[DifferenceRecord, ...]
    inputs: tuple[Shape, ...] = field(default=(), metadata=_NEW)


@dataclass(frozen=True)
class ProofRecord:
    """Whether row i of the outputs depends on row i of the inputs only.

    Attributes:
        verdict: of the static proof.
        reason: one sentence; for "proved" what it rests on, else what stands in the way.
        node: the culprit's name, "" if proved.
        op_type: its operator, "" if proved.
        tested: the pad-row test on real executions gave bit-identical rows (None: not run).
        separable: rows may be padded, split and merged. The session obeys this field alone.
    """

    verdict: Verdict
    reason: str
    node: str
    op_type: str
    tested: bool | None
    separable: bool


@dataclass(frozen=True)
class TopologyRecord:
    """One engine's form of the network, stored as a part of the file.

    Attributes:
        engine: engine name.
        version: version of the library that made it.
        precision: what it computes float32 networks in; its gears were verified in that.
        part: name of the part.
    """

    engine: str
    version: str
    precision: str
    part: str


@dataclass(frozen=True)
class ConstantRecord:
    """A tensor of the weight pool that the ONNX topology refers to by name."""

    name: str
    dtype: str
    shape: Shape
    offset: int


@dataclass(frozen=True)
class Manifest:
    """Everything an artifact says of itself.

    Attributes:
        producer: name and version of the writer.
        source: provenance of the model.
        mode: gear mode: fixed, batch, image, dims or range.
        inputs: in graph order, without the extra gear input.
        outputs: in graph order.
        gears: in the order declared.
        proof: batch separability.
        topologies: one per engine that the gears were verified on; the first runs by default.
        constants: the weight pool's named tensors.
        metadata: the model's own key-value pairs (class names, character lists ...).
        options: what the user asked for, as (name, value) pairs in a fixed order.
        warnings: what the compile warned about.
        aipp: preprocessing that is a part of the model, by input.
        padded: the dims that may be padded beside the rows, those together that have to be alike.
    """

    producer: str
    source: SourceRecord
    mode: str
    inputs: tuple[InputRecord, ...]
    outputs: tuple[OutputRecord, ...]
    gears: tuple[GearRecord, ...]
    proof: ProofRecord
    topologies: tuple[TopologyRecord, ...]
    constants: tuple[ConstantRecord, ...]
    metadata: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    aipp: tuple[AippRecord, ...] = field(default=(), metadata=_NEW)
    padded: tuple[Padded, ...] = field(default=(), metadata=_NEW)

    @property
    def is_plain(self) -> bool:
        """Whether it says nothing that readers of batch gears alone do not know."""
        return self.mode == "batch" and not self.aipp
