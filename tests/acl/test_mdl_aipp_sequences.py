"""Parameters of dynamic AIPP set in any order, beside the same values kept in Python."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from mdl_tools import Loaded, Memory, compiled

from gearshift.acl import runtime
from gearshift.acl.codes import Code
from gearshift.acl.mdl import aipp as mdl_aipp
from gearshift.acl.mdl import run as mdl_run
from gearshift.aipp.block import pack
from gearshift.aipp.image import fitting_channels, source_shape
from gearshift.aipp.parameters import AippParameters, AippRow
from gearshift.aipp.reference import preprocess
from gearshift.aipp.spec import Crop, Csc, ImageFormat, Padding
from gearshift.errors import OptionError

HEIGHT, WIDTH, ROWS = 4, 6, 2
SHAPE = f"float[N, 3, {HEIGHT}, {WIDTH}]"
PASS = f"pass ({SHAPE} x) => ({SHAPE} y) {{ y = Neg (x) }}"
picks = st.integers(0, 1 << 16)
switches = st.sampled_from([0, 1, 1, 2])
_FOLDER = tempfile.TemporaryDirectory(prefix="gearshift-sequences-")


@cache
def artifact() -> Path:
    folder = Path(_FOLDER.name)
    config = folder / "aipp.cfg"
    config.write_text("aipp_op { aipp_mode: dynamic max_src_image_size: 4096 }")
    return compiled(
        PASS, folder, "pass", aipp=config, engine="onnxruntime",
        input_shape=f"x:-1,3,{HEIGHT},{WIDTH}", dynamic_batch_size="1,2",
    )  # fmt: skip


class Kept:
    """What was set, in words of Python."""

    def __init__(self, count: int) -> None:
        self.head: dict[str, Any] = {"format": 0, "width": 0, "height": 0, "csc": None}
        self.rows: list[dict[str, Any]] = [{} for _ in range(count)]

    def parameters(self) -> AippParameters:
        """Raises OptionError if they are not complete, or do not go together."""
        try:
            known = ImageFormat(self.head["format"])
        except ValueError:
            raise OptionError("no format") from None
        rows = [AippRow(**row) for row in self.rows]
        return AippParameters(rows=rows, **{**self.head, "format": known})


class Setting(RuleBasedStateMachine):
    """Several sets of parameters, two of which a model is run with."""

    def __init__(self) -> None:
        super().__init__()
        if runtime.is_running():
            runtime.finalize()
        assert runtime.init() == 0
        assert runtime.set_device(0) == 0
        self.model = Loaded.of(artifact())
        self.given = Memory(self.model.input_sizes()).__enter__()
        self.kept: dict[int, Kept] = {}
        self.past = [0, 1, -1]

    def teardown(self) -> None:
        self.given.__exit__()
        with self.model:
            pass
        for aipp in self.kept:
            assert mdl_aipp.destroy_aipp(aipp) == 0
        runtime.finalize()
        runtime.reset_device_force(0)

    def one(self, pick: int) -> int:
        there = list(self.kept) if pick % 12 and self.kept else self.past
        return there[pick // 12 % len(there)]

    def settle(
        self, aipp: int, name: str, *values: Any, good: bool, row: int | None = None
    ) -> bool:
        """Calls a setter, holds it to its answer, and says whether it did anything."""
        kept = self.kept.get(aipp)
        fits = kept is not None and (row is None or 0 <= row < len(kept.rows))
        words = values if row is None else (*values, row)
        ret = getattr(mdl_aipp, f"set_aipp_{name}")(aipp, *words)
        assert ret == (0 if good and fits else Code.INVALID_PARAM)
        return good and fits

    @initialize()
    def begin(self) -> None:
        self.create(ROWS)
        self.size(13, WIDTH, HEIGHT)
        self.image_format(13, 3)

    @rule(count=st.sampled_from([1, 2, 2, 2, 3, 0, 128]))
    def create(self, count: int) -> None:
        aipp = mdl_aipp.create_aipp(count)
        assert bool(aipp) == (1 <= count <= 127)
        if aipp:
            self.kept[aipp] = Kept(count)

    @rule(pick=picks)
    def destroy(self, pick: int) -> None:
        if len(self.kept) > 1:
            aipp = self.one(pick)
            known = aipp in self.kept
            assert mdl_aipp.destroy_aipp(aipp) == (0 if known else Code.INVALID_PARAM)
            if known:
                del self.kept[aipp]
                self.past.append(aipp)

    @rule(pick=picks, number=st.sampled_from([1, 2, 3, 3, 4, 5, 9, 0]))
    def image_format(self, pick: int, number: int) -> None:
        aipp = self.one(pick)
        if self.settle(aipp, "input_format", number, good=number in list(ImageFormat)):
            self.kept[aipp].head["format"] = number

    @rule(
        pick=picks, width=st.sampled_from([6, 6, 8, 10, 1, 4097]),
        height=st.sampled_from([4, 4, 6, 5, 0]),
    )  # fmt: skip
    def size(self, pick: int, width: int, height: int) -> None:
        aipp = self.one(pick)
        good = 2 <= width <= 4096 and 1 <= height <= 4096
        if self.settle(aipp, "src_image_size", width, height, good=good):
            self.kept[aipp].head |= {"width": width, "height": height}

    @rule(pick=picks, switch=switches, alpha=st.booleans())
    def swap(self, pick: int, switch: int, alpha: bool) -> None:
        aipp, name = self.one(pick), "ax" if alpha else "rbuv"
        if self.settle(aipp, f"{name}_swap_switch", switch, good=switch < 2):
            self.kept[aipp].head[f"{name}_swap"] = bool(switch)

    @rule(
        pick=picks, switch=switches,
        weights=st.lists(st.integers(-300, 300), min_size=9, max_size=9),
        biases=st.lists(st.integers(0, 255), min_size=6, max_size=6),
    )  # fmt: skip
    def colours(self, pick: int, switch: int, weights: list[int], biases: list[int]) -> None:
        aipp = self.one(pick)
        if self.settle(aipp, "csc_params", switch, *weights, *biases, good=switch < 2):
            m = (tuple(weights[:3]), tuple(weights[3:6]), tuple(weights[6:]))
            csc = Csc(m, tuple(biases[3:]), tuple(biases[:3]))  # type: ignore[arg-type]
            self.kept[aipp].head["csc"] = csc if switch else None

    @rule(
        pick=picks, switch=switches, row=st.integers(-1, 2), left=st.integers(-1, 4),
        top=st.integers(0, 4), size=st.sampled_from([(6, 4), (6, 4), (4, 4), (0, 1)]),
    )  # fmt: skip
    def crop(
        self, pick: int, switch: int, row: int, left: int, top: int, size: tuple[int, int]
    ) -> None:
        aipp = self.one(pick)
        good = switch == 0 or (switch == 1 and left >= 0 and size[0] > 0)
        if self.settle(aipp, "crop_params", switch, left, top, *size, good=good, row=row):
            self.kept[aipp].rows[row]["crop"] = Crop(left, top, *size) if switch else None

    @rule(
        pick=picks, switch=switches, row=st.integers(-1, 2),
        sides=st.sampled_from([(0, 0, 1, 1), (0, 0, 2, 0), (1, 1, 0, 0), (0, 33, 0, 0)]),
    )  # fmt: skip
    def pad(self, pick: int, switch: int, row: int, sides: tuple[int, int, int, int]) -> None:
        aipp = self.one(pick)
        good = switch == 0 or (switch == 1 and max(sides) <= 32)
        if self.settle(aipp, "padding_params", switch, *sides, good=good, row=row):
            top, bottom, left, right = sides
            made = Padding(left, right, top, bottom) if switch else None
            self.kept[aipp].rows[row]["padding"] = made

    @rule(
        pick=picks, row=st.integers(-1, 2),
        kind=st.sampled_from(["mean", "minimum", "var_reci"]),
        numbers=st.lists(st.integers(-1, 256), min_size=4, max_size=4),
    )  # fmt: skip
    def normalise(self, pick: int, row: int, kind: str, numbers: list[int]) -> None:
        names = {
            "mean": "dtc_pixel_mean",
            "minimum": "dtc_pixel_min",
            "var_reci": "pixel_var_reci",
        }
        aipp = self.one(pick)
        good = kind == "var_reci" or all(0 <= number <= 255 for number in numbers)
        if self.settle(aipp, names[kind], *numbers, good=good, row=row):
            self.kept[aipp].rows[row][kind] = tuple(numbers)

    @rule(pick=picks, by_image=st.booleans(), batch=st.sampled_from([1, 2]), seed=picks)
    def run(self, pick: int, by_image: bool, batch: int, seed: int) -> None:
        """Writes parameters, and if they are accepted and fit the model runs images through."""
        aipp = self.one(pick)
        call = mdl_aipp.set_aipp_by_input_index if by_image else mdl_aipp.set_input_aipp
        ret = call(self.model.number, self.given.dataset, 0 if by_image else 2, aipp)
        if aipp not in self.kept:
            assert ret == Code.INVALID_PARAM
            return
        kept = self.kept[aipp]
        if len(kept.rows) > ROWS:
            assert ret == Code.GE_DYNAMIC_INPUT_LENGTH_INVALID
            return
        try:
            parameters = kept.parameters()
        except OptionError:
            assert ret == Code.INVALID_PARAM
            return
        assert ret == 0
        self._check_block(parameters)
        shape = source_shape(parameters.format, batch, parameters.height, parameters.width)
        images = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        self.given.put(0, images)
        assert self.model.set_gear(self.given.dataset, (batch,)) == 0
        with Memory(self.model.output_sizes()) as taken:
            ret = mdl_run.execute(self.model.number, self.given.dataset, taken.dataset)
            channels = fitting_channels(parameters.format, converts=parameters.csc is not None)
            if batch > len(kept.rows):
                assert ret == Code.GE_DYNAMIC_INPUT_LENGTH_INVALID
            elif parameters.size != (HEIGHT, WIDTH) or 3 not in channels:
                assert ret == Code.MODEL_INPUT_NOT_MATCH
            else:
                assert ret == 0
                rows = parameters.first(batch)
                wanted = [
                    -preprocess(parameters.static(row), images[at : at + 1], 3)
                    for at, row in enumerate(rows)
                ]
                np.testing.assert_array_equal(
                    taken.get(0, np.concatenate(wanted)), np.concatenate(wanted)
                )

    def _check_block(self, parameters: AippParameters) -> None:
        """What was written reads as the parameters do; of what is off, numbers may differ."""
        wanted = pack(parameters).tobytes()
        written = self.given.bytes_of(2)
        head = slice(0, 16), slice(64 + 56, 64 + 96)
        for part in head:
            assert written[part] == wanted[part]


TestSetting = Setting.TestCase
TestSetting.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
