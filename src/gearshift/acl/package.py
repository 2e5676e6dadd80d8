"""The modules that programs import: `acl`, and below it `acl.rt`, `acl.mdl` and so on.

Like the vendor's they hold functions and nothing else, because programs look for names in
``dir(acl.util)``; and each is a module of its own that can be imported.
"""

from __future__ import annotations

import sys
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
        module = package if name == NAME else ModuleType(name, f"{name} on ordinary CPUs.")
        for short, function in functions(name).items():
            setattr(module, short, function.call)
        if module is not package:
            setattr(package, name.removeprefix(f"{NAME}."), module)
            sys.modules[name] = module


def force() -> ModuleType:
    """Makes this package the one that ``import acl`` finds, whatever else is installed."""
    package = ModuleType(NAME, "AscendCL's Python interface on ordinary CPUs.")
    package.__path__ = []
    sys.modules[NAME] = package
    fill(package)
    return package
