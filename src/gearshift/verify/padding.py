"""Is padding beside the rows safe? Padded executions against exact ones of the model as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gearshift.analysis.follows import padded_groups, shrunk
from gearshift.engines.base import Engine, Executable, LoadedNetwork, Network
from gearshift.errors import EngineError, VerificationError
from gearshift.gears.follow import Follow
from gearshift.gears.gear import Gear, GearSet
from gearshift.rows import cut_off, fill
from gearshift.tensors import Array, Shape, format_shape
from gearshift.verify.equivalence import differences
from gearshift.verify.gears import Verification

_SEED = 22


@dataclass(frozen=True)
class PadCheck:
    """How to check that inputs may be padded.

    Attributes:
        verification: how gears are verified.
        pads: what each input is padded with, by name.
        follows: for each output the dims to be cut off again.
    """

    verification: Verification
    pads: Mapping[str, float]
    follows: tuple[tuple[Follow, ...], ...]

    def run(self, networks: Mapping[Engine, Network]) -> None:
        """Pads to each frame from smaller ones, and from sizes that are no gear's.

        Raises:
            VerificationError: a padded execution gives other numbers than the exact one.
            EngineError: an engine failed.
        """
        compared = 0
        for engine, network in networks.items():
            loaded = engine.load(network, self.verification.options)
            for gear in _largest_of_frames(self.verification.gears):
                compared += self._check_gear(engine.name, loaded, gear)
            loaded.close()
        if not compared:
            raise VerificationError(
                f"padding {', '.join(self.pads)} could not be verified: the model runs at none of "
                "the sizes that would be padded. Inputs that grow together, such as ids and their "
                "mask, have to be padded together."
            )

    def _check_gear(self, engine: str, loaded: LoadedNetwork, gear: Gear) -> int:
        """How many sizes were padded to that gear and gave the exact numbers."""
        shapes = self.verification.gears.shapes(gear)
        compared = 0
        executable: Executable | None = None
        for exact in _smaller(self.verification.gears, gear, tuple(self.pads)):
            feeds = self.verification.samples.feeds(exact, _SEED)
            expected = self._expected(gear, feeds)
            if expected is None:
                continue
            executable = executable or loaded.executable(shapes)
            padded = [
                fill(feed, shape, self.pads.get(name, 0))
                for feed, (name, shape) in zip(feeds, shapes.items(), strict=True)
            ]
            self._compare(engine, gear, exact, executable.run(padded), expected)
            compared += 1
        return compared

    def _expected(self, gear: Gear, feeds: Sequence[Array]) -> list[Array] | None:
        """What the model as it came gives; None if it does not take this size."""
        gears = self.verification.gears
        specs = gears.frames[gears.frame_of(gear)[0]].inputs
        try:
            return self.verification.reference.outputs(specs, feeds)
        except EngineError:
            return None

    def _compare(
        self,
        engine: str,
        gear: Gear,
        exact: Mapping[str, Shape],
        made: Sequence[Array],
        expected: Sequence[Array],
    ) -> None:
        cuts = [
            {rule.axis: rule.of(exact[rule.input][rule.input_axis]) for rule in rules}
            for rules in self.follows
        ]
        found = differences(self.verification.output_names, cut_off(made, cuts), expected)
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


def _largest_of_frames(gears: GearSet) -> Iterator[Gear]:
    """The gear of most rows of each frame."""
    best: dict[int, tuple[int, Gear]] = {}
    for gear in gears:
        number, there = gears.frame_of(gear)
        best[number] = max(best.get(number, (0, gear)), (there.rows, gear), key=lambda one: one[0])
    return (gear for _, gear in best.values())


def _smaller(gears: GearSet, gear: Gear, names: Sequence[str]) -> Iterator[Mapping[str, Shape]]:
    """Shapes to pad from: the next smaller frame's, the smallest frame's, and some of no frame."""
    shapes = gears.shapes(gear)
    groups = padded_groups(gears, names)
    places = [place for group in groups for place in group]
    others = []
    for frame in gears.frames:
        exact = {
            spec.name: (shapes[spec.name][0], *spec.shape[1:]) if carries else spec.shape
            for spec, carries in zip(frame.inputs, frame.carriers, strict=True)
        }
        if exact != shapes and _is_within(exact, shapes, places):
            others.append(exact)
    others.sort(key=lambda exact: sum(sum(shape) for shape in exact.values()))
    yield from others[:1]
    yield from others[1:][-1:]
    for group in groups:
        size = min(shapes[name][axis] for name, axis in group)
        for by in dict.fromkeys((1, size // 3)):
            odd = shrunk(shapes, group, by) if by else None
            if odd is not None:
                yield odd


def _is_within(
    exact: Mapping[str, Shape], shapes: Mapping[str, Shape], places: Sequence[tuple[str, int]]
) -> bool:
    return all(
        have == want or (have < want and (name, axis) in places)
        for name, shape in exact.items()
        for axis, (have, want) in enumerate(zip(shape, shapes[name], strict=True))
    )
