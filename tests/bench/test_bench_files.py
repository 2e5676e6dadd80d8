"""Which files go together, and what is read of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gearshift.bench.files import (
    check_lies_alike,
    count_joined,
    find_files,
    group_files,
    read_input,
)
from gearshift.bench.jobs import jobs_of_files
from gearshift.bench.outputs import FORMATS, Stems, save_run, split_output
from gearshift.bench.setting import set_batch
from gearshift.errors import InputError
from gearshift.gears.gear import Gear, GearSet
from gearshift.tensors import Array, TensorSpec, dtype_named

X = TensorSpec("x", dtype_named("float32"), (-1, 4))
K = TensorSpec("k", dtype_named("int64"), (-1, 1))


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 4))
def test_files_are_shared_out_in_order_and_the_last_run_is_filled(
    count: int, joined: int, inputs: int
) -> None:
    files = [[Path(f"{place}/{number}") for number in range(count)] for place in range(inputs)]
    groups = group_files(files, [joined] * inputs)
    for place, paths in enumerate(files):
        flat = [path for group in groups for path in group.files[place]]
        assert flat[:count] == paths
        assert set(flat[count:]) <= {paths[0]}
        assert len(flat) - count < joined
    assert all(len(some) == joined for group in groups for some in group.files)
    assert [name for group in groups for name in group.names] == files[0]


@given(st.data())
def test_joined_files_give_the_rows_that_were_cut(data: st.DataObject) -> None:
    """Rows cut into files of any equal height, in either format, run as those rows again."""
    gear = data.draw(st.sampled_from([1, 2, 4, 6, 12]))
    heights = [data.draw(st.sampled_from([h for h in range(1, 13) if gear % h == 0])) for _ in "xk"]
    runs = data.draw(st.integers(1, 4))
    rows = runs * gear
    arrays = {
        "x": np.arange(rows * 4, dtype=np.float32).reshape(rows, 4),
        "k": np.arange(rows, dtype=np.int64).reshape(rows, 1),
    }
    gears = GearSet("batch", (Gear((gear,)), Gear((gear + 1,))), (X, K))
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        for (key, array), height in zip(arrays.items(), heights, strict=True):
            folder = Path(name, key)
            folder.mkdir()
            for index, part in enumerate(np.split(array, rows // height)):
                if data.draw(st.booleans()):
                    np.save(folder / f"{index}.npy", part)
                else:
                    part.tofile(folder / f"{index}.bin")
        words = [str(Path(name, key)) for key in arrays]
        jobs = jobs_of_files(gears.inputs, words, set_batch(gears, gear), notes.append)
        fed = [job.feeds() for job in jobs]
    assert len(jobs) == runs
    assert notes == []
    for key, array in arrays.items():
        np.testing.assert_array_equal(np.concatenate([feeds[key] for feeds in fed]), array)


def test_folders_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.bin", "2.bin", "a10.BIN", "a9.npy", "readme.txt", "1.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "deeper.bin").mkdir()
    (found,) = find_files([str(tmp_path)], [X])
    assert [path.name for path in found] == ["2.bin", "10.bin", "a9.npy", "a10.BIN"]


def test_files_of_the_first_input_come_first(tmp_path: Path) -> None:
    words = [str(tmp_path / name) for name in ("a.bin", "b.bin", "c.bin", "d.bin")]
    for word in words:
        Path(word).write_bytes(b"x")
    found = find_files(words, [X, K])
    assert [[path.name for path in paths] for paths in found] == [
        ["a.bin", "b.bin"],
        ["c.bin", "d.bin"],
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.bin"], "1 files for 2 inputs .x, k."),
        (["a.bin", "sub"], "mixes folders .*sub. and files .*a.bin"),
        (["sub", "sub", "sub", "sub"], "4 folders for 2 inputs"),
        (["a.bin", "no.bin"], "no.bin does not exist"),
        (["a.bin", "a.txt"], "neither .npy"),
        (["empty", "sub"], "holds no .npy or .bin"),
    ],
)
def test_wrong_words(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("a.bin", "a.txt", "sub/b.bin"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=said):
        find_files([str(tmp_path / word) for word in words], [X, K])


def test_sizes_that_do_not_fit_say_expected_and_found(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(20))
    with pytest.raises(InputError, match=r"a\.bin.*expected 64 bytes.*16; found 20 bytes"):
        count_joined(X, (4, 4), path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="found 0 bytes"):
        count_joined(X, (4, 4), path)
    path.write_bytes(bytes(32))
    (tmp_path / "b.bin").write_bytes(bytes(16))
    assert count_joined(X, (4, 4), path) == 2
    with pytest.raises(InputError, match=r"b\.bin: expected 32 bytes.*found 16 bytes"):
        read_input(X, (4, 4), [path, tmp_path / "b.bin"])


def test_inputs_have_to_run_equally_often() -> None:
    with pytest.raises(InputError, match=r"3 and 2 runs \(3 files, 1 for each run, 3 files, 2"):
        group_files([[Path("a")] * 3, [Path("b")] * 3], [1, 2])


def test_arrays_of_another_dtype_or_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((1, 2)))
    with pytest.raises(InputError, match="holds float64; input 'x' takes float32"):
        read_input(X, (1, 4), [path])
    np.save(path, np.array([None, {}]), allow_pickle=True)
    with pytest.raises(InputError, match=r"not a \.npy file of numbers"):
        read_input(X, (1, 4), [path])
    path.write_text("nothing of the kind")
    with pytest.raises(InputError, match=r"not a \.npy file of numbers"):
        count_joined(X, (1, 4), path)
    np.savez(tmp_path / "z.npz", x=np.zeros(3))
    (tmp_path / "z.npz").rename(path)
    with pytest.raises(InputError, match="several arrays"):
        count_joined(X, (1, 4), path)


@pytest.mark.parametrize(
    ("shape", "is_told"),
    [
        ((1, 6, 8, 3), True),
        ((6, 8, 3), True),
        ((1, 3, 6, 8), False),
        ((3, 6, 8), False),
        ((144,), False),
        ((2, 3, 6, 8), False),
    ],
)
def test_another_order_of_dims_is_told(
    tmp_path: Path, shape: tuple[int, ...], is_told: bool
) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, np.float32))
    spec = TensorSpec("x", dtype_named("float32"), (-1, 3, 6, 8))
    told = check_lies_alike(spec, (4 if shape[0] == 2 else 1, 3, 6, 8), tmp_path / "a.npy")
    assert (told is not None) == is_told
    if told:
        assert "not transposed" in told


@given(st.lists(st.sampled_from(["a", "A", "a_2", "b", "a_3"]), max_size=12))
def test_every_file_has_a_stem_of_its_own(names: list[str]) -> None:
    stems = Stems()
    given_ = [stem for name in names for stem in stems.of([Path("x", f"{name}.bin")])]
    assert len({stem.casefold() for stem in given_}) == len(names)
    assert all(stem.startswith(name) for stem, name in zip(given_, names, strict=True))


@pytest.mark.parametrize(
    "array",
    [
        np.float32([[0.1, -2.5], [3, np.inf]]),
        np.array(7, np.int64),
        np.array([[True, False]]),
        np.arange(12, dtype=np.uint8).reshape(2, 3, 2),
        np.zeros((0, 3), np.float16),
    ],
)
def test_each_format_can_be_read_back(tmp_path: Path, array: Array) -> None:
    for how in FORMATS:
        ((file,),) = save_run(tmp_path, ["a"], 1, [array], how, 0)
        assert file == str(tmp_path / f"a_0.{how.lower()}")
        if how == "NPY":
            read = np.load(file)
            assert read.dtype == array.dtype
        elif how == "BIN":
            read = np.fromfile(file, array.dtype).reshape(array.shape)
        else:
            text = Path(file).read_text().split()
            read = np.array(list(map(float, text))).astype(array.dtype).reshape(array.shape)
            lines = Path(file).read_text().count("\n")
            assert lines == (array.size // array.shape[-1] if array.ndim and array.size else 1)
        np.testing.assert_array_equal(read, array)
    assert {path.suffix for path in tmp_path.iterdir()} == {".bin", ".npy", ".txt"}


def test_outputs_are_cut_where_they_can_be() -> None:
    output = np.arange(12).reshape(4, 3)
    assert [part.shape for part in split_output(output, 2, 0) or []] == [(2, 3), (2, 3)]
    assert [part.shape for part in split_output(output, 3, 1) or []] == [(4, 1)] * 3
    assert split_output(output, 3, 0) is None
    assert split_output(output, 2, 2) is None
    assert split_output(np.array(3), 2, 0) is None
