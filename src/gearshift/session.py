"""The run line: artifact -> session -> dispatch -> engine -> outputs.

with gearshift.load("rec.om") as model:
    outputs = model.run({"x": crops})
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, cast

import numpy as np

from gearshift.artifact.manifest import Manifest
from gearshift.artifact.reader import Artifact
from gearshift.engines.base import Constant, EngineOptions, Executable, LoadedNetwork, Network
from gearshift.engines.registry import get_engine
from gearshift.errors import ClosedError, GearError, InputError, OptionError
from gearshift.gears.dispatch import Piece, Plan, Planner, default_costs
from gearshift.gears.gear import Gear, GearSet, Mode
from gearshift.options import Precision, SessionOptions
from gearshift.rows import Results, check_feeds, count_rows, cut
from gearshift.stats import Stats, StatsKeeper
from gearshift.tensors import MBATCH_INPUT, Array, RowLayout, TensorSpec, dtype_named


def load(
    path: str | os.PathLike[str],
    *,
    engine: str | None = None,
    threads: int | None = None,
    preload: bool | tuple[int, ...] = False,
    costs: Mapping[int, float] | None = None,
) -> Session:
    """Opens a compiled model.

    Args:
        path: the ``.om`` file.
        engine: ``"openvino"`` or ``"onnxruntime"``; None takes the artifact's own first choice.
        threads: threads of one run; None means every core this process may use.
        preload: gears to build now instead of at first use; True for all of them.
        costs: cost of one run of each gear, in any one unit; None starts on the default model.

    Raises:
        ArtifactError: the file cannot be used; its subclasses say why.
        OptionError: an argument is wrong.
        EngineError: the engine is missing or refused the network.
    """
    options = SessionOptions(engine=engine, threads=threads, preload=preload, costs=costs)
    artifact = Artifact.open(path)
    try:
        return Session(artifact, options)
    except BaseException:
        artifact.close()
        raise


class Session:
    """A loaded model that runs any number of rows. Safe to use from several threads.

    Attributes:
        manifest: everything the artifact says of itself.
        engine: name of the engine that runs.
    """

    def __init__(self, artifact: Artifact, options: SessionOptions) -> None:
        self.manifest: Manifest = artifact.manifest
        self._artifact = artifact
        self._gears = gear_set(self.manifest)
        self._outputs = output_specs(self.manifest)
        self._layouts = [
            None if record.row_axis is None else RowLayout(record.row_axis, record.row_inner)
            for record in self.manifest.outputs
        ]
        costs = options.costs or default_costs(self._gears.sizes)
        self._planner = Planner(self._checked_costs(costs))
        self.engine = options.engine or self.manifest.topologies[0].engine
        self._loaded: LoadedNetwork | None = _load_network(artifact, self.engine, options)
        self._executables: dict[int, Executable] = {}
        self._stats = StatsKeeper()
        self._lock = threading.RLock()
        self._pool: ThreadPoolExecutor | None = None
        self._closing = False
        for gear in self._gears.sizes if options.preload is True else options.preload or ():
            self._executable(self._gears.of_rows(gear))

    @property
    def gears(self) -> tuple[int, ...]:
        """The batch sizes the model was compiled for, in the order declared."""
        return self._gears.sizes

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Every input in order; -1 where the gear decides. The last one carries the gear."""
        return (*self._gears.inputs, TensorSpec(MBATCH_INPUT, dtype_named("int32"), (1,)))

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Every output in order; -1 where the gear decides."""
        return self._outputs

    def plan(self, rows: int) -> Plan:
        """The pieces that `run` would use for that many rows.

        Raises:
            GearError: the model is not separable and `rows` is not one of its gears.
        """
        if rows < 0:
            raise InputError(f"cannot plan {rows} rows: give 0 or more.")
        if self.manifest.proof.separable:
            return self._planner.plan(rows)
        if rows not in self.gears:
            declared = ", ".join(str(size) for size in self.gears)
            raise GearError(
                f"{rows} rows cannot be padded, split or merged: the rows of this model are not "
                f"known to be independent ({self.manifest.proof.reason}). It runs exactly "
                f"{declared} rows."
            )
        return Plan(rows, (Piece(rows, rows),), self._planner.costs[rows])

    def run(self, inputs: Mapping[str, Any], *, gear: int | None = None) -> dict[str, Array]:
        """Runs any number of rows, 0 included.

        Args:
            inputs: one array per input, by name, of the input's dtype; inputs that carry rows have
                them at axis 0. ``ascend_mbatch_shape_data`` may be given as one more key and
                means the same as `gear`.
            gear: run exactly this gear, padded if fewer rows are given; None plans.

        Returns:
            One array per output, by name; rows in the order given.

        Raises:
            InputError: an input is missing, unknown, or of another dtype or shape.
            GearError: the gear, or the number of rows, is not one that was compiled.
            EngineError: the engine failed.
            ClosedError: the session is closed.
        """
        inputs = dict(inputs)
        gear = _one_gear(gear, inputs.pop(MBATCH_INPUT, None))
        feeds = check_feeds(self._gears.inputs, inputs)
        rows = count_rows(self._gears.inputs, feeds)
        plan = self.plan(rows) if gear is None else self._plan_for(gear, rows)
        results = self._run_plan(plan, feeds) if rows else self._run_nothing(feeds)
        self._stats.count_call()
        return {spec.name: result for spec, result in zip(self._outputs, results, strict=True)}

    def run_async(
        self, inputs: Mapping[str, Any], *, gear: int | None = None
    ) -> Future[dict[str, Array]]:
        """`run` on a worker; calls run one after the other, in the order they were made."""
        with self._lock:
            if self._closing:
                raise _closed()
            if self._pool is None:
                # One worker: a run already takes all of the session's threads.
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="gearshift")
            return self._pool.submit(self.run, inputs, gear=gear)

    def tune(self, seconds: float = 2.0) -> dict[int, float]:
        """Measures what one run of each gear costs here and plans by it from now on.

        Builds every gear. The gears are timed in turn, round after round, at least three times, and
        each one's lower quartile is kept, so that a moment's disturbance does not count.

        Args:
            seconds: about how long to measure.

        Returns:
            Seconds per run of each gear.
        """
        samples: dict[int, list[float]] = {size: [] for size in self.gears}
        feeds = {gear: self._zeros(gear) for gear in self._gears}
        for gear in self._gears:
            self._executable(gear).run(feeds[gear])
        end = time.perf_counter() + seconds
        while min(map(len, samples.values())) < 3 or time.perf_counter() < end:
            for gear in self._gears:
                start = time.perf_counter()
                self._executable(gear).run(feeds[gear])
                samples[gear.rows].append(time.perf_counter() - start)
        costs = {size: statistics.quantiles(times, n=4)[0] for size, times in samples.items()}
        self._planner = Planner(costs)
        return costs

    def stats(self) -> Stats:
        """What was run so far, in all and per gear."""
        return self._stats.snapshot()

    def close(self) -> None:
        """Gives everything back. Calls already made come to their end; later ones fail."""
        with self._lock:
            self._closing = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()
        with self._lock:
            loaded, self._loaded = self._loaded, None
            self._executables.clear()
        if loaded is not None:
            loaded.close()
            self._artifact.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._loaded is None else self.engine
        return f"<gearshift.Session {self.manifest.source.file} gears={self.gears} {state}>"

    def _run_plan(self, plan: Plan, feeds: list[Array]) -> list[Array]:
        results, start = Results(self._layouts, self._outputs, plan), 0
        for piece in plan.pieces:
            executable = self._executable(self._gears.of_rows(piece.gear))
            cut_feeds = cut(self._gears.inputs, feeds, start, piece)
            targets = results.targets(start, piece)
            began = time.perf_counter()
            outputs = executable.run(cut_feeds, targets)
            self._stats.count_piece(piece, time.perf_counter() - began)
            results.add(start, piece, outputs)
            start += piece.rows
        return results.finish()

    def _run_nothing(self, feeds: list[Array]) -> list[Array]:
        """Outputs for no rows: empty where they carry rows, else what any rows would give."""
        self._network()
        smallest = min(self._gears, key=lambda gear: gear.rows)
        shapes = self.manifest.gears[self._gears.gears.index(smallest)].outputs
        outputs: list[Array] = []
        shared: list[Array] | None = None
        for index, layout in enumerate(self._layouts):
            if layout is not None:
                shape = list(shapes[index])
                shape[layout.axis] = 0
                outputs.append(np.zeros(shape, self._outputs[index].dtype.numpy))
                continue
            if shared is None:
                zeros = self._zeros(smallest)
                given = [
                    zero if -1 in spec.shape else feed
                    for spec, zero, feed in zip(self._gears.inputs, zeros, feeds, strict=True)
                ]
                shared = self._executable(smallest).run(given)
            outputs.append(shared[index])
        return outputs

    def _plan_for(self, gear: int, rows: int) -> Plan:
        self._gears.of_rows(gear)
        if rows > gear or not (rows == gear or self.manifest.proof.separable):
            raise GearError(
                f"gear={gear} was asked for with {rows} rows; "
                + (
                    "a gear takes as many rows as its size at most. Leave gear= out to have "
                    "the rows split."
                    if rows > gear
                    else f"this model takes exactly {gear}, because its rows are not known to be "
                    f"independent ({self.manifest.proof.reason})."
                )
            )
        pieces = (Piece(gear, rows),) if rows else ()
        return Plan(rows, pieces, self._planner.costs[gear])

    def _executable(self, gear: Gear) -> Executable:
        found = self._executables.get(gear.rows)
        if found is not None:
            return found
        with self._lock:
            network = self._network()
            if gear.rows not in self._executables:
                self._executables[gear.rows] = network.executable(self._gears.shapes(gear))
            return self._executables[gear.rows]

    def _network(self) -> LoadedNetwork:
        if self._loaded is None:
            raise _closed()
        return self._loaded

    def _zeros(self, gear: Gear) -> list[Array]:
        shapes = self._gears.shapes(gear)
        return [np.zeros(shapes[spec.name], spec.dtype.numpy) for spec in self._gears.inputs]

    def _checked_costs(self, costs: Mapping[int, float]) -> Mapping[int, float]:
        if set(costs) != set(self.gears):
            raise OptionError(
                f"costs= is given for gears {sorted(costs)}; the model's are {sorted(self.gears)}. "
                "Give one number for each."
            )
        return costs


def gear_set(manifest: Manifest) -> GearSet:
    """The gears of an artifact."""
    mode: Mode = "batch"
    inputs = tuple(
        TensorSpec(record.name, dtype_named(record.dtype), record.shape)
        for record in manifest.inputs
    )
    return GearSet(mode, tuple(Gear(record.values) for record in manifest.gears), inputs)


def output_specs(manifest: Manifest) -> tuple[TensorSpec, ...]:
    """The outputs of an artifact."""
    return tuple(
        TensorSpec(record.name, dtype_named(record.dtype), record.shape)
        for record in manifest.outputs
    )


def _load_network(artifact: Artifact, engine: str, options: SessionOptions) -> LoadedNetwork:
    manifest = artifact.manifest
    topologies = {record.engine: record for record in manifest.topologies}
    runner = get_engine(engine)
    if engine not in topologies:
        raise OptionError(
            f"engine={engine!r} cannot run {artifact.path.name!r}: it was compiled for "
            f"{', '.join(topologies)}. Choose one of these, or compile it again."
        )
    network = Network(
        topology=artifact.topology(topologies[engine].part),
        pool=artifact.pool,
        constants=tuple(
            Constant(record.name, dtype_named(record.dtype), record.shape, record.offset)
            for record in manifest.constants
        ),
        inputs=gear_set(manifest).inputs,
        outputs=output_specs(manifest),
    )
    precision = cast(Precision, topologies[engine].precision)
    return runner.load(network, EngineOptions(precision, options.threads))


def _closed() -> ClosedError:
    return ClosedError("the session is closed; load the model again to run it.")


def _one_gear(gear: int | None, shape_data: Any) -> int | None:
    """The gear asked for, in either of its two spellings."""
    if shape_data is None:
        return gear
    values = np.asarray(shape_data).reshape(-1)
    if values.size != 1 or values.dtype.kind not in "iu":
        raise InputError(f"{MBATCH_INPUT} takes one whole number, the gear; got {shape_data!r}.")
    if gear is not None and gear != int(values[0]):
        raise GearError(f"gear={gear} and {MBATCH_INPUT}={int(values[0])} differ: give one.")
    return int(values[0])
