"""Whole programs, as they are written for a card: what they write is what ONNX Runtime gives.

The programs know nothing of this project: they import `acl`, numpy and the standard library. Each
runs in a process of its own, on models that the command `atc` converted.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from program_tools import PROGRAMS, SIDE, WORDS, Models, models, run_program

from gearshift.tensors import Array
from models import run_onnxruntime

__all__ = ["models"]

TOLERANCE = 1e-4
ALL = sorted(path.name for path in PROGRAMS.glob("*.py"))


def pictures(rows: int, seed: int = 0) -> Array:
    shape = (rows, 3, SIDE, SIDE)
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def agree(given: Array, wanted: Array) -> None:
    assert given.shape == wanted.shape
    assert given.dtype == wanted.dtype
    np.testing.assert_allclose(given, wanted, rtol=TOLERANCE, atol=TOLERANCE)


def classified(models: Models, images: Array) -> list[Array]:
    return list(run_onnxruntime(models.onnx("classifier"), {"actual_input_1": images}).values())


def saved(folder: Path, name: str, array: Array) -> Path:
    np.save(folder / name, array)
    return folder / name


@pytest.mark.parametrize("name", ALL)
def test_a_program_knows_of_acl_and_numpy_only(name: str) -> None:
    text = (PROGRAMS / name).read_text()
    assert "gearshift" not in text
    tree = ast.parse(text)
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("acl."):
            assert not node.keywords, ast.unparse(node)
    assert imported - set(sys.stdlib_module_names) <= {"acl", "numpy"}
    assert "acl" in imported


def test_a_classifier_of_batches(models: Models, tmp_path: Path) -> None:
    batches = {1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 8: 8, 7: 8}  # asked for, and the gear that it goes in
    images = pictures(sum(batches))
    file = saved(tmp_path, "pictures.npy", images)
    asked = ",".join(map(str, batches))
    text = run_program("classifier.py", models.om("classifier_dym"), file, tmp_path, asked)
    assert "batches: [1, 2, 4, 8]" in text
    assert "everything was given back" in text
    gears = [int(rows) for rows in re.findall(r"^output 0 of .*: \[(\d+), 10\]$", text, re.M)]
    assert gears == list(batches.values())
    start = 0
    for number, rows in enumerate(batches):
        for place, wanted in enumerate(classified(models, images[start : start + rows])):
            agree(np.load(tmp_path / f"batch{number}_output{place}.npy"), wanted)
        start += rows


def test_a_detector_of_image_sizes(models: Models, tmp_path: Path) -> None:
    sizes = [(64, 64), (128, 128), (96, 64), (64, 96), (64, 64)]
    dice = np.random.default_rng(1)
    images = {
        f"{at}": dice.standard_normal((1, 3, *size), np.float32) for at, size in enumerate(sizes)
    }
    files = [saved(tmp_path, f"{name}.npy", image) for name, image in images.items()]
    other = saved(tmp_path, "other.npy", np.zeros((1, 3, 32, 64), np.float32))
    # The program reads further than its smaller pictures go. Where that is further than memory
    # goes, it is told.
    warning = "zeros were taken instead"
    arguments = models.om("detector"), tmp_path, *files, other
    text = run_program("detector.py", *arguments, warning=warning)
    assert "sizes: [(64, 96), (128, 128), (96, 64), (64, 64)]" in text
    assert "(32, 64) is not a size of the model" in text
    assert "last scores: [1, 64]" in text
    for name, image in images.items():
        written = np.load(tmp_path / f"{name}.npz")
        for key, wanted in run_onnxruntime(models.onnx("detector"), {"image": image}).items():
            agree(written[key], wanted)


def sentences(rows: int, length: int) -> dict[str, Array]:
    dice = np.random.default_rng(rows * 100 + length)
    ends = dice.integers(min(2, length), length, (rows, 1), endpoint=True)
    mask = (np.arange(length) < ends).astype(np.int64)
    return {
        "input_ids": dice.integers(1, WORDS, (rows, length)) * mask,
        "attention_mask": mask,
        "token_type_ids": (np.arange(length) > ends // 2).astype(np.int64) * mask,
    }


def encoded(models: Models, feeds: Mapping[str, Array]) -> dict[str, Array]:
    return run_onnxruntime(models.onnx("bert"), feeds)


def test_an_encoder_of_any_dims(models: Models, tmp_path: Path) -> None:
    shapes = {(1, 8): (1, 8), (1, 5): (1, 8), (1, 16): (1, 16), (4, 16): (4, 16), (3, 9): (4, 16),
              (2, 32): (2, 32), (1, 20): (2, 32)}  # fmt: skip
    files = []
    for rows, length in shapes:
        files.append(tmp_path / f"in_{rows}_{length}.npz")
        np.savez(files[-1], **sentences(rows, length))
    out = tmp_path / "out"
    out.mkdir()
    text = run_program("bert.py", models.om("bert"), out, *files)
    assert "gears: [[1, 16, 1, 16, 1, 16], [4, 16" in text
    gears = [tuple(map(int, each)) for each in re.findall(r"^gear \[(\d+), (\d+),", text, re.M)]
    assert gears == list(shapes.values())
    for shape, file in zip(shapes, files, strict=True):
        written = np.load(out / file.name)
        for key, wanted in encoded(models, sentences(*shape)).items():
            agree(written[key], wanted)


FULL_RANGE = np.array([[256, 0, 359], [256, -88, -183], [256, 454, 0]])


def rgb_of(nv12: Array) -> Array:
    """The formula of the card, in whole numbers: [N, 3 / 2 H, W] to [N, H, W, 3]."""
    height = nv12.shape[1] * 2 // 3
    chroma = nv12[:, height:].reshape(len(nv12), height // 2, -1, 2)
    full = chroma.repeat(2, axis=1).repeat(2, axis=2)
    yuv = np.concatenate([nv12[:, :height, :, None], full], axis=3).astype(int)
    return np.clip((yuv - (0, 128, 128)) @ FULL_RANGE.T >> 8, 0, 255)


def normalised(rgb: Array) -> Array:
    """With the numbers of aipp.py and of aipp_yuv.cfg; the card keeps two of them as float16."""
    least = np.float16([0.5, 0.25, 1.5]).astype(np.float32)
    factor = np.float16([0.017125, 0.017507, 0.017429]).astype(np.float32)
    planes = (rgb.astype(np.float32) - np.float32([104, 117, 123]) - least) * factor
    return np.ascontiguousarray(planes.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("kind", ["yuv", "rgb"])
def test_another_crop_of_each_frame(models: Models, tmp_path: Path, kind: str) -> None:
    height, width = 48, 64
    dice = np.random.default_rng(3)
    shape = (height * 3 // 2, width) if kind == "yuv" else (height, width, 3)
    frames = dice.integers(0, 256, (8, *shape), np.uint8)
    corners = 2 * dice.integers(0, (width - SIDE) // 4 + 1, (8, 2))
    corners[0] = (width - SIDE, height - SIDE)
    files = saved(tmp_path, "frames.npy", frames), saved(tmp_path, "corners.npy", corners)
    out = tmp_path / "out.npy"
    text = run_program("aipp.py", models.om("classifier_aipp"), *files, kind, out, "1,2,3,2")
    assert re.findall(r"^batch (\d)", text, re.M) == ["1", "2", "4", "2"]
    rgb = rgb_of(frames) if kind == "yuv" else frames
    regions = [
        image[top : top + SIDE, left : left + SIDE]
        for image, (left, top) in zip(rgb, corners, strict=True)
    ]
    agree(np.load(out), classified(models, normalised(np.stack(regions)))[0])


def test_streams_of_several_contexts(models: Models, tmp_path: Path) -> None:
    batches = [1, 8, 2, 4]
    images = pictures(5 * sum(batches), seed=4)
    file = saved(tmp_path, "pictures.npy", images)
    model, asked = models.om("classifier_dym"), ",".join(map(str, batches))
    text = run_program("streams.py", model, file, tmp_path, asked, 3)
    assert "20 of 20 jobs written" in text
    wanted = classified(models, images)[0]
    start = 0
    for number in range(20):
        rows = batches[number % len(batches)]
        agree(np.load(tmp_path / f"job{number}.npy"), wanted[start : start + rows])
        start += rows


def test_a_service_of_threads(models: Models, tmp_path: Path) -> None:
    asked, out = tmp_path / "asked", tmp_path / "out"
    asked.mkdir()
    out.mkdir()
    everything = pictures(21, seed=5)
    requests = {}
    for number in range(60):
        rows = number * 7 % 11 + 1
        start = number % (len(everything) - rows)
        requests[f"{number:03}.npy"] = slice(start, start + rows)
        saved(asked, f"{number:03}.npy", everything[start : start + rows])
    run_program("service.py", models.om("classifier_dym"), asked, out, 6)
    wanted = classified(models, everything)[0]
    assert sorted(requests) == sorted(path.name for path in out.iterdir())
    for name, rows in requests.items():
        agree(np.load(out / name), wanted[rows])


def jpeg(path: Path, width: int, height: int, seed: int) -> Path:
    """A picture with edges and colours, in the chroma that cameras write."""
    down, across = np.mgrid[0:height, 0:width]
    waves = [
        128 + 110 * np.sin(across / (9.0 + 2 * channel + seed) + channel) * np.cos(down / 11.0)
        for channel in range(3)
    ]
    picture = np.rint(np.dstack(waves)).astype(np.uint8)
    picture[height // 3 : height // 2, width // 4 : width // 2] = (230, 40, 60 + 30 * seed)
    Image.fromarray(picture).save(path, "JPEG", quality=90, subsampling="4:2:0")
    return path


def planes_by_pillow(path: Path) -> list[Array]:
    """Luma, and chroma as the file has it, less what is odd.

    At half the size libjpeg takes every value of chroma once, and does not make any up in between.
    """
    whole, half = (Image.open(io.BytesIO(path.read_bytes())) for _ in range(2))
    whole.draft("YCbCr", whole.size)
    half.draft("YCbCr", (half.width // 2, half.height // 2))
    luma, chroma = np.asarray(whole)[..., :1], np.asarray(half)[..., 1:]
    height, width = luma.shape[0] // 2, luma.shape[1] // 2
    return [luma[: height * 2, : width * 2], chroma[:height, :width]]


def bilinear(plane: Array, height: int, width: int) -> Array:
    """Resized between the centres of pixels, in floating point."""
    for axis, size in enumerate((height, width)):
        count = plane.shape[axis]
        at = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
        low = np.minimum(at.astype(int), count - 2)
        share = (at - low).reshape([-1 if each == axis else 1 for each in range(3)])
        plane = plane.take(low, axis) * (1 - share) + plane.take(low + 1, axis) * share
    return plane


def check_nv12(picture: Array, known: Sequence[Array], height: int, width: int, apart: int) -> None:
    """The upper left part is a known picture, the rest is grey.

    What the planes may be apart, they may be apart when they are resized, which takes means; and
    less than 1 more, because it ends in whole numbers.
    """
    luma = picture[:SIDE, :, None].astype(int)
    chroma = picture[SIDE:].reshape(SIDE // 2, SIDE // 2, 2).astype(int)
    for plane, wanted, by in zip((luma, chroma), known, (1, 2), strict=True):
        inside = plane[: height // by, : width // by]
        off = np.abs(inside - bilinear(wanted, height // by, width // by))
        assert off.max() < apart + 1
        inside[...] = 128
        assert (plane == 128).all()


DECODERS = 2
"""Each is within 1 of the exact cosine transform (IEEE 1180), so two are at most that far apart."""


JPEGS = ((200, 120), (157, 99), (64, 64), (130, 300))


def through_dvpp(models: Models, folder: Path, batch: int, way: str) -> tuple[list[Path], Array]:
    """The files, and the pictures that went into the model; what came out of it is right."""
    files = [jpeg(folder / f"{seed}.jpg", *size, seed=seed) for seed, size in enumerate(JPEGS)]
    run_program("dvpp.py", models.om("classifier_yuv"), folder, batch, way, *files)
    nv12 = np.load(folder / "nv12.npy")
    # From there on all is exact: the card's conversion is one of whole numbers.
    agree(np.load(folder / "scores.npy"), classified(models, normalised(rgb_of(nv12)))[0])
    return files, nv12


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_jpeg_files_through_dvpp(models: Models, tmp_path: Path, batch: int) -> None:
    files, nv12 = through_dvpp(models, tmp_path, batch, "resize")
    for picture, file in zip(nv12, files, strict=True):
        check_nv12(picture, planes_by_pillow(file), SIDE, SIDE, DECODERS)


def test_jpeg_files_pasted_by_dvpp(models: Models, tmp_path: Path) -> None:
    files, nv12 = through_dvpp(models, tmp_path, 4, "paste")
    # left, top, width and height of what is taken; height and width of what becomes of it
    areas = [
        (24, 14, 152, 92, 18, 32),
        (18, 12, 120, 74, 18, 32),
        (8, 8, 48, 48, 32, 32),
        (16, 36, 98, 228, 32, 12),
    ]
    for picture, file, (left, top, width, height, *into) in zip(nv12, files, areas, strict=True):
        planes = [
            plane[top // by : (top + height) // by, left // by : (left + width) // by]
            for plane, by in zip(planes_by_pillow(file), (1, 2), strict=True)
        ]
        check_nv12(picture, planes, *into, DECODERS)


def film(count: int, width: int, height: int) -> list[bytes]:
    """Coded frames; some refer to later ones, so that they come out in another order."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(25), Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"crf": "10", "bf": "2", "b-adapt": "0", "scenecut": "0"}
    down, across = np.mgrid[0 : height * 3 // 2, 0:width]
    packets = []
    for number in range(count):
        picture = 128 + 90 * np.sin((across + 5 * number) / 9.0) * np.cos(down / 13.0)
        frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in packets + encoder.encode(None)]


def planes_of_film(packets: Sequence[bytes]) -> list[list[Array]]:
    """Luma and chroma of each frame, in the order in which a film is seen."""
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet))]
    planes = []
    for frame in [*frames, *decoder.decode(None)]:
        height, width = frame.height, frame.width
        whole = frame.to_ndarray(format="yuv420p")
        chroma = whole[height:].reshape(2, height // 2, width // 2).transpose(1, 2, 0)
        planes.append([whole[:height, :, None], chroma])
    return planes


def test_a_film_through_a_thread_for_reports(models: Models, tmp_path: Path) -> None:
    width, height, count = 96, 64, 9
    packets = film(count, width, height)
    held = {f"{at:03}": np.frombuffer(packet, np.uint8) for at, packet in enumerate(packets)}
    np.savez(tmp_path / "packets.npz", **held)
    arguments = tmp_path, tmp_path / "packets.npz", width, height
    text = run_program("camera.py", models.om("classifier_yuv"), *arguments)
    order = ast.literal_eval(text.removeprefix("frames in the order "))
    assert sorted(order) == list(range(count)) != order
    seen = planes_of_film(packets)
    nv12 = np.fromfile(tmp_path / "nv12.bin", np.uint8).reshape(count, SIDE * 3 // 2, SIDE)
    for number, planes in enumerate(seen):
        check_nv12(nv12[number], planes, SIDE, SIDE, apart=0)  # H.264 is exact
        # At the best quality only the rounding of the transform is lost, 0.3 in the mean.
        for found, plane in zip(
            planes_by_pillow(tmp_path / f"frame{number}.jpg"), planes, strict=True
        ):
            assert np.abs(found.astype(int) - plane).max() < 4
    agree(np.load(tmp_path / "scores.npy"), classified(models, normalised(rgb_of(nv12)))[0])


@pytest.mark.parametrize(
    ("model", "kind"),
    [("classifier_dym", "batch"), ("classifier_bs2", "static"), ("detector", "hw"),
     ("bert", "dims"), ("bert_range", "range")],
)  # fmt: skip
def test_a_backend_for_every_kind(models: Models, tmp_path: Path, model: str, kind: str) -> None:
    name = model.partition("_")[0]
    feeds: list[dict[str, Array]]
    if name == "classifier":
        rows = (3, 1, 8, 2) if kind == "batch" else (2, 2)
        feeds = [{"actual_input_1": pictures(count, seed=count)} for count in rows]
    elif name == "detector":
        dice = np.random.default_rng(10)
        sizes = (64, 64), (128, 128), (96, 64), (64, 96)
        feeds = [{"image": dice.standard_normal((1, 3, *size), np.float32)} for size in sizes]
    else:
        shapes = (
            ((2, 32), (1, 8), (4, 16), (1, 16)) if kind == "dims" else ((3, 7), (4, 32), (1, 1))
        )
        feeds = [sentences(*shape) for shape in shapes]
    out = tmp_path / "out"
    out.mkdir()
    files = [tmp_path / f"{number}.npz" for number in range(len(feeds))]
    for file, each in zip(files, feeds, strict=True):
        np.savez(file, **each)
    assert f"kind: {kind}" in run_program("backend.py", models.om(model), out, *files)
    for file, each in zip(files, feeds, strict=True):
        written = np.load(out / file.name)
        for key, wanted in run_onnxruntime(models.onnx(name), each).items():
            agree(written[key], wanted)


def raw(folder: Path, feeds: Mapping[str, Array]) -> str:
    for name, array in feeds.items():
        (folder / f"{name}.bin").write_bytes(array.tobytes())
    return ",".join(str(folder / f"{name}.bin") for name in feeds)


def check_raw(folder: Path, model: str, wanted: Sequence[Array]) -> None:
    for place, array in enumerate(wanted):
        data = (folder / f"{model}_output_{place}.bin").read_bytes()
        agree(np.frombuffer(data, array.dtype).reshape(array.shape), array)


@pytest.mark.parametrize("batch", [1, 2, 4, 8])
def test_raw_files_at_a_batch(models: Models, tmp_path: Path, batch: int) -> None:
    images = pictures(batch, seed=6)
    files = raw(tmp_path, {"picture": images})
    options = ("--model", models.om("classifier_dym"), "--input", files, "--output", tmp_path)
    text = run_program("bins.py", *options, "--dymBatch", batch, "--loop", 3)
    assert text.count("model execute success") == 3
    assert text.endswith("[INFO] Execute sample success\n")
    check_raw(tmp_path, "classifier_dym", classified(models, images))


def test_raw_files_at_an_image_size(models: Models, tmp_path: Path) -> None:
    image = np.random.default_rng(7).standard_normal((1, 3, 96, 64), np.float32)
    files = raw(tmp_path, {"image": image})
    options = ("--model", models.om("detector"), "--input", files, "--output", tmp_path)
    run_program("bins.py", *options, "--dymHW", "96,64")
    wanted = run_onnxruntime(models.onnx("detector"), {"image": image})
    check_raw(tmp_path, "detector", list(wanted.values()))


def test_raw_files_at_any_dims(models: Models, tmp_path: Path) -> None:
    feeds = sentences(4, 16)
    dims = ";".join(f"{name}:4,16" for name in reversed(feeds))
    files = raw(tmp_path, feeds)
    options = ("--model", models.om("bert"), "--input", files, "--output", tmp_path)
    run_program("bins.py", *options, f"--dymDims={dims}")
    check_raw(tmp_path, "bert", list(encoded(models, feeds).values()))


def test_raw_files_at_a_fixed_shape(models: Models, tmp_path: Path) -> None:
    images = pictures(2, seed=8)
    files = raw(tmp_path, {"picture": images})
    options = ("--model", models.om("classifier_bs2"), "--input", files, "--output", tmp_path)
    run_program("bins.py", *options)
    check_raw(tmp_path, "classifier_bs2", classified(models, images))


@pytest.mark.parametrize("launcher", [(), ("-m", "gearshift.acl")], ids=["python", "forced"])
def test_a_class_library_that_clears_up_late(
    models: Models, tmp_path: Path, launcher: tuple[str, ...]
) -> None:
    images = pictures(8, seed=9)
    file = saved(tmp_path, "pictures.npy", images)
    paths = models.om("classifier_dym"), models.om("classifier_bs2"), file, tmp_path
    text = run_program("lite.py", *paths, launcher=launcher)
    assert "refused: batch 3 is not in [1, 2, 4, 8]" in text
    assert "classifier_bs2.om has one batch size only (100000)" in text
    assert text.count("model goes:") == 2
    assert text.count("resource goes") == 1
    for place, wanted in enumerate(classified(models, images)):
        agree(np.load(tmp_path / f"dynamic{place}.npy"), wanted)
        agree(np.load(tmp_path / f"fixed{place}.npy"), wanted)
