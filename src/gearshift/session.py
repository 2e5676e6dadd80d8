"""The run line: artifact -> session -> dispatch -> engine -> outputs.

with gearshift.load("rec.om") as model:
    outputs = model.run({"x": crops})
"""

from __future__ import annotations

import operator
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, cast

import numpy as np

from gearshift.artifact.manifest import Manifest
from gearshift.artifact.reader import Artifact
from gearshift.engines.base import Executable, LoadedNetwork
from gearshift.errors import ClosedError, GearError, InputError, OptionError
from gearshift.gears.dispatch import Piece, Plan, Planner, default_costs
from gearshift.gears.gear import Gear
from gearshift.opening import gear_set, load_network, output_specs
from gearshift.options import SessionOptions
from gearshift.rows import Results, check_feeds, count_rows, cut
from gearshift.stats import Stats, StatsKeeper
from gearshift.tensors import MBATCH_INPUT, Array, RowLayout, TensorSpec, dtype_named

_WORKER: Final = "gearshift-session"


def load(
    path: str | os.PathLike[str],
    *,
    engine: str | None = None,
    threads: int | None = None,
    preload: bool | int | Sequence[int] = False,
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
    options = SessionOptions(
        engine=engine,
        threads=threads,
        preload=cast("bool | tuple[int, ...]", preload),  # made so by SessionOptions
        costs=costs,
    )
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
        self._loaded: LoadedNetwork | None = load_network(artifact, self.engine, options.threads)
        self._executables: dict[int, Executable] = {}
        self._stats = StatsKeeper()
        self._lock = threading.Condition()
        self._calls = 0  # made and not yet come to their end
        self._worker: ThreadPoolExecutor | None = None
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
        rows = _whole(rows, "a number of rows")
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
        self._begin()
        try:
            return self._run(inputs, gear)
        finally:
            self._end()

    def run_async(
        self, inputs: Mapping[str, Any], *, gear: int | None = None
    ) -> Future[dict[str, Array]]:
        """`run` on a worker; calls run one after the other, in the order they were made.

        The arrays are not copied: leave them as they are until the future is done.
        """
        with self._lock:
            self._begin()
            if self._worker is None:
                # One worker: a run already takes all of the session's threads.
                self._worker = ThreadPoolExecutor(1, thread_name_prefix=_WORKER)
            future = self._worker.submit(self._run, inputs, gear)
        # Whichever way it ends, cancelled included, it is a call that has come to its end.
        future.add_done_callback(lambda _: self._end())
        return future

    def _run(self, inputs: Mapping[str, Any], gear: int | None) -> dict[str, Array]:
        if not isinstance(inputs, Mapping):
            raise InputError(
                f"run takes a mapping of input name to array, got {type(inputs).__name__}; "
                f"give {{{self._gears.inputs[0].name!r}: array}}."
            )
        inputs = dict(inputs)
        gear = _one_gear(gear, inputs.pop(MBATCH_INPUT, None))
        feeds = check_feeds(self._gears.inputs, inputs)
        rows = count_rows(self._gears.inputs, feeds)
        plan = self.plan(rows) if gear is None else self._plan_for(gear, rows)
        results = self._run_plan(plan, feeds) if rows else self._run_nothing(feeds)
        self._stats.count_call()
        return {spec.name: result for spec, result in zip(self._outputs, results, strict=True)}

    def tune(self, seconds: float = 2.0) -> dict[int, float]:
        """Measures what one run of each gear costs here and plans by it from now on.

        Builds every gear. The gears are timed in turn, round after round, at least three times, and
        each one's least time is kept: what disturbs a run only ever makes it longer.

        Args:
            seconds: about how long to measure.

        Returns:
            Seconds per run of each gear.
        """
        self._begin()
        try:
            costs = self._measure(seconds)
        finally:
            self._end()
        self._planner = Planner(costs)
        return costs

    def stats(self) -> Stats:
        """What was run so far, in all and per gear."""
        return self._stats.snapshot()

    def close(self) -> None:
        """Gives everything back. Calls already made come to their end first; later ones fail.

        From a future's own callback it returns at once, and the last call gives everything back.
        """
        with self._lock:
            self._closing = True
            if self._worker is not None:
                self._worker.shutdown(wait=False)
            if not threading.current_thread().name.startswith(_WORKER):
                self._lock.wait_for(lambda: self._calls == 0)
            if self._calls == 0:
                self._release()

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

    def _measure(self, seconds: float) -> dict[int, float]:
        samples: dict[int, list[float]] = {size: [] for size in self.gears}
        feeds = {gear: self._ones(gear) for gear in self._gears}
        for gear in self._gears:
            self._executable(gear).run(feeds[gear])
        end = time.perf_counter() + seconds
        while min(map(len, samples.values())) < 3 or time.perf_counter() < end:
            for gear in self._gears:
                start = time.perf_counter()
                self._executable(gear).run(feeds[gear])
                samples[gear.rows].append(time.perf_counter() - start)
        return {size: min(times) for size, times in samples.items()}

    def _begin(self) -> None:
        with self._lock:
            if self._closing:
                raise ClosedError("the session is closed; load the model again to run it.")
            self._calls += 1

    def _end(self) -> None:
        with self._lock:
            self._calls -= 1
            self._lock.notify_all()
            if self._closing and self._calls == 0:
                self._release()

    def _release(self) -> None:
        self._executables.clear()
        if self._loaded is not None:
            self._loaded.close()
            self._loaded = None
            self._artifact.close()

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
                ones = self._ones(smallest)
                given = [
                    one if -1 in spec.shape else feed
                    for spec, one, feed in zip(self._gears.inputs, ones, feeds, strict=True)
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
            if self._loaded is None:
                raise ClosedError("the session is closed; load the model again to run it.")
            if gear.rows not in self._executables:
                self._executables[gear.rows] = self._loaded.executable(self._gears.shapes(gear))
            return self._executables[gear.rows]

    def _ones(self, gear: Gear) -> list[Array]:
        """Feeds that run on most models: they divide anything, and most tables have a row 1."""
        shapes = self._gears.shapes(gear)
        return [np.ones(shapes[spec.name], spec.dtype.numpy) for spec in self._gears.inputs]

    def _checked_costs(self, costs: Mapping[int, float]) -> Mapping[int, float]:
        if set(costs) != set(self.gears):
            raise OptionError(
                f"costs= is given for gears {sorted(costs)}; the model's are {sorted(self.gears)}. "
                "Give one number for each."
            )
        return costs


def _one_gear(gear: object, shape_data: object) -> int | None:
    """The gear asked for, in either of its two spellings."""
    asked = None if gear is None else _whole(gear, "a gear")
    if shape_data is None:
        return asked
    try:
        (value,) = np.asarray(shape_data).reshape(-1)
    except ValueError:
        value = shape_data
    fed = _whole(value, f"one value of {MBATCH_INPUT}")
    if asked not in (None, fed):
        raise GearError(f"gear={asked} and {MBATCH_INPUT}={fed} differ: give one.")
    return fed


def _whole(value: object, what: str) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{value!r} is not {what}, which is one whole number.") from None
