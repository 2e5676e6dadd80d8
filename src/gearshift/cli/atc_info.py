"""The block that ATC shows of a compiled model: ``--mode=6``, ``--display_model_info=1``."""

from __future__ import annotations

from pathlib import Path

from gearshift.artifact.reader import Artifact
from gearshift.cli.console import shown, write
from gearshift.dump.summary import FRAMEWORK, Summary, summarize

_NO_COMMAND = "none, it was not compiled by atc"


def show_model(path: Path) -> None:
    """Prints the block of an artifact. Raises ArtifactError."""
    with Artifact.open(path) as artifact:
        for line in info_lines(summarize(artifact)):
            write(shown(line, one_line=True))


def info_lines(model: Summary) -> tuple[str, ...]:
    """The block, line by line; scripts look for its words, so they are ATC's own."""
    return (
        "============ Display Model Info start ============",
        f"Original Atc command line: {model.command or _NO_COMMAND}",
        f"system   info: atc_version[{model.producer}], soc_version[{model.soc_version}], "
        f"framework_type[{FRAMEWORK}].",
        f"resource info: memory_size[{model.memory_bytes} B], weight_size[{model.weight_bytes} B], "
        "stream_num[1], event_num[0].",
        f"om       info: modeldef_size[{model.modeldef_bytes} B], "
        f"weight_data_size[{model.weight_data_bytes} B], tbe_kernels_size[0 B], "
        f"cust_aicpu_kernel_store_size[0 B], task_info_size[{model.task_bytes} B].",
        "============ Display Model Info end   ============",
    )
