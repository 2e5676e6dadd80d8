"""acl.media: anything may be handed to any function; it answers, or says what it cannot read."""

from __future__ import annotations

import inspect
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from media_tools import NV12, RGB, Memory, jpeg_of, media, smooth

from gearshift.acl import runtime, table
from gearshift.acl.call import ArgumentsError
from gearshift.acl.codes import Code
from gearshift.acl.media import video as media_video

# They free what the others are handed, and take memory that would have to be found again.
LEFT_OUT = {"dvpp_free", "dvpp_malloc"}
NAMES = sorted(set(table.functions("acl.media")) - LEFT_OUT)
# Whoever destroys or sets everything at once leaves nothing right for the others.
WEIGHTS = [0.005 if "destroy" in name else 0.02 if "_set_" in name else 1 for name in NAMES]
CODES = {int(code) for code in Code}


class Drawer:
    """Values of every kind: mostly such as the argument wants, by its name, and wrong ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.memory = Memory()
        file = jpeg_of(smooth(48, 64))
        self.host = np.zeros(1 << 14, np.uint8)
        gone, _ = media.dvpp_malloc(100)
        media.dvpp_free(gone)
        rois = [media.dvpp_create_roi_config(0, 31, 0, top) for top in (15, 31)]
        via = media.dvpp_create_channel_desc()
        assert media.dvpp_create_channel(via) == 0
        layouts = ((NV12, 64), (NV12, 64), (RGB, 192))
        pictures = [self.memory.desc(layout, 64, 48, (row, 48)) for layout, row in layouts]
        addresses = [self.memory.block(file), self.memory.block(1 << 16), self.host.ctypes.data]
        self.sizes = [1, 2, 4, 32, 48, 64, 100, 128, len(file), 64 * 72, 1 << 16, 1 << 31]
        self.pools: dict[str, list[Any]] = {
            "channel": [via, via, video("vdec"), video("venc")], "stream": [0],
            "source": pictures, "target": pictures,
            "crop": rois, "paste": rois, "crops": [rois], "pastes": [rois], "counts": [[1, 1], [2]],
            "sources": [media.dvpp_create_batch_pic_desc(2)], "data": addresses,
            "targets": [media.dvpp_create_batch_pic_desc(2)], "size_ptr": addresses,
            "layout": [NV12, RGB], "size": [len(file), *self.sizes],
            "config": [
                *rois, media.dvpp_create_resize_config(), media.dvpp_create_jpege_config(),
                media.venc_create_frame_config(),
            ],
        }  # fmt: skip
        self.handles = [each for pool in self.pools.values() for each in pool] + [gone, 4096]

    def draw(self, argument: str) -> Any:
        which = self.random.random()
        if which < 0.75 and argument in self.pools:
            return self.random.choice(self.pools[argument])
        if which < 0.9:
            return self.random.choice(self.handles)
        if which < 0.97:
            return self.random.choice([0, 0, -1, (1 << 64) - 1, *self.sizes])
        return self.random.choice([None, "x", 1.5, print, [], [1], [*self.pools["crop"]], object()])


def video(coder: str) -> int:
    """A channel for video that is there; its reports wait for a thread that does not come."""
    made = getattr(media, f"{coder}_create_channel_desc")()
    for name, value in (("thread_id", 4711), ("callback", print)):
        assert getattr(media, f"{coder}_set_channel_desc_{name}")(made, value) == 0
    if coder == "venc":
        media.venc_set_channel_desc_pic_width(made, 128)
        media.venc_set_channel_desc_pic_height(made, 128)
    assert getattr(media, f"{coder}_create_channel")(made) == 0
    return int(made)


@pytest.mark.parametrize("seed", range(8))
def test_anything(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_video, "WAIT_SECONDS", 0.01)
    drawer = Drawer(seed)
    done = Counter[str]()
    for _ in range(3000):
        (name,) = drawer.random.choices(NAMES, WEIGHTS)
        function = getattr(media, name)
        try:
            answer = function(*map(drawer.draw, inspect.signature(function).parameters))
        except ArgumentsError:
            continue
        if name.endswith(("_desc", "_config")) and "_create_" in name and answer:
            drawer.handles.append(answer)
        elif "_get_" not in name and "_create_" not in name:
            code = answer[-1] if isinstance(answer, tuple) else answer
            assert code in CODES, name
            done[name] += not code
    assert runtime.synchronize_stream(0) in CODES
    working = [name for name in done if name.endswith("_async") and done[name]]
    assert len(working) > 4, "some of it is right"
    for handle in drawer.handles:
        if isinstance(handle, int):
            for coder in ("vdec", "venc"):
                getattr(media, f"{coder}_destroy_channel")(handle)
    drawer.memory.free()
