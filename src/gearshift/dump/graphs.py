"""A graph of onnx_ir as ATC's GraphDef: Data, Const, the nodes, NetOutput."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import onnx_ir as ir

from gearshift.analysis.facts import Facts
from gearshift.dump import attributes as attr
from gearshift.dump.values import Json
from gearshift.tensors import MBATCH_INPUT, Shape

OUTPUT_NODE: Final = "Node_Output"
"""What ATC calls the op that gathers the outputs."""
_UNKNOWN_RANK: Final = (-2,)


@dataclass(frozen=True)
class Known:
    """What is known of a value at all gears together.

    Attributes:
        dtype: element type.
        shape: -1 for a dim that differs between gears.
    """

    dtype: ir.DataType
    shape: Shape


def known_at_all(facts: list[Facts]) -> dict[str, Known]:
    """Every value that is there at each gear, with what the gears have in common."""
    if not facts:
        return {}
    first, *others = facts
    return {
        name: Known(fact.dtype, merged([fact.shape, *(at[name].shape for at in others)]))
        for name, fact in first.items()
        if all(name in at for at in others)
    }


def merged(shapes: list[Shape]) -> Shape:
    """The shape of all; -1 where dims differ, and ATC's -2 alone where even the ranks do."""
    if len({len(shape) for shape in shapes}) != 1:
        return _UNKNOWN_RANK
    return tuple(dims[0] if len(set(dims)) == 1 else -1 for dims in zip(*shapes, strict=True))


class GraphWriter:
    """Writes a graph and, behind it, the graphs inside its nodes.

    Attributes:
        graphs: GraphDefs; the first is the graph itself.
    """

    def __init__(
        self, graph: ir.Graph, known: Mapping[str, Known], extra: Mapping[str, dict[str, Json]]
    ) -> None:
        """Writes everything.

        Args:
            graph: its values bear unique names.
            known: types by value name.
            extra: further attributes of Data ops by input name, and of `OUTPUT_NODE`; attributes
                for the input that carries the gear make the op for it as well.
        """
        self.graphs: list[Json] = []
        self._known = known
        self._extra = extra
        self._names: set[str] = set()
        self._sources: dict[str, str] = {}
        self._write(graph, graph.name or "graph")

    def _write(self, graph: ir.Graph, name: str) -> None:
        place = len(self.graphs)
        self.graphs.append({})  # so that inner graphs come after it
        inputs = [value for value in graph.inputs if value.name not in graph.initializers]
        if not place and MBATCH_INPUT in self._extra:
            inputs.append(ir.Value(name=MBATCH_INPUT))
        ops = [self._data(value, index) for index, value in enumerate(inputs)]
        ops += [self._const(value) for value in graph.initializers.values()]
        ops += [self._node(node) for node in graph]
        ops.append(self._net_output(graph, place))
        for number, op in enumerate(ops):
            op.update(attr.fields(id=number))
        sources = [self._sources[value.name or ""] for value in inputs]
        self.graphs[place] = attr.fields(name=name, input=sources, op=ops)

    def _data(self, value: ir.Value, index: int) -> Json:
        described = self._descriptor(value)
        attrs = {"index": attr.integer(index), **self._extra.get(value.name or "", {})}
        return attr.fields(
            name=self._claim(value.name or "", [value]),
            type="Data",
            attr=attr.attr_list(attrs),
            input_desc=[described],
            output_desc=[described],
        )

    def _const(self, value: ir.Value) -> Json:
        attrs = {} if value.const_value is None else {"value": attr.tensor(value.const_value)}
        return attr.fields(
            name=self._claim(value.name or "", [value]),
            type="Const",
            attr=attr.attr_list(attrs),
            output_desc=[self._descriptor(value)],
        )

    def _node(self, node: ir.Node) -> Json:
        domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}::"
        name = self._claim(node.name or node.op_type, node.outputs)
        attrs, inner = {}, []
        for key, given in node.attributes.items():
            graphs = list(_graphs(given))
            if not graphs and given.type is not ir.AttributeType.GRAPHS:
                attrs[key] = attr.attribute(given)
            for number, graph in enumerate(graphs):
                inner.append(f"{name}_{key}" + (f"_{number}" if number else ""))
                self._write(graph, inner[-1])
        return attr.fields(
            name=name,
            type=domain + node.op_type,
            input=[self._source(value) for value in node.inputs],
            attr=attr.attr_list(attrs),
            input_desc=[self._descriptor(value) for value in node.inputs],
            output_desc=[self._descriptor(value) for value in node.outputs],
            subgraph_name=inner,
        )

    def _net_output(self, graph: ir.Graph, place: int) -> Json:
        return attr.fields(
            name=self._claim(OUTPUT_NODE, []),
            type="NetOutput",
            input=[self._source(value) for value in graph.outputs],
            attr=attr.attr_list({} if place else self._extra.get(OUTPUT_NODE, {})),
            input_desc=[self._descriptor(value) for value in graph.outputs],
        )

    def _claim(self, wanted: str, outputs: Sequence[ir.Value]) -> str:
        """A name for an op that no other has, by which its outputs are found."""
        name, number = wanted, 0
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        for index, value in enumerate(outputs):
            self._sources[value.name or ""] = f"{name}:{index}"
        return name

    def _source(self, value: ir.Value | None) -> str:
        return "" if value is None else self._sources.get(value.name or "", "")

    def _descriptor(self, value: ir.Value | None) -> Json:
        if value is None or not value.name:
            return {}
        known = self._known.get(value.name)
        if known is not None:
            return attr.descriptor(value.name, known.dtype, known.shape)
        return attr.descriptor(value.name, value.dtype, None)


def _graphs(given: ir.Attr) -> Iterator[ir.Graph]:
    if given.type is ir.AttributeType.GRAPH:
        yield given.as_graph()
    elif given.type is ir.AttributeType.GRAPHS:
        yield from given.as_graphs()
