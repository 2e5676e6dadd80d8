"""`InferSession` as ais_bench has it, so that programs written for it run on a CPU.

    from gearshift.ais import InferSession

    session = InferSession(0, "rec.om")
    (logits,) = session.infer([crops], mode="dymbatch")

Methods, arguments and what they give are those of ``ais_bench.infer.interface``; what goes wrong is
one of gearshift's own exceptions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from gearshift.bench import setting as settings
from gearshift.bench.described import DataType, Summary, Tensor, TensorDesc, as_input, describe
from gearshift.bench.runner import time_run
from gearshift.bench.setting import Setting
from gearshift.errors import ClosedError, InputError, OptionError
from gearshift.gears.gear import GearSet
from gearshift.opening import gear_set
from gearshift.session import Session, load
from gearshift.tensors import Array, Shape, TensorSpec

__all__ = [
    "DataType",
    "InferSession",
    "MemorySummary",
    "MultiDeviceSession",
    "Summary",
    "Tensor",
    "TensorDesc",
]

MODES: Final = ("static", "dymbatch", "dymhw", "dymdims", "dymshape")


class InferSession:
    """A model, as ais_bench's class of that name. Used by one thread at a time."""

    def __init__(
        self,
        device_id: int,
        model_path: str,
        acl_json_path: str | None = None,
        debug: bool = False,
        loop: int = 1,
        **options: object,
    ) -> None:
        """Loads a model.

        Args:
            device_id: any number of 0 or more; there is one device, the CPU.
            model_path: the ``.om`` file.
            acl_json_path: changes nothing here.
            debug: changes nothing here.
            loop: how often each `infer` runs.
            **options: change nothing here.

        Raises:
            OptionError: an argument can mean nothing.
            ArtifactError: the model cannot be used.
        """
        if loop < 1:
            raise OptionError(f"loop={loop}: give 1 or more.")
        self.device_id = device_id
        self.model_path = str(model_path)
        self._loop = loop
        self._summary = Summary()
        # Nothing is measured unasked: a program that is being tested is not to wait for it.
        self._model: Session | None = load(model_path, tune=0.0)
        self._manifest = self._model.manifest
        self._gears: GearSet = gear_set(self._manifest)
        is_fixed = self._gears.mode == "fixed"
        self._setting: Setting | None = settings.set_static(self._gears) if is_fixed else None

    def get_inputs(self) -> list[TensorDesc]:
        """The inputs in order, without the one that carries the gear."""
        real = self._setting.shapes if self._setting else {}
        return [
            self._described(spec, real.get(spec.name), [shapes[index] for shapes in self._dealt])
            for index, spec in enumerate(self._gears.inputs)
        ]

    def get_outputs(self) -> list[TensorDesc]:
        """The outputs in order."""
        records = self._manifest.gears if self._gears.mode != "range" else ()
        set_to = self._setting.gear if self._setting else None
        now = next((record.outputs for record in records if record.values == set_to), None)
        if self._gears.mode == "fixed":
            now = records[0].outputs
        return [
            self._described(
                spec, now[index] if now else None, [record.outputs[index] for record in records]
            )
            for index, spec in enumerate(self._session.outputs)
        ]

    def set_staticbatch(self) -> None:
        """For a model whose every dim is fixed; one with gears has to be set to one of them."""
        self._setting = settings.set_static(self._gears) if self._gears.mode == "fixed" else None

    def set_dynamic_batchsize(self, dym_batch: int) -> None:
        """Sets the gear of so many rows. Raises OptionError or GearError if there is none."""
        self._setting = settings.set_batch(self._gears, int(dym_batch))

    def set_dynamic_hw(self, h: int, w: int) -> None:
        """Sets the gear of an image size. Raises OptionError or GearError if there is none."""
        self._setting = settings.set_image(self._gears, int(h), int(w))

    def set_dynamic_dims(self, dym_dims: str) -> None:
        """Sets the gear of dims such as ``"x:1,600;y:1,600"``. Raises OptionError or GearError."""
        shapes = settings.parse_shapes("set_dynamic_dims", dym_dims)
        self._setting = settings.set_dims(self._gears, shapes)

    def set_dynamic_shape(self, dym_shape: str) -> None:
        """Sets the shapes of a model compiled for ranges. Raises OptionError or InputError."""
        shapes = settings.parse_shapes("set_dynamic_shape", dym_shape)
        self._setting = settings.set_shape(self._gears, shapes)

    def set_custom_outsize(self, custom_sizes: int | Sequence[int]) -> None:
        """Changes nothing: outputs take the memory that they need."""

    def infer(
        self,
        feeds: Sequence[Any],
        mode: str = "static",
        custom_sizes: int | Sequence[int] = 100000,
        out_array: bool = True,
    ) -> list[Any]:
        """Runs the model at the gear that the shapes of the arrays are of.

        Args:
            feeds: an array or `Tensor` for each input, in order. A flat one is taken for the
                input's bytes where the shape is known without it.
            mode: "static", "dymbatch", "dymhw", "dymdims" or "dymshape".
            custom_sizes: changes nothing here.
            out_array: arrays come back; False for `Tensor`.

        Raises:
            OptionError: the mode does not exist, or does not go with the model.
            InputError: an array does not fit.
            GearError: there is no such gear.
            EngineError: the engine failed.
        """
        arrays = self._arrays(feeds)
        self._set_by(mode, arrays)
        return self._run(arrays, out_array)

    def run(self, feeds: Sequence[Any], out_array: bool = False) -> list[Any]:
        """Runs the model at what it is set to. See `infer`."""
        return self._run(self._arrays(feeds), out_array)

    def infer_pipeline(
        self,
        feeds_list: Sequence[Sequence[Any]],
        mode: str = "static",
        custom_sizes: int | Sequence[int] = 100000,
    ) -> list[list[Any]]:
        """`infer` for each, one after the other."""
        return [self.infer(feeds, mode, custom_sizes) for feeds in feeds_list]

    def infer_iteration(
        self,
        feeds: Sequence[Any],
        in_out_list: Sequence[int] | None = None,
        iteration_times: int = 1,
        mode: str = "static",
        custom_sizes: int | Sequence[int] = 100000,
        mem_copy: bool = True,
    ) -> list[Any]:
        """Runs several times, outputs of one run being inputs of the next.

        Args:
            feeds: of the first run.
            in_out_list: for each input the output it takes from then on; -1 for none.
            iteration_times: how often.
            mode: see `infer`.
            custom_sizes: changes nothing here.
            mem_copy: changes nothing here.

        Returns:
            The outputs of the last run.

        Raises:
            OptionError: `in_out_list` or `iteration_times` can mean nothing, and what `infer` does.
        """
        following = list(in_out_list) if in_out_list is not None else [-1] * len(feeds)
        outputs = len(self._session.outputs)
        if iteration_times < 1 or len(following) != len(feeds):
            raise OptionError(
                f"iteration_times={iteration_times} and in_out_list={following} for {len(feeds)} "
                "inputs: give 1 run or more, and one number for each input."
            )
        if any(not -1 <= number < outputs for number in following):
            raise OptionError(
                f"in_out_list={following}: there are {outputs} outputs; give their numbers, from "
                "0 on, or -1."
            )
        arrays = list(feeds)
        made = self.infer(arrays, mode, custom_sizes)
        for _ in range(iteration_times - 1):
            arrays = [
                feed if number < 0 else made[number]
                for feed, number in zip(arrays, following, strict=True)
            ]
            made = self.infer(arrays, mode, custom_sizes)
        return made

    def create_tensor_from_arrays_to_device(self, arrays: Any) -> Tensor:
        """Wraps an array, without a copy if that can be."""
        return Tensor(np.ascontiguousarray(arrays))

    def convert_tensors_to_host(self, tensors: Sequence[Tensor]) -> None:
        """Does nothing: they are there already."""

    def convert_tensors_to_arrays(self, tensors: Sequence[Tensor]) -> list[Array]:
        """The arrays of tensors."""
        return [np.asarray(tensor) for tensor in tensors]

    def summary(self) -> Summary:
        """How long each run took since it was loaded, or since `reset_summaryinfo`."""
        return self._summary

    def sumary(self) -> Summary:
        """`summary`, as older programs spell it."""
        return self._summary

    def reset_summaryinfo(self) -> None:
        """Forgets how long runs took."""
        self._summary = Summary()

    def free_resource(self) -> None:
        """Gives everything back; it may come twice. Calls after that raise ClosedError."""
        if self._model is not None:
            self._model.close()
            self._model = None

    @staticmethod
    def finalize() -> None:
        """Does nothing: what sessions hold is given back by `free_resource`."""

    def __del__(self) -> None:
        if getattr(self, "_model", None) is not None:
            self.free_resource()

    @property
    def _session(self) -> Session:
        if self._model is None:
            raise ClosedError("free_resource was called; make a new InferSession to run the model.")
        return self._model

    @property
    def _dealt(self) -> list[tuple[Shape, ...]]:
        """The shapes of all inputs at each gear; a range's ends are the last."""
        if self._gears.mode == "range":
            return [tuple(tuple(high for _, high in one) for one in self._gears.ranges)]
        return [tuple(self._gears.shapes(gear).values()) for gear in self._gears]

    def _described(self, spec: TensorSpec, real: Shape | None, all_: Sequence[Shape]) -> TensorDesc:
        layout = dict(self._manifest.options).get("input_format") or "NCHW"
        if spec.name in {record.input for record in self._manifest.aipp}:
            layout = "NHWC"  # source images, whatever the model behind takes
        return describe(spec, layout, real, all_)

    def _set_by(self, mode: str, arrays: Sequence[Array]) -> None:
        if mode not in MODES:
            raise OptionError(f"mode={mode!r}: allowed are {', '.join(MODES)}.")
        if mode == "static":
            self._setting = settings.set_static(self._gears)
            return
        wanted = {"dymbatch": "batch", "dymhw": "image", "dymdims": "dims", "dymshape": "range"}
        if self._gears.mode != wanted[mode]:
            kinds = {kind: name for name, kind in wanted.items()}
            right = kinds.get(self._gears.mode, "static")
            raise OptionError(f"mode={mode!r} does not go with this model; give mode={right!r}.")
        names = [spec.name for spec in self._gears.inputs]
        shapes = {name: array.shape for name, array in zip(names, arrays, strict=True)}
        self._setting = settings.set_by_feeds(self._gears, shapes)

    def _arrays(self, feeds: Sequence[Any]) -> list[Array]:
        specs = self._gears.inputs
        if isinstance(feeds, Mapping | np.ndarray) or len(feeds) != len(specs):
            names = ", ".join(spec.name for spec in specs)
            got = type(feeds).__name__ if isinstance(feeds, Mapping | np.ndarray) else len(feeds)
            raise InputError(f"got {got} for the inputs; give a list of one array each: {names}.")
        return [np.asarray(feed) for feed in feeds]

    def _run(self, arrays: Sequence[Array], out_array: bool) -> list[Any]:
        session = self._session
        if self._setting is None:
            self._setting = settings.set_static(self._gears)
        fed = dict(self._fed(self._setting, arrays))
        outputs: dict[str, Array] = {}
        for _ in range(self._loop):
            outputs, sample = time_run(session, fed, self._setting.gear)
            self._summary.exec_time_list.append(sample.engine)
        made = list(outputs.values())
        return made if out_array else [Tensor(array) for array in made]

    def _fed(self, setting: Setting, arrays: Sequence[Array]) -> Iterator[tuple[str, Array]]:
        for spec, array in zip(self._gears.inputs, arrays, strict=True):
            yield spec.name, as_input(spec, setting.shapes[spec.name], array)


class MultiDeviceSession:
    """Runs lists of feeds that programs share out over devices; here one after the other."""

    def __init__(self, model_path: str, acl_json_path: str | None = None) -> None:
        self._model_path = model_path

    def infer(
        self,
        device_feeds: Mapping[int, Sequence[Sequence[Any]]],
        mode: str = "static",
        custom_sizes: int | Sequence[int] = 100000,
    ) -> dict[int, list[list[Any]]]:
        """`InferSession.infer` for each of a device's feeds.

        Returns:
            The outputs of each, by device.
        """
        session = InferSession(0, self._model_path)
        try:
            return {
                device: [session.infer(feeds, mode, custom_sizes) for feeds in several]
                for device, several in device_feeds.items()
            }
        finally:
            session.free_resource()


class MemorySummary:
    """Copies to and from a device, of which there are none here."""

    @staticmethod
    def get_h2d_time_list() -> list[float]:
        """Empty."""
        return []

    @staticmethod
    def get_d2h_time_list() -> list[float]:
        """Empty."""
        return []

    @staticmethod
    def reset() -> None:
        """Does nothing."""
