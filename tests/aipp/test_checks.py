"""AIPP against the model's input: what fits, what does not and which sizes are filled in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gearshift.aipp.checks import inputs_of, settle
from gearshift.aipp.spec import AippBlock, Crop, Csc, ImageFormat, Padding, StaticAipp
from gearshift.errors import OptionErrors

RGB = StaticAipp(ImageFormat.RGB888_U8)
NV12 = StaticAipp(ImageFormat.YUV420SP_U8)
CSC = Csc(((1, 0, 0), (0, 1, 0), (0, 0, 1)), (0, 0, 0), (0, 0, 0))


def refused(
    aipp: StaticAipp, channels: int = 3, height: int = 224, width: int = 224, gears: bool = False
) -> list[tuple[str | None, str]]:
    with pytest.raises(OptionErrors) as caught:
        settle(aipp, "data", channels, height, width, gears=gears)
    prefix = "insert_op_conf: input 'data': "
    assert all(error.message.startswith(prefix) for error in caught.value.errors)
    return [(error.code, error.message.removeprefix(prefix)) for error in caught.value.errors]


# --- sizes left to the model --------------------------------------------------------------------


def test_an_image_as_large_as_the_model() -> None:
    settled = settle(RGB, "data", 3, 480, 640)
    assert settled == replace(RGB, width=640, height=480)
    assert settle(settled, "data", 3, 480, 640) == settled
    assert settle(replace(RGB, width=640), "data", 3, 480, 640) == settled


def test_a_crop_as_large_as_the_model() -> None:
    aipp = replace(RGB, width=256, height=250, crop=Crop(16, 10, 0, 0))
    assert settle(aipp, "data", 3, 224, 200).crop == Crop(16, 10, 200, 224)
    aipp = replace(RGB, width=256, height=250, crop=Crop(16, 10, 200, 0))
    assert settle(aipp, "data", 3, 224, 200).crop == Crop(16, 10, 200, 224)


def test_padding_makes_up_what_is_missing() -> None:
    padded = replace(RGB, width=220, height=200, padding=Padding(1, 3, 4, 20))
    assert settle(padded, "data", 3, 224, 224) == padded
    both = replace(padded, width=300, height=300, crop=Crop(0, 0, 220, 200))
    assert settle(both, "data", 3, 224, 224) == both


def test_where_the_model_takes_any_size_it_stays_open() -> None:
    assert settle(RGB, "data", 3, -1, -1) == RGB
    assert settle(replace(RGB, width=64), "data", 3, 32, -1) == replace(RGB, width=64, height=32)
    cut = replace(RGB, width=64, height=64, crop=Crop(0, 0, 32, 16))
    assert settle(cut, "data", 3, -1, -1) == cut
    assert refused(replace(cut, crop=Crop(0, 0, 32, 0)), height=-1, width=-1) == [
        ("E81012", "as the model takes any, the crop must have a size, but crop_size_w is 32 and "
         "crop_size_h is 0; write both.")
    ]  # fmt: skip


# --- channels -----------------------------------------------------------------------------------

THREE = ["YUV420SP_U8", "RGB888_U8", "YUYV_U8", "YUV422SP_U8"]
FOUR = ["XRGB8888_U8", "ARGB8888_U8", "AYUV444_U8"]


@pytest.mark.parametrize("csc", [None, CSC])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", [*THREE, *FOUR, "YUV400_U8"])
def test_channels(name: str, channels: int, csc: Csc | None) -> None:
    aipp = StaticAipp(ImageFormat[name], csc=csc)
    allowed = {1} if name == "YUV400_U8" else {3} if name in THREE else {3, 4}
    if csc is not None:
        allowed = set() if name == "YUV400_U8" else allowed | {1}
    if channels in allowed:
        assert settle(aipp, "data", channels, 32, 32).format is aipp.format
    else:
        assert {code for code, _ in refused(aipp, channels, 32, 32)} == {"E81012"}


@pytest.mark.parametrize(
    ("aipp", "channels", "message"),
    [
        (RGB, 4, "the model takes 4 channels, input_format RGB888_U8 gives 3; choose a format that "
         "fits."),
        (StaticAipp(ImageFormat.XRGB8888_U8, csc=CSC), 2, "the model takes 2 channels, "
         "input_format XRGB8888_U8 gives 1 or 3 or 4; choose a format that fits."),
        (NV12, 1, "the model takes 1 channels, input_format YUV420SP_U8 gives 3, or 1 with "
         "csc_switch on (the first row of the matrix); choose a format that fits."),
        (StaticAipp(ImageFormat.YUV400_U8, csc=CSC), 1, "csc_switch is on, but YUV400_U8 has no "
         "colours to convert; turn it off."),
    ],
)  # fmt: skip
def test_refused_channels(aipp: StaticAipp, channels: int, message: str) -> None:
    assert refused(aipp, channels) == [("E81012", message)]


# --- arithmetic ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aipp", "message"),
    [
        (replace(RGB, width=256, height=224), "the source image is 256 pixels wide, the model "
         "takes 224."),
        (replace(RGB, width=256, height=256, crop=Crop(0, 0, 224, 200)), "the crop is 200 pixels "
         "high, the model takes 224."),
        (replace(RGB, width=300, height=300, crop=Crop(0, 0, 224, 220), padding=Padding(2, 2, 2, 2)
         ), "the crop is 224 + padding 2 + 2 = 228 pixels wide, the model takes 224."),
        (replace(RGB, width=224, height=224, padding=Padding(bottom=1)), "the source image is 224 "
         "+ padding 0 + 1 = 225 pixels high, the model takes 224."),
        (replace(RGB, width=256, height=224, crop=Crop(40, 0, 224, 224)), "load_start_pos_w 40 + "
         "crop_size_w 224 = 264, the source image is 256 pixels wide."),
        (replace(RGB, crop=Crop(0, 0, 224, 224)), "crop must know the source image, but "
         "src_image_size_w is 0 and src_image_size_h is 0; write both."),
        (replace(RGB, width=220, padding=Padding(2, 2, 2, 2)), "padding must know the source "
         "image, but src_image_size_w is 220 and src_image_size_h is 0; write both."),
        (replace(RGB, width=256, height=256, crop=Crop(0, 0, 0, 0), padding=Padding()), "with "
         "padding, the crop must have a size, but crop_size_w is 0 and crop_size_h is 0; write "
         "both."),
        (replace(NV12, width=256, height=256, crop=Crop(1, 2, 224, 224)), "load_start_pos_w is 1; "
         "for YUV420SP_U8 it must be even."),
        (replace(NV12, width=256, height=256, crop=Crop(2, 1, 224, 224)), "load_start_pos_h is 1; "
         "for YUV420SP_U8 it must be even."),
        (replace(NV12, width=224, height=225, crop=Crop(0, 0, 224, 224)), "the source image is 225 "
         "pixels high; for YUV420SP_U8 it must be even."),
    ],
)  # fmt: skip
def test_refusals_say_the_arithmetic(aipp: StaticAipp, message: str) -> None:
    assert refused(aipp) == [("E81012", message)]


def test_sizes_taken_from_the_model_must_be_right_too() -> None:
    assert refused(NV12, height=225) == [
        ("E81012", "the source image is 225 pixels high; for YUV420SP_U8 it must be even.")
    ]
    assert refused(RGB, height=4097, width=1) == [
        ("E81012", "the source image is 1 pixels wide; allowed: 2 to 4096."),
        ("E81012", "the source image is 4097 pixels high; allowed: 1 to 4096."),
    ]


def test_padded_images_have_a_greatest_width() -> None:
    aipp = replace(RGB, width=1080, height=32, padding=Padding())
    assert settle(aipp, "data", 3, 32, 1080) == aipp
    assert refused(replace(aipp, width=1081), height=32, width=1081) == [
        ("E81012", "padding is on and the model takes images 1081 pixels wide; with padding: up to "
         "1080.")
    ]  # fmt: skip
    assert settle(replace(aipp, width=1081, padding=None), "data", 3, 32, 1081).width == 1081


def test_all_that_does_not_fit_is_said_at_once() -> None:
    aipp = replace(NV12, width=101, height=90, crop=Crop(1, 0, 50, 100))
    assert [message.split(";")[0] for _, message in refused(aipp, channels=4)] == [
        "the model takes 4 channels, input_format YUV420SP_U8 gives 3",
        "the source image is 101 pixels wide",
        "load_start_pos_w is 1",
        "the crop is 50 pixels wide, the model takes 224.",
        "load_start_pos_h 0 + crop_size_h 100 = 100, the source image is 90 pixels high.",
        "the crop is 100 pixels high, the model takes 224.",
    ]


@st.composite
def axes(draw: st.DrawFn, cropped: bool, padded: bool) -> list[int]:
    """Source, start, size, before, after, model: as they fit, or nearly."""
    before, after = draw(st.tuples(st.integers(0, 2), st.integers(0, 2))) if padded else (0, 0)
    size, start, rest = draw(st.integers(1, 8)), draw(st.integers(0, 4)), draw(st.integers(0, 3))
    source = start + size + rest if cropped else size
    numbers = [source, start, size, before, after, size + before + after]
    if draw(st.integers(0, 3)) == 0:
        place = draw(st.integers(0, 5))
        numbers[place] = draw(st.integers(int(place == 5), numbers[place] + 1))
    if draw(st.integers(0, 3)) == 0:
        numbers[draw(st.sampled_from([0, 2]))] = 0
    return numbers


@st.composite
def layouts(draw: st.DrawFn) -> tuple[StaticAipp, list[list[int]]]:
    """Two axes, across and down, and the block that says them."""
    cropped, padded = draw(st.booleans()), draw(st.booleans())
    wide, high = draw(axes(cropped, padded)), draw(axes(cropped, padded))
    aipp = StaticAipp(
        draw(st.sampled_from([ImageFormat[name] for name in THREE])),
        *(wide[0], high[0]),
        crop=Crop(wide[1], high[1], wide[2], high[2]) if cropped else None,
        padding=Padding(*wide[3:5], *high[3:5]) if padded else None,
    )
    return aipp, [wide, high]


def fits(aipp: StaticAipp, axis: list[int], step: int, least: int) -> bool:
    """Pixels laid out one by one, instead of sums."""
    source, start, size, before, after, model = axis
    if source == 0 and (aipp.crop or aipp.padding):
        return False
    pixels = list(range(source or model))
    if len(pixels) % step or len(pixels) < least:
        return False
    if aipp.crop:
        if (size == 0 and aipp.padding) or start % step:
            return False
        wanted = size or model
        pixels = pixels[start : start + wanted]
        if len(pixels) != wanted:
            return False
    around = (before, after) if aipp.padding else (0, 0)
    return len([*range(around[0]), *pixels, *range(around[1])]) == model


@settings(max_examples=800, deadline=None)
@given(layouts())
def test_what_is_settled_fits_and_what_fits_is_settled(
    layout: tuple[StaticAipp, list[list[int]]],
) -> None:
    aipp, (wide, high) = layout
    across, down = {"YUV420SP_U8": (2, 2), "RGB888_U8": (1, 1)}.get(aipp.format.name, (2, 1))
    right = fits(aipp, wide, across, 2) and fits(aipp, high, down, 1)
    if not right:
        with pytest.raises(OptionErrors):
            settle(aipp, "data", 3, high[5], wide[5])
        return
    settled = settle(aipp, "data", 3, high[5], wide[5])
    assert min(settled.width, settled.height) > 0
    assert (settled.crop is None) == (aipp.crop is None)
    assert settled.crop is None or min(settled.crop.width, settled.crop.height) > 0
    assert settle(settled, "data", 3, high[5], wide[5]) == settled


# --- image gears --------------------------------------------------------------------------------


def test_with_image_gears_everything_is_the_gear_s_own_size() -> None:
    assert settle(NV12, "data", 3, -1, -1, gears=True) == NV12
    assert settle(NV12, "data", 3, 112, 224, gears=True) == NV12
    assert refused(NV12, height=113, width=224, gears=True) == [
        ("E81012", "the source image is 113 pixels high; for YUV420SP_U8 it must be even.")
    ]
    assert refused(NV12, channels=2, height=-1, width=-1, gears=True)[0][0] == "E81012"


@pytest.mark.parametrize(
    ("aipp", "what"),
    [
        (replace(RGB, width=224), "src_image_size_w is 224"),
        (replace(RGB, width=8, height=9), "src_image_size_w is 8, src_image_size_h is 9"),
        (replace(RGB, crop=Crop(0, 0, 0, 0)), "crop is on"),
        (replace(RGB, padding=Padding(), height=9), "src_image_size_h is 9, padding is on"),
    ],
)
def test_image_gears_allow_no_sizes_crop_or_padding(aipp: StaticAipp, what: str) -> None:
    assert refused(aipp, height=-1, width=-1, gears=True) == [
        ("E10052", f"with image gears every image is of its gear's size, but {what}; leave the "
         "sizes out (or 0) and turn crop and padding off.")
    ]  # fmt: skip


# --- which input --------------------------------------------------------------------------------


def test_blocks_find_their_inputs() -> None:
    first, second = AippBlock(RGB, input_rank=1), AippBlock(NV12)
    assert inputs_of((first, second), ["a", "b", "c"]) == {"b": first, "a": second}
    named = AippBlock(RGB, input_name="im:0")
    assert inputs_of([named], ["x", "im:0"]) == {"im:0": named}


@pytest.mark.parametrize(
    ("block", "code", "message"),
    [
        (AippBlock(RGB, input_rank=2), "E19999", "related_input_rank is 2; allowed: 0 to 1: the "
         "model's inputs are image, image_info."),
        (AippBlock(RGB, input_name="imag"), "E10052", "related_input_name is 'imag'; the model's "
         "inputs are image, image_info. Did you mean 'image'?"),
    ],
)  # fmt: skip
def test_blocks_of_no_input(block: AippBlock, code: str, message: str) -> None:
    with pytest.raises(OptionErrors) as caught:
        inputs_of([block, AippBlock(RGB)], ["image", "image_info"])
    (error,) = caught.value.errors
    assert (error.code, error.message) == (code, f"insert_op_conf: {message}")
