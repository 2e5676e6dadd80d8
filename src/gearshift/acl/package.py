"""The modules that programs import: `acl`, and below it `acl.rt`, `acl.mdl` and so on.

Like the vendor's they hold functions and nothing else, because programs look for names in
``dir(acl.util)``; and each is a module of its own that can be imported.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

from gearshift.acl.table import MODULES, functions

NAME: Final = "acl"


def fill(package: ModuleType) -> None:
    """Makes a module the package `acl`, and lets its parts be imported.

    Args:
        package: a module of that name.
    """
    for name in MODULES:
        module = package if name == NAME else _module(name, f"{name} on ordinary CPUs.")
        for short, function in functions(name).items():
            setattr(module, short, function.call)
        if module is not package:
            setattr(package, name.removeprefix(f"{NAME}."), module)
            sys.modules[name] = module


def force() -> ModuleType:
    """Makes this package the one that ``import acl`` finds, whatever else is installed."""
    package = _module(NAME, "AscendCL's Python interface on ordinary CPUs.", is_package=True)
    package.__path__ = []
    sys.modules[NAME] = package
    fill(package)
    return package


def _module(name: str, text: str, *, is_package: bool = False) -> ModuleType:
    module = ModuleType(name, text)
    # With a spec: a program may ask importlib.util.find_spec whether there is such a module.
    module.__spec__ = ModuleSpec(name, None, is_package=is_package)
    module.__package__ = NAME
    return module
