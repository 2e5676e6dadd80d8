"""Run every gear on every engine: against the reference, and with other pad rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gearshift.engines.base import Engine, EngineOptions, Executable, Network
from gearshift.errors import EngineError, VerificationError
from gearshift.gears.gear import Gear, GearSet
from gearshift.tensors import Array, RowLayout
from gearshift.verify.equivalence import (
    Difference,
    Reference,
    check_gear,
    differences,
    is_hollow,
)
from gearshift.verify.padrows import moved_output
from gearshift.verify.samples import Samples

_SEED, _OTHER_SEED = 20, 21


@dataclass(frozen=True)
class GearCheck:
    """What was seen of one gear on one engine.

    Attributes:
        engine: its name.
        gear: the gear.
        differences: worst difference of each output against the reference.
        moved: name of the first output whose real rows changed with the pad rows; None if no bit
            did; "" if the test was not run (a single row has no pad rows).
        hollow: name of the first output that has no finite number, so that nothing was compared;
            "" if all have.
        build_seconds: time to build the executable.
        run_seconds: time of one run, the second one.
    """

    engine: str
    gear: Gear
    differences: tuple[Difference, ...]
    moved: str | None
    hollow: str
    build_seconds: float
    run_seconds: float

    def __str__(self) -> str:
        found = ", ".join(f"{d.output} {d.absolute:.1e}" for d in self.differences)
        pads = f"; pad rows move {self.moved}" if self.moved else ""
        return f"gear {self.gear} on {self.engine}: differences {found}{pads}"


@dataclass(frozen=True)
class Verification:
    """How to verify; the same for every gear and engine.

    Attributes:
        gears: what to run.
        output_names: in order.
        layouts: how rows lie in the outputs, or None to leave the pad-row test out.
        samples: where feeds come from.
        reference: what the numbers have to be.
        options: precision and threads.
        tolerance: largest relative difference that passes.
    """

    gears: GearSet
    output_names: tuple[str, ...]
    layouts: tuple[RowLayout | None, ...] | None
    samples: Samples
    reference: Reference
    options: EngineOptions
    tolerance: float

    def run(
        self, networks: Mapping[Engine, Network], on_gear: Callable[[int, int], None]
    ) -> tuple[GearCheck, ...]:
        """Checks every gear on every engine; gears in the order declared within each engine.

        Raises:
            VerificationError: a gear does not give the reference's numbers.
            EngineError: an engine failed.
        """
        total = len(networks) * len(self.gears)
        checks = []
        for check in self._checks(networks):
            checks.append(check)
            on_gear(len(checks), total)
        return tuple(checks)

    def _checks(self, networks: Mapping[Engine, Network]) -> Iterator[GearCheck]:
        expected: dict[Gear, list[Array]] = {}
        for engine, network in networks.items():
            loaded = engine.load(network, self.options)
            for gear in self.gears:
                shapes = self.gears.shapes(gear)
                feeds = self.samples.feeds(shapes, _SEED)
                if gear not in expected:
                    expected[gear] = self._expected(gear, feeds)
                start = time.perf_counter()
                executable = loaded.executable(shapes)
                built = time.perf_counter() - start
                yield self._check(engine.name, gear, executable, feeds, expected[gear], built)
            loaded.close()

    def _expected(self, gear: Gear, feeds: Sequence[Array]) -> list[Array]:
        frame = self.gears.frames[self.gears.frame_of(gear)[0]]
        try:
            return self.reference.outputs(frame.inputs, feeds)
        except EngineError as error:
            raise VerificationError(
                f"the model as it came does not run on the inputs it is verified on: "
                f"{error.message}. If they were made up, give rows that it was made for "
                "(sample_inputs=, --sample NAME=FILE.npy)."
            ) from error

    def _check(
        self,
        engine: str,
        gear: Gear,
        executable: Executable,
        feeds: Sequence[Array],
        expected: Sequence[Array],
        built: float,
    ) -> GearCheck:
        found = differences(self.output_names, executable.run(feeds), expected)
        check_gear(gear, engine, found, expected, self.tolerance)
        start = time.perf_counter()
        executable.run(feeds)
        seconds = time.perf_counter() - start
        moved = self._moved(gear, executable, feeds)
        hollow = self._hollow(expected)
        return GearCheck(engine, gear, found, moved, hollow, built, seconds)

    def _hollow(self, expected: Sequence[Array]) -> str:
        return next(
            (
                name
                for name, output in zip(self.output_names, expected, strict=True)
                if is_hollow(output)
            ),
            "",
        )

    def _moved(self, gear: Gear, executable: Executable, feeds: Sequence[Array]) -> str | None:
        number, there = self.gears.frame_of(gear)
        if self.layouts is None or there.rows < 2:
            return ""
        others = self.samples.feeds(self.gears.shapes(gear), _OTHER_SEED)
        inputs = self.gears.frames[number].inputs
        index = moved_output(executable, inputs, self.layouts, feeds, others)
        return None if index is None else self.output_names[index]
