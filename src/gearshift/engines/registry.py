"""The engines there are. Adding one is a file and a line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Final, cast

from gearshift.engines.base import Engine
from gearshift.errors import EngineError, OptionError, did_you_mean

_ENGINES: Final = {  # name -> (module of ours, class, library that must be there)
    "openvino": ("gearshift.engines.openvino", "OpenVINOEngine", "openvino"),
    "onnxruntime": ("gearshift.engines.onnxruntime", "OnnxRuntimeEngine", "onnxruntime"),
    "reference": ("gearshift.engines.reference", "ReferenceEngine", "onnx"),
    "null": ("gearshift.engines.null", "NullEngine", "gearshift"),
}

PREFERRED: Final = ("openvino", "onnxruntime")
"""Engines an artifact is made for when the user names none; the first is what runs."""

ENGINE_NAMES: Final = tuple(_ENGINES)


def installed_version(name: str) -> str | None:
    """Version of the package that engine needs, None if it is not installed. Imports no library.

    Raises:
        OptionError: no engine has that name.
    """
    library = _registered(name)[2]
    if find_spec(library) is None:
        return None
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        # The library of that name came in a package of another name: it has to say so itself.
        return get_engine(name).version()


@cache
def get_engine(name: str) -> Engine:
    """The engine of that name, imported on demand.

    Raises:
        OptionError: no engine has that name.
        EngineError: its library is not installed.
    """
    module, class_name, library = _registered(name)
    if find_spec(library) is None:
        raise EngineError(
            f"engine {name!r} needs the package {library!r}, which is not installed. "
            f"Install it (pip install {library}) or choose another engine: {', '.join(_ENGINES)}."
        )
    return cast(Engine, getattr(import_module(module), class_name)())


def _registered(name: str) -> tuple[str, str, str]:
    if name not in _ENGINES:
        raise OptionError(
            f"engine {name!r} does not exist; allowed: {', '.join(_ENGINES)}."
            + did_you_mean(name, _ENGINES)
        )
    return _ENGINES[name]
