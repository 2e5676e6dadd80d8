"""The run line: artifact -> frame -> strategy -> dispatch -> programs -> outputs.

with gearshift.load("rec.om") as model:
    outputs = model.run({"x": crops})
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Final, cast

from gearshift.artifact.manifest import Manifest
from gearshift.artifact.reader import Artifact
from gearshift.asking import Asking, whole_number
from gearshift.calls import Calls
from gearshift.engines.base import thread_count
from gearshift.errors import InputError, OptionError
from gearshift.framing import Framing
from gearshift.gears.build import Build
from gearshift.gears.dispatch import Plan
from gearshift.gears.gear import Gear
from gearshift.images import Images
from gearshift.memory import MemoryReport, report_memory
from gearshift.networks import Networks
from gearshift.opening import gear_set, output_specs
from gearshift.options import Budget, SessionOptions
from gearshift.recycling import Recycler
from gearshift.rows import (
    check_feeds,
    check_targets,
    count_rows,
    cut_off,
    deliver,
    free_targets,
)
from gearshift.stats import Stats, merged
from gearshift.strategy import seconds_to_measure
from gearshift.tensors import MBATCH_INPUT, Array, TensorSpec, dtype_named
from gearshift.track import Track
from gearshift.tuning.table import CostTable

_WORKER: Final = "gearshift-session"
_MOST_ROWS: Final = 10_000_000
"""A plan lists its pieces; nobody reads as many."""


def load(
    path: str | os.PathLike[str],
    *,
    engine: str | None = None,
    threads: int | None = None,
    preload: bool | int | Sequence[int] = False,
    costs: Mapping[int, float] | None = None,
    tune: float | None = None,
    memory_budget: Budget | int = "balanced",
    batch_invariant: bool = False,
) -> Session:
    """Opens a compiled model.

    Args:
        path: the ``.om`` file.
        engine: ``"openvino"`` or ``"onnxruntime"``; None takes what was measured to be quickest,
            of those that the artifact was compiled for.
        threads: threads of one run; None means every core this process may use.
        preload: gears to build the programs of now instead of when they are wanted; True for all.
        costs: cost of one run of each gear, in any one unit, instead of what was measured.
        tune: seconds to measure for, once, if this model was not measured on this host yet; 0 runs
            it on a stated default cost model. None means ``GEARSHIFT_TUNE_SECONDS``, or ten.
        memory_budget: what the programs may take. "balanced": about what the engine's own dynamic
            batch would; "speed": whatever helps; "memory": as little as can be; or bytes.
        batch_invariant: run every row through the same program by itself, so that its results have
            the same bits however many rows come with it.

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
        tune=tune,
        memory_budget=memory_budget,
        batch_invariant=batch_invariant,
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
    """

    def __init__(self, artifact: Artifact, options: SessionOptions) -> None:
        self.manifest: Manifest = artifact.manifest
        self._artifact = artifact
        self._gears = gear_set(self.manifest)
        self._outputs = output_specs(self.manifest)
        self._asking = Asking(self._gears)
        self._framing = Framing(self.manifest)
        self._images = Images(self.manifest)
        self._options = replace(options, threads=thread_count(options.threads))
        self._networks = Networks(
            artifact, self._options.threads, huge_pages=options.memory_budget != "memory"
        )
        self._calls = Calls()
        # One worker: a run already takes all of the session's threads. It knows of the calls alone,
        # or a session that nobody closed would never go.
        self._worker = ThreadPoolExecutor(1, _WORKER, initializer=self._calls.add_worker)
        spares = options.memory_budget in ("balanced", "speed")  # else there is a limit
        self._recycler = Recycler(len(self._outputs) if spares else 0)
        self._tracks = [
            Track(artifact, self._networks, number, self._options, self._recycler)
            for number in range(len(self._gears.frames))
        ]
        self._networks.settle(self._builds())
        self._preload(options.preload)

    @property
    def gears(self) -> tuple[int | tuple[int, ...], ...]:
        """The gears in the order declared: batch sizes, or tuples of values in other modes."""
        if self._gears.mode == "batch":
            return self._gears.sizes
        if not self._gears.has_gears:
            return ()
        return tuple(gear.values for gear in self._gears)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Every input in order; -1 where the gear decides. With gears, one of theirs follows.

        An input behind dynamic AIPP is bytes of images, ``[rows, -1]``; its parameters come last.
        """
        if not self.gears:
            return self._images.shown(self._gears.inputs)
        values = len(self._gears.gears[0].values)
        gear = TensorSpec(MBATCH_INPUT, dtype_named("int32"), (values,))
        return self._images.shown((*self._gears.inputs, gear))

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Every output in order; -1 where the gear decides."""
        return self._outputs

    @property
    def engines(self) -> tuple[str, ...]:
        """Names of the engines that run it."""
        return tuple(sorted({build.engine for build in self._builds()}))

    def plan(self, rows: int, shapes: Mapping[str, Sequence[int]] | None = None) -> Plan:
        """The pieces that `run` would use for that many rows, once their programs are built.

        Args:
            rows: how many.
            shapes: of the arrays of a call, by input name; needed where gears differ in more than
                their number of rows, of which the shapes may have any.

        Raises:
            GearError: the rows are not independent and `rows` is not a gear's, or no gear has those
                shapes.
            InputError: `rows` is not a number of rows, or shapes are missing.
        """
        rows = whole_number(rows, "a number of rows, which is one whole number")
        if not 0 <= rows <= _MOST_ROWS:
            raise InputError(f"cannot plan {rows} rows: give 0 to {_MOST_ROWS}.")
        if shapes is None and len(self._tracks) == 1:
            return self._tracks[0].plan(rows)
        dummies = self._asking.dummies(shapes)
        fit = self._framing.find(dummies, None, lambda number: self._tracks[number].cost(rows))
        return self._tracks[fit.frame].plan(rows)

    def run(
        self,
        inputs: Mapping[str, Any],
        *,
        gear: int | Sequence[int] | None = None,
        out: Mapping[str, Array] | None = None,
    ) -> dict[str, Array]:
        """Runs any number of rows, 0 included.

        Args:
            inputs: one array per input, by name, of the input's dtype; inputs that carry rows have
                them at axis 0. ``ascend_mbatch_shape_data`` may be given as one more key and
                means the same as `gear`; ``ascend_dynamic_aipp_data`` holds an `AippParameters`,
                or its block of bytes.
            gear: compute exactly this gear's rows, padded if fewer are given; None plans. What is
                quickest for that many rows runs, in pieces if need be. A number of rows, or in
                other modes the gear's values in the order declared.
            out: arrays to write outputs into, by name, each of exactly its output's dtype and
                shape; for any of the outputs. Engines write into contiguous ones without a copy
                where they can.

        Returns:
            One array per output, by name; rows in the order given. Those of `out` where given.

        Raises:
            InputError: an input is missing, unknown, or of another dtype or shape; or an array of
                `out` is.
            OptionError: a parameter of dynamic AIPP is not allowed.
            GearError: the gear, or the number of rows, is not one that was compiled.
            EngineError: the engine failed.
            ClosedError: the session is closed.
        """
        return self._calls.run(partial(self._run, inputs, gear, out))

    def run_checked(
        self, gear: Gear | None, feeds: list[Array], into: Sequence[Array | None]
    ) -> list[Array]:
        """`run` for callers that know it all: nothing is looked up, and nothing is checked.

        Args:
            gear: a declared one; None for a model of one shape.
            feeds: contiguous arrays of the gear's shapes, in input order.
            into: for each output a contiguous array of the gear's shape, apart from the feeds, or
                None for one that is to be made.

        Returns:
            The outputs in order, those of `into` where an engine could write there.

        Raises:
            EngineError: the engine failed.
            ClosedError: the session is closed.
        """
        number, there = self._gears.frame_of(gear or self._gears.gears[0])
        run = self._tracks[number].run
        return self._calls.run(partial(run, feeds, there.rows, there.rows, into))

    def prepare(self, gear: int | Sequence[int]) -> None:
        """Builds what a gear runs on now, unless it is there, so that its first run is not slow.

        Args:
            gear: as for `run`.

        Raises:
            GearError: it was not compiled into the model.
            EngineError: the engine failed.
        """
        number, there = self._gears.frame_of(self._asking.gear(gear))
        self._calls.run(partial(self._tracks[number].preload, [there.rows]))

    def run_async(
        self,
        inputs: Mapping[str, Any],
        *,
        gear: int | Sequence[int] | None = None,
        out: Mapping[str, Array] | None = None,
    ) -> Future[dict[str, Array]]:
        """`run` on a worker; calls run one after the other, in the order they were made.

        The arrays are not copied: leave them as they are until the future is done.
        """
        work = partial(self._run, inputs, gear, out)
        # Submitting is one call, so that closing looks for what was submitted when that is done.
        return self._calls.run(
            partial(self._worker.submit, self._calls.run, work, was_made_before=True)
        )

    def _run(
        self,
        inputs: Mapping[str, Any],
        gear: int | Sequence[int] | None,
        out: Mapping[str, Array] | None,
    ) -> dict[str, Array]:
        if not isinstance(inputs, Mapping):
            raise InputError(
                f"run takes a mapping of input name to array, got {type(inputs).__name__}; "
                f"give {{{self._gears.inputs[0].name!r}: array}}."
            )
        inputs = dict(inputs)
        asked = self._asking.either_gear(gear, inputs.pop(MBATCH_INPUT, None))
        feeds = check_feeds(self._gears.inputs, self._images.prepare(inputs))
        rows = count_rows(self._gears.row_inputs, feeds)
        fit = self._framing.find(feeds, asked, lambda number: self._tracks[number].cost(rows))
        there = None if asked is None else self._gears.frame_of(asked)[1].rows
        targets = check_targets(self._outputs, out) if out else []
        into = [] if fit.cuts else free_targets(targets, feeds)
        made = cut_off(self._tracks[fit.frame].run(fit.feeds, rows, there, into), fit.cuts)
        if targets:
            made = deliver(self._outputs, made, targets)
        return {spec.name: result for spec, result in zip(self._outputs, made, strict=True)}

    def tune(self, seconds: float | None = None) -> tuple[CostTable, ...]:
        """Measures what runs quickest on this host, plans by it from now on, and keeps it.

        Candidates (each engine, one after the other or in lanes, at each size) are timed in
        processes of their own. Later sessions on this host find what was measured.

        Args:
            seconds: about how long to measure, building included, but at least three times
                each. None means what `load` was given, ``GEARSHIFT_TUNE_SECONDS``, or ten.

        Returns:
            One table; where gears differ in more than their number of rows one for each of these.

        Raises:
            OptionError: `seconds` is not a number of seconds.
            EngineError: no engine could be measured.
        """
        seconds = SessionOptions(tune=seconds).tune
        if seconds is None:
            seconds = seconds_to_measure(self._options)
        return self._calls.run(partial(self._tune, seconds / len(self._tracks)))

    def _tune(self, seconds_each: float) -> tuple[CostTable, ...]:
        tables = tuple(track.tune(seconds_each) for track in self._tracks)
        self._networks.settle(self._builds())
        return tables

    def memory(self) -> MemoryReport:
        """What each program takes, and which of them are built."""
        strategies = [track.strategy for track in self._tracks]
        limits = [each.limit for each in strategies if each.limit is not None]
        return report_memory(
            tuple(program for track in self._tracks for program in track.memory()),
            measured=all(each.table is not None for each in strategies),
            limit=max(limits, default=None),  # frames share the room: the widest is what counts
            mapped=self._artifact.size,
        )

    def stats(self) -> Stats:
        """What was run so far, in all and per number of rows."""
        return merged([track.stats.snapshot() for track in self._tracks])

    def close(self) -> None:
        """Gives everything back. Calls already made come to their end first; later ones fail.

        In a callback of `run_async`, or in the handler of a signal that interrupted a call, it
        returns at once, and a thread waits for them. After Ctrl-C, lanes of the call that it broke
        off may still write into its `out` until this has returned.
        """
        self._calls.close(self._release)

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
        state = "closed" if self._calls.closing else "+".join(self.engines)
        return f"<gearshift.Session {self.manifest.source.file} gears={self.gears} {state}>"

    def _release(self) -> None:
        """May come several times, and waits for what was submitted and what is being built."""
        self._worker.shutdown()
        for track in self._tracks:
            track.close()
        self._recycler.close()
        self._networks.close()
        self._artifact.close()

    def _builds(self) -> set[Build]:
        """All that plans can call for."""
        return {build for track in self._tracks for build in track.menu.builds}

    def _preload(self, gears: bool | tuple[int, ...]) -> None:
        if gears is False:
            return
        if gears is not True and self._gears.mode != "batch":
            raise OptionError(
                f"preload={gears!r} names batch sizes, and the gears of this model are "
                f"{self._gears.mode}; give preload=True for all of them."
            )
        for track in self._tracks:
            track.preload(None if gears is True else gears)
