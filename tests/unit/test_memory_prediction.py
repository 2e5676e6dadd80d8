"""Predicted memory: counted by hand, and refused where a machine does not have it."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from gearshift.analysis import memory
from gearshift.analysis.facts import walk
from gearshift.analysis.machine import MachineMemory, machine_memory
from gearshift.analysis.memory import GearMemory, check_memory, predict_run_bytes, weight_bytes
from gearshift.errors import MemoryLimitError
from gearshift.gears.gear import Gear
from graphs import program_from_file, program_from_text, rapidocr_model

GB = 10**9


def predicted(text: str, rows: int) -> int:
    program = program_from_text(text)
    shapes = {spec.name: (rows, *spec.shape[1:]) for spec in program.inputs}
    return predict_run_bytes(program, walk(program, shapes))


def test_chain() -> None:
    """x, a and b of 400 bytes a row: b is made while a is read, and the caller's x stays."""
    text = "g (float[N, 100] x) => (float[N, 100] y) { a = Relu(x) b = Neg(a) y = Abs(b) }"
    assert predicted(text, 1) == 3 * 400
    assert predicted(text, 8) == 8 * 3 * 400


def test_a_value_lives_until_its_last_reader() -> None:
    """At the Concat: x (40), a (40), b, which is its output's neighbour (400), and y (440)."""
    text = """g (float[N, 10] x) => (float[N, 110] y) <int64[2] t = {1, 10}> {
        a = Relu(x)
        b = Tile(a, t)
        y = Concat<axis = 1>(b, a)
    }"""
    assert predicted(text, 1) == 40 + 40 + 400 + 440


def test_views_take_nothing() -> None:
    """Reshape and its like show the same bytes: x and y only."""
    text = """g (float[N, 4, 5] x) => (float[N, 20] y) <int64[1] axis = {1}, int64[2] t = {0, -1}> {
        a = Unsqueeze(x, axis)
        b = Reshape(a, t)
        c = Flatten(b)
        y = Relu(c)
    }"""
    assert predicted(text, 3) == 3 * (80 + 80)


def test_a_view_keeps_its_source_alive() -> None:
    text = """g (float[N, 4, 5] x) => (float[N, 20] y) <int64[2] t = {0, -1}> {
        a = Neg(x)
        b = Flatten(a)
        c = Relu(x)
        d = Flatten(c)
        y = Add(b, d)
    }"""
    assert predicted(text, 1) == 80 * 4


def test_outputs_stay_to_the_end() -> None:
    """y1 is made first and belongs to the caller: x, y1, a, y2."""
    text = """g (float[N, 10] x) => (float[N, 10] y1, float[N, 10] y2) {
        y1 = Neg(x) a = Relu(x) y2 = Abs(a) }"""
    assert predicted(text, 1) == 4 * 40


def test_weights_are_counted_apart_and_once() -> None:
    program = program_from_text("""g (float[N, 4] x) => (float[N, 2] y)
        <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}> {
            c = Constant<value = float16[3] {1, 2, 3}>()
            d = Cast<to = 1>(c)
            m = MatMul(x, w)
            n = MatMul(x, w)
            y = Add(m, n)
        }""")
    assert weight_bytes(program) == 4 * 2 * 4 + 3 * 2
    facts = walk(program, {"x": (1, 4)})
    assert predict_run_bytes(program, facts) == 16 + 8 + 8 + 8  # d is gone before m is made


def test_types_smaller_and_larger_than_float32() -> None:
    text = """g (int8[N, 10] x) => (double[N, 10] y) {
        b = Cast<to = 9>(x) y = Cast<to = 11>(b) }"""
    assert predicted(text, 1) == 10 + 10 + 80


def test_values_inside_a_branch_count() -> None:
    text = """g (float[N, 10] x, bool[N] c) => (float[N, 10] y) <int64 z = {0}> {
        first = Gather(c, z)
        y = If(first) <
            then_branch = t () => (float[A, B] ty) { a = Relu(x) ty = Neg(a) },
            else_branch = e () => (float[A, B] ey) { ey = Neg(x) }
        >
    }"""
    # x, c, first (1), y, and the inside of both branches, as either may be taken.
    assert predicted(text, 1) == 40 + 1 + 1 + 40 + 3 * 40


def test_a_real_model_grows_with_its_gear() -> None:
    """The largest pair of neighbours in the recogniser is the Softmax over its 18710 letters."""
    program = program_from_file(rapidocr_model("rec"))
    takes = {
        rows: predict_run_bytes(program, walk(program, {"x": (rows, 3, 48, 320)}))
        for rows in (1, 2, 2048)
    }
    output = 40 * 18710 * 4
    assert takes[1] == 2 * output + 3 * 48 * 320 * 4
    assert takes[2] == 2 * takes[1]
    assert takes[2048] == 2048 * takes[1]


def gears(**sizes: float) -> list[GearMemory]:
    return [GearMemory(Gear((int(name[1:]),)), int(size)) for name, size in sizes.items()]


def test_every_gear_that_cannot_fit_is_named_in_one_message() -> None:
    machine = MachineMemory(total=32 * GB, available=24 * GB, swap=0)
    with pytest.raises(MemoryLimitError) as caught:
        check_memory(gears(g1=1e9, g1024=46e9, g2048=92e9), GB, machine=machine)
    assert caught.value.message == (
        "gear 1024 needs about 47 GB, gear 2048 needs about 93 GB, this machine has 24 GB free of "
        "32 GB: drop them or lower them."
    )
    assert caught.value.acl_code == 245000


def test_weights_can_tip_the_scale() -> None:
    machine = MachineMemory(total=2 * GB, available=2 * GB, swap=0)
    assert check_memory(gears(g8=1e9), GB, machine=machine) == ()
    with pytest.raises(MemoryLimitError, match=r"gear 8 needs about 2\.0 GB.* lower it"):
        check_memory(gears(g8=1e9), GB + 1, machine=machine)


def test_what_verifying_keeps_can_tip_the_scale() -> None:
    machine = MachineMemory(total=4 * GB, available=3 * GB, swap=0)
    small, large = GearMemory(Gear((1,)), 10, 10), GearMemory(Gear((8,)), 2 * GB, GB)
    assert check_memory([small, large], 0, machine=machine) == ()
    with pytest.raises(MemoryLimitError, match=r"^gear 8 needs about 3\.0 GB, this machine"):
        check_memory([small, large], 1, machine=machine)
    # A limit is for the machine that the gear will run on, where nothing is verified.
    assert check_memory([small, large], 0, limit=2 * GB, machine=machine) == ()


def test_a_limit_of_ones_own() -> None:
    machine = MachineMemory(total=32 * GB, available=24 * GB, swap=0)
    with pytest.raises(MemoryLimitError, match=r"gear 4 .* the memory limit is 500 MB"):
        check_memory(gears(g4=1e9), 0, limit=500_000_000, machine=machine)
    assert check_memory(gears(g4=1e9), 0, limit=GB, machine=machine) == ()


@pytest.mark.parametrize(("platform", "how"), [("linux", "swapoff -a"), ("win32", "settings")])
def test_swap_advice(platform: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", platform)
    machine = MachineMemory(total=8 * GB, available=4 * GB, swap=2 * GB)
    with pytest.raises(MemoryLimitError, match=rf"Swap is on \(2.0 GB\).*{how}"):
        check_memory(gears(g64=5e9), 0, machine=machine)
    (warning,) = check_memory(gears(g1=1e9, g64=5e9), 0, limit=6 * GB, machine=machine)
    assert "gear 64 (about 5.0 GB) would reach into swap" in warning
    assert "gear 1 " not in warning
    assert how in warning
    no_swap = MachineMemory(total=8 * GB, available=4 * GB, swap=0)
    assert check_memory(gears(g64=5e9), 0, limit=6 * GB, machine=no_swap) == ()


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return root


def test_this_machine(tmp_path: Path) -> None:
    """Without control groups it is what the system says."""
    seen = machine_memory(tmp_path)
    assert seen.total == psutil.virtual_memory().total
    assert 0 < seen.available <= seen.total
    assert machine_memory().total <= seen.total


def test_a_container_of_today(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/work/job\n",
            "sys/fs/cgroup/work/job/memory.max": "max\n",
            "sys/fs/cgroup/work/memory.max": "1000000\n",
            "sys/fs/cgroup/work/memory.current": "700000\n",
            "sys/fs/cgroup/work/memory.stat": "anon 1\ninactive_file 200000\n",
        },
    )
    seen = machine_memory(tmp_path)
    assert (seen.total, seen.available) == (1_000_000, 500_000)


def test_a_container_of_yesterday(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "9:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n1:name=systemd:/x\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "2500000\n",
        },
    )
    seen = machine_memory(tmp_path)
    assert (seen.total, seen.available) == (2_000_000, 0)


def test_a_group_without_a_limit(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert machine_memory(tmp_path).total == psutil.virtual_memory().total
