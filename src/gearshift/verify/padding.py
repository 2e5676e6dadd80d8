"""Is padding beside the rows safe? Padded executions against exact ones of the model as it came.

What a network does with padding can hide behind numbers that happen to be small, or equal to the
padding. So each size is tried with several feeds, among them ones that the padding exceeds and ones
that exceed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gearshift.analysis.follows import Pads, resized, smaller_sizes
from gearshift.engines.base import Engine, Executable, LoadedNetwork, Network
from gearshift.errors import EngineError, VerificationError
from gearshift.gears.gear import Gear, GearSet
from gearshift.gears.pads import Padded, Shapes, can_be_padded, cuts
from gearshift.rows import cut_off, fill
from gearshift.tensors import Array, format_shape
from gearshift.verify.equivalence import differences, is_hollow
from gearshift.verify.gears import Verification

_SEEDS = (22, 23, 24)


@dataclass(frozen=True)
class PadCheck:
    """How to check that inputs may be padded.

    Attributes:
        verification: how gears are verified.
        pads: what may be padded.
    """

    verification: Verification
    pads: Pads

    def run(self, networks: Mapping[Engine, Network]) -> None:
        """Pads to each frame from smaller ones, and from sizes that are no gear's.

        Raises:
            VerificationError: a padded execution gives other numbers than the exact one, or there
                is no exact one to compare with.
            EngineError: an engine failed.
        """
        tried: set[Padded] = set()
        for engine, network in networks.items():
            loaded = engine.load(network, self.verification.options)
            for gear in _largest_of_frames(self.verification.gears):
                tried |= self._check_gear(engine.name, loaded, gear)
            loaded.close()
        if untried := [each for each in self.pads.padded if each not in tried]:
            names = ", ".join(dict.fromkeys(name for each in untried for name, _ in each.places))
            raise VerificationError(
                f"padding {names} could not be verified: the model runs at none of the sizes that "
                "would be padded, on the inputs it is verified on. Inputs that grow together, such "
                "as ids and their mask, have to be padded together; or give sample_inputs."
            )

    def _check_gear(self, engine: str, loaded: LoadedNetwork, gear: Gear) -> set[Padded]:
        """What was padded to that gear and gave the exact numbers."""
        shapes = self.verification.gears.shapes(gear)
        found: set[Padded] = set()
        executable: Executable | None = None
        for exact in _smaller(self.verification.gears, gear, self.pads.padded):
            for feeds in self._feeds(exact):
                expected = self._expected(gear, feeds)
                if expected is None:
                    continue
                executable = executable or loaded.executable(shapes)
                padded = [
                    fill(feed, shape, self.pads.values.get(name, 0))
                    for feed, (name, shape) in zip(feeds, shapes.items(), strict=True)
                ]
                self._compare(engine, gear, exact, executable.run(padded), expected)
                found |= {each for each in self.pads.padded if _differs(each, exact, shapes)}
        return found

    def _feeds(self, shapes: Shapes) -> Iterator[list[Array]]:
        """The samples as they are; then padded inputs above the padding, and below it."""
        samples = self.verification.samples
        for seed in _SEEDS:
            yield samples.feeds(shapes, seed)
        for side in (1, -1):
            feeds = samples.feeds(shapes, _SEEDS[0])
            yield [
                feed if spec.name in samples.given else _beside(feed, value, side)
                for spec, feed in zip(self.verification.gears.inputs, feeds, strict=True)
                for value in [self.pads.values.get(spec.name)]
            ]

    def _expected(self, gear: Gear, feeds: Sequence[Array]) -> list[Array] | None:
        """What the model as it came gives; None if it does not take these feeds."""
        gears = self.verification.gears
        specs = gears.frames[gears.frame_of(gear)[0]].inputs
        try:
            expected = self.verification.reference.outputs(specs, feeds)
        except EngineError:
            return None
        return None if any(map(is_hollow, expected)) else expected

    def _compare(
        self,
        engine: str,
        gear: Gear,
        exact: Shapes,
        made: Sequence[Array],
        expected: Sequence[Array],
    ) -> None:
        ours = cut_off(made, cuts(self.pads.follows, exact))
        found = differences(self.verification.output_names, ours, expected)
        for difference, want in zip(found, expected, strict=True):
            allowed = self.verification.tolerance if want.dtype.kind == "f" else 0.0
            if difference.relative > allowed:
                given = "; ".join(f"{name} {format_shape(shape)}" for name, shape in exact.items())
                raise VerificationError(
                    f"padding is not safe: {given} padded to gear {gear} on {engine} changes "
                    f"output {difference.output!r} by {difference.relative:.3g} of its largest "
                    f"value, allowed {allowed:g}. Leave pad= out, so that each call takes a gear "
                    "that fits; or pad every input that says which positions count, such as a mask."
                )


def _beside(feed: Array, value: float | None, side: int) -> Array:
    """Of a padded input all numbers on one side of the padding; whole ones above it in any case."""
    if value is None:
        return feed
    if feed.dtype.kind == "f":
        return np.asarray(value + side * (1 + np.abs(feed)), feed.dtype)
    return np.full(feed.shape, value + 1, feed.dtype) if feed.dtype.kind in "iu" else feed


def _differs(each: Padded, exact: Shapes, shapes: Shapes) -> bool:
    return any(exact[name][axis] != shapes[name][axis] for name, axis in each.places)


def _largest_of_frames(gears: GearSet) -> Iterator[Gear]:
    """The gear of most rows of each frame."""
    best: dict[int, tuple[int, Gear]] = {}
    for gear in gears:
        number, there = gears.frame_of(gear)
        best[number] = max(best.get(number, (0, gear)), (there.rows, gear), key=lambda one: one[0])
    return (gear for _, gear in best.values())


def _smaller(gears: GearSet, gear: Gear, padded: Sequence[Padded]) -> Iterator[Shapes]:
    """Shapes to pad from: other frames', and each padded dim by itself at sizes of no gear."""
    shapes = gears.shapes(gear)
    others = []
    for frame in gears.frames:
        exact = {
            spec.name: (shapes[spec.name][0], *spec.shape[1:]) if carries else spec.shape
            for spec, carries in zip(frame.inputs, frame.carriers, strict=True)
        }
        if exact != shapes and can_be_padded(exact, shapes, padded):
            others.append(exact)
    others.sort(key=lambda exact: sum(sum(shape) for shape in exact.values()))
    yield from others[:1]
    yield from others[1:][-1:]
    for each in padded:
        name, axis = each.places[0]
        sizes = [size for size in smaller_sizes(shapes[name][axis]) if size >= each.least]
        for size in dict.fromkeys([*sizes[:1], *sizes[len(sizes) // 2 :][:1], *sizes[-1:]]):
            yield resized(shapes, each.places, size)
