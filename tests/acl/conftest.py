"""What every test of the functions starts from: a thread with a context, and no reports left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gearshift.acl import contexts, runtime, system
from gearshift.acl.blocks import BLOCKS


@pytest.fixture(autouse=True)
def device() -> Iterator[None]:
    """A thread on device 0; what a test allocated and did not free is a failure of the test."""
    if runtime.is_running():
        runtime.finalize()
    assert runtime.set_device(0) == 0
    used = BLOCKS.used
    yield
    assert used == BLOCKS.used, "the test left memory behind"
    for number in range(contexts.device_count()):
        runtime.reset_device_force(number)
    system.get_recent_err_msg()
