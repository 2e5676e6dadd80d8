"""The Ascend chips that ``--soc_version`` may name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Final

from gearshift.cli.atc_argv import Args
from gearshift.errors import OptionError
from gearshift.gears.text import option_error, shown

FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "310": ("Ascend310",),
    "310B": ("Ascend310B", "Ascend310B1", "Ascend310B2", "Ascend310B3", "Ascend310B4"),
    # Ascend710 is what the 310P was called before CANN 5.1.
    "310P": (
        "Ascend310P",
        "Ascend310P1",
        "Ascend310P2",
        "Ascend310P3",
        "Ascend310P4",
        "Ascend310P5",
        "Ascend310P7",
        "Ascend310P3Vir01",
        "Ascend310P3Vir02",
        "Ascend310P3Vir04",
        "Ascend310P3Vir08",
        "Ascend710",
    ),
    "910": (
        "Ascend910",
        "Ascend910A",
        "Ascend910B",
        "Ascend910ProA",
        "Ascend910ProB",
        "Ascend910PremiumA",
    ),
    "910B": (
        "Ascend910B1",
        "Ascend910B2",
        "Ascend910B2C",
        "Ascend910B3",
        "Ascend910B4",
        "Ascend910B4-1",
    ),
    "910_93": (
        "Ascend910_9362",
        "Ascend910_9372",
        "Ascend910_9381",
        "Ascend910_9382",
        "Ascend910_9391",
        "Ascend910_9392",
    ),
}
SOC_NAMES: Final = tuple(name for names in FAMILIES.values() for name in names)


def check_soc_version(args: Args) -> Iterator[OptionError]:
    """E10001 for a chip nobody knows; leaving the flag out means this computer."""
    value = args["soc_version"]
    if not value or value in SOC_NAMES:
        return
    folded = {name.lower(): name for name in SOC_NAMES}
    near = difflib.get_close_matches(value.lower(), folded, n=3, cutoff=0.5)
    nearest = ", ".join(folded[name] for name in near) or "Ascend310, Ascend310P3, Ascend910B1"
    yield option_error(
        "E10001",
        f"--soc_version: {shown(value)} is not the name of a chip of the 310, 310P or 910 "
        f"families; nearest: {nearest}. Leave the flag out to mean this computer.",
    )
