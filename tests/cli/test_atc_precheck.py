"""``atc --mode=3`` and the report of a compile that operators end."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gearshift.cli import atc
from gearshift.cli.atc_output import FAILURE, INDENT, START, SUCCESS
from models import detector, save_text

Json = dict[str, Any]
Printed = pytest.CaptureFixture[str]
Check = Callable[..., Json]
HEAD = '<ir_version: 8, opset_import: ["" : 17, "my.ops" : 1, "com.microsoft" : 1]>'
BATCH = ("--input_shape=x:-1,4", "--dynamic_batch_size=1,3")

# Every kind of fault, each beside an operator that is right.
FAULTY = f"""{HEAD}
faulty (float[N, 4] x, bool flag) => (float[N, 4] y, float[K] z, float[N, 4] u) {{
  [fine] a = Relu (x)
  [odd] b = my.ops.Strange (a)
  [after] c = Neg (b)
  [twice] d = Exp (a)
  [twice] e = Abs (d)
  [square] f = MatMul (e, e)
  [sum] z = ReduceSum <keepdims = 0> (f)
  [where] g = NonZero (a)
  [count] h = Cast <to = 1> (g)
  [total] i = ReduceSum <keepdims = 0> (h)
  j = Add (c, i)
  [choice] y = If (flag) <
    then_branch = yes () => (float[N, 4] p) {{ [twice] p = Neg (j) }},
    else_branch = no () => (float[N, 4] q) {{ [hidden] q = my.ops.Other (j) }}
  >
  [dead] k = my.ops.Unread (a)
  [gelu] u = com.microsoft.Gelu (a)
}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def check(folder: Path) -> Check:
    """Checks a model given as text; gives the report."""

    def run(text: str, *flags: str, status: int = 255) -> Json:
        save_text(text, folder / "m.onnx")
        argv = ["--mode=3", "--model=m.onnx", "--framework=5", *(flags or BATCH)]
        assert atc.main(argv) == status
        found = json.loads((folder / "check_result.json").read_text("utf-8"))
        assert isinstance(found, dict)
        return found

    return run


def causes(report: Json) -> dict[str, list[str]]:
    """Codes by name, of what failed."""
    return {
        op["name"]: [cause["code"] for cause in op["cause"]]
        for op in report["op"]
        if op["result"] == "failed"
    }


def test_every_fault_is_found_at_once(check: Check) -> None:
    report = check(FAULTY)
    assert causes(report) == {
        "odd": ["E19010"],
        "twice": ["E19009"],
        "square": ["E19014"],
        "where": ["E19010"],
        "hidden": ["E19010"],
    }
    assert [op["name"] for op in report["op"]].count("twice") == 3, "another graph, other names"
    assert (report["name"], report["result"]) == ("faulty", "failed")
    assert (report["total"], report["pass"], report["fail"]) == (16, 11, 5)


def test_the_form_of_the_report(check: Check) -> None:
    report = check(FAULTY)
    assert list(report) == ["name", "result", "total", "pass", "fail", "op"]
    model = onnx.parser.parse_model(FAULTY)
    branches = {
        node.name: [inner for a in node.attribute for inner in a.g.node]
        for node in model.graph.node
    }
    in_order = [n for node in model.graph.node for n in (node, *branches[node.name])]
    assert [op["name"] for op in report["op"]] == [node.name for node in in_order]
    assert [op["type"] for op in report["op"]] == [
        f"{node.domain}::{node.op_type}" if node.domain else node.op_type for node in in_order
    ]
    for op in report["op"]:
        assert list(op) == ["name", "type", "result", "cause"]
        assert (op["result"] == "failed") == bool(op["cause"])
        for cause in op["cause"]:
            assert list(cause) == ["code", "message"]
            assert op["name"] in cause["message"]


def test_what_is_printed(check: Check, capsys: Printed) -> None:
    check(FAULTY)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [START, FAILURE]
    assert lines[2].startswith("E19010: node 'odd' (my.ops::Strange) ")
    assert [line[: len(INDENT)] for line in lines[3:]] == [INDENT] * 5
    assert lines[-1] == f"{INDENT}5 of 16 operators failed; the report is in 'check_result.json'."


def test_a_model_with_many_faults_is_not_printed_in_full(check: Check, capsys: Printed) -> None:
    nodes = "".join(f"[n{i}] a{i + 1} = my.ops.F{i} (a{i}) " for i in range(40))
    report = check(
        f"{HEAD} g (float[N, 4] a0) => (float[N, 4] a40) {{ {nodes} }}",
        "--input_shape=a0:-1,4",
        "--dynamic_batch_size=1,2",
    )
    assert report["fail"] == 40
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 10 + 1
    assert lines[-1].strip().startswith("40 of 40 operators failed")


def test_a_model_that_compiles(folder: Path, capsys: Printed) -> None:
    detector(folder / "我的 模型.onnx")
    argv = ["--model=我的 模型.onnx", "--framework=5", "--dynamic_batch_size=1,2"]
    argv += ["--input_shape=data:-1,3,416,416;img_info:-1,4"]
    assert atc.main(["--mode=3", *argv, "--check_report=报告 目录/结果.json"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == START
    assert out[1] == ("8 operators checked, none failed; the report is in '报告 目录/结果.json'.")
    assert out[-1] == SUCCESS
    report = json.loads((folder / "报告 目录" / "结果.json").read_text("utf-8"))
    assert (report["name"], report["result"]) == ("detector", "success")
    assert (report["total"], report["pass"], report["fail"]) == (8, 8, 0)
    assert atc.main([*argv, "--output=ok"]) == 0, "and so it does"
    assert not (folder / "check_result.json").exists()


@pytest.mark.parametrize("sizes", ["1,1", "4", "0,1", ",".join(map(str, range(1, 102)))])
def test_the_list_of_gears_is_not_judged(check: Check, sizes: str) -> None:
    text = f"{HEAD} g (float[N, 4] x) => (float[N, 4] y) {{ [n] y = Relu (x) }}"
    report = check(text, "--input_shape=x:-1,4", f"--dynamic_batch_size={sizes}", status=0)
    assert report["result"] == "success"


GEARS = [
    ("float[1, 3, H, W] x", "x:1,3,-1,-1", "dynamic_image_size=8,8;16,8", []),
    ("float[A, 3, H, W] x", "x:-1,3,8,-1", "dynamic_dims=1,8;2,16", ["--input_format=ND"]),
]


@pytest.mark.parametrize(("given", "shape", "gears", "more"), GEARS)
def test_other_gears(check: Check, given: str, shape: str, gears: str, more: list[str]) -> None:
    text = f"""{HEAD} g ({given}) => (float[K, L, M, O] y) {{
      [up] a = Relu (x)
      [square] y = MatMul (a, a)
    }}"""
    report = check(text, f"--input_shape={shape}", f"--{gears}", *more)
    # Heights and widths are equal at the first gear, not at every other.
    assert causes(report) == {"square": ["E19014"]}


def test_faults_that_only_some_gears_show(check: Check) -> None:
    text = f"""{HEAD} g (float[N, M] x) => (float[A, B] y) {{
      [square] y = MatMul (x, x)
    }}"""
    flags = ("--input_shape=x:3,-1", "--dynamic_dims=3;4", "--input_format=ND")
    report = check(text, *flags)
    assert causes(report) == {"square": ["E19014"]}
    (cause,) = report["op"][0]["cause"]
    assert "'x' [3, 4]" in cause["message"]


def test_values_go_to_inputs_in_the_order_listed(check: Check) -> None:
    text = f"""{HEAD} g (float[2, A] x, float[B, C] w) => (float[D, E] y) {{
      [product] y = MatMul (x, w)
    }}"""
    flags = ("--dynamic_dims=3,4,3;5,6,5", "--input_format=ND")
    # w: 3,4 and x: 2,3 fit; x: 2,3 first, then w: 4,3, would not.
    report = check(text, "--input_shape=w:-1,-1;x:2,-1", *flags, status=0)
    assert report["result"] == "success"
    report = check(text, "--input_shape=x:2,-1;w:-1,-1", *flags)
    assert causes(report) == {"product": ["E19014"]}


def test_a_file_that_is_not_valid_is_judged_node_by_node(check: Check) -> None:
    report = check(f"""{HEAD} g (float[N, 4] x) => (float[N, 4] y) {{
      [fine] a = Relu (x)
      [nothing] b = Nonsense (a)
      [axis] c = Concat (a, b)
      [many] d = Relu (a, c)
      [attribute] y = LeakyRelu <alpha = 1> (d)
    }}""")
    assert causes(report) == {
        "nothing": ["E19010"],
        "axis": ["E19014"],
        "many": ["E19014"],
        "attribute": ["E19014"],
    }


def test_functions_of_the_models_own(check: Check) -> None:
    report = check("""
      <ir_version: 9, opset_import: ["" : 17, "local" : 1]>
      g (float[N, 4] x) => (float[N, 4] y) { [call] y = local.f (x) }
      <domain: "local", opset_import: ["" : 17, "my.ops" : 1]>
      f (a) => (c) { b = Relu (a) [deep] c = my.ops.Strange (b) }
    """)
    assert [op["type"] for op in report["op"]] == ["local::f", "my.ops::Strange"]
    assert [op["result"] for op in report["op"]] == ["success", "failed"]


def test_a_batch_size_that_is_baked_in(check: Check) -> None:
    whole = f"""{HEAD} g (float[4, 4] x) => (float[4, 4] y) {{
      shape = Constant <value_ints = [4, 2, 2]> ()
      [split] a = Reshape (x, shape)
      flat = Constant <value_ints = [4, 4]> ()
      [join] y = Reshape (a, flat)
    }}"""
    assert check(whole, status=0)["result"] == "success", "is repaired, as in a compile"
    mixed = whole.replace("[4, 2, 2]", "[2, 4, 2]")
    assert causes(check(mixed)) == {"split": ["E19014"]}


@pytest.mark.parametrize("mode", ["0", "3"])
def test_data_that_do_not_fill_their_shape(mode: str, folder: Path, capsys: Printed) -> None:
    model = onnx.parser.parse_model(f"""{HEAD} g (float[N, 4] x) => (float[N, 4] y)
      <float[4] w = {{1, 2, 3, 4}}> {{ y = Add (x, w) }}""")
    argv = ["--model=m.onnx", "--framework=5", "--output=m", f"--mode={mode}", *BATCH]
    for size, status in ((4, 0), (1, 255), (5, 255)):
        model.graph.initializer[0].dims[0] = size
        onnx.save(model, str(folder / "m.onnx"))
        assert atc.main(argv) == status
        assert ("\nE16005: " in capsys.readouterr().out) == (status != 0)


def test_names_that_are_missing_are_no_doubles(check: Check) -> None:
    text = f"{HEAD} g (float[N, 4] x) => (float[N, 4] y) {{ a = Relu (x) y = Relu (a) }}"
    assert check(text, status=0)["pass"] == 2


def test_flags_that_do_not_fit_the_model(check: Check, folder: Path, capsys: Printed) -> None:
    save_text(f"{HEAD} g (float[N, 4] x) => (float[N, 4] y) {{ y = Relu (x) }}", folder / "m.onnx")
    argv = ["--mode=3", "--model=m.onnx", "--framework=5", "--dynamic_batch_size=1,2"]
    assert atc.main([*argv, "--input_shape=z:-1,4"]) == 255
    assert "\nE10016: " in capsys.readouterr().out
    for ranges, code in (("z:[1~2,4]", "E10016"), ("y:[1~2,4]", "E10017"), ("x:[4]", "E10049")):
        assert atc.main([*argv[:3], f"--input_shape_range={ranges}"]) == 255
        assert f"\n{code}: " in capsys.readouterr().out
    assert not (folder / "check_result.json").exists()


def test_ranges_are_looked_at_at_both_ends(check: Check, folder: Path) -> None:
    """Three columns fit the weights, and four do not."""
    text = f"""{HEAD} g (float[N, K] x) => (float[N, 2] y) <float[3, 2] w = {{1, 2, 3, 4, 5, 6}}>
      {{ [fine] a = Relu (x)  [product] y = MatMul (a, w) }}"""
    assert causes(check(text, "--input_shape_range=x:[1~4,3~4]")) == {"product": ["E19014"]}
    assert check(text, "--input_shape_range=x:[1~4,3]", status=0)["pass"] == 2


def test_a_failed_compile_leaves_the_report(folder: Path, capsys: Printed) -> None:
    save_text(FAULTY, folder / "m.onnx")
    argv = ["--model=m.onnx", "--framework=5", "--output=m", "--check_report=r.json"]
    assert atc.main([*argv, "--input_shape=x:-1,4", "--dynamic_batch_size=1,2"]) == 255
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "NOTE: --check_report: 5 of 16 operators failed; 'r.json' lists them all."
    assert lines[2] == FAILURE
    assert causes(json.loads((folder / "r.json").read_text("utf-8")))["odd"] == ["E19010"]


def test_a_report_that_cannot_be_written_does_not_hide_the_failure(
    folder: Path, capsys: Printed
) -> None:
    save_text(FAULTY, folder / "m.onnx")
    (folder / "file").touch()
    argv = ["--model=m.onnx", "--framework=5", "--check_report=file/r.json", *BATCH]
    assert atc.main([*argv, "--output=m"]) == 255
    out = capsys.readouterr().out
    assert "NOTE: --check_report: 'file/r.json' cannot be written: " in out
    assert "\nE19010: node " in out
    assert atc.main([*argv, "--mode=3"]) == 255
    assert "reading or writing a file failed: " in capsys.readouterr().out


def test_double_names_end_a_compile_too(folder: Path) -> None:
    save_text(
        f"{HEAD} g (float[N, 4] x) => (float[N, 4] y) {{ [n] a = Relu (x) [n] y = Exp (a) }}",
        folder / "m.onnx",
    )
    argv = ["--model=m.onnx", "--framework=5", "--output=m", *BATCH]
    assert atc.main(argv) == 255
    report = (folder / "check_result.json").read_bytes()
    assert causes(json.loads(report)) == {"n": ["E19009"]}
    (folder / "check_result.json").unlink()
    assert atc.main([*argv, "--mode=3"]) == 255
    assert (folder / "check_result.json").read_bytes() == report


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_no_file_makes_it_raise(folder: Path, seed: int) -> None:
    dice = random.Random(seed)
    good = bytearray(onnx.parser.parse_model(FAULTY).SerializeToString())
    for _ in range(dice.randint(1, 3)):
        good[dice.randrange(len(good))] = dice.choice((0, 1, 0x7F, 0xFF, dice.randrange(256)))
    (folder / "m.onnx").write_bytes(good[: dice.choice((None, dice.randrange(len(good))))])
    argv = ["--mode=3", "--model=m.onnx", "--framework=5", *BATCH]
    assert atc.main(argv) in (0, 255)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.lists(
        st.sampled_from(["my.ops.F ({0})", "Relu ({0})", "MatMul ({0}, x)", "NonZero ({0})"]),
        min_size=1,
        max_size=8,
    )
)
def test_it_passes_exactly_what_compiles(folder: Path, faults: list[str]) -> None:
    nodes = "".join(
        f"[n{i}] v{i} = {fault.format(f'v{i - 1}' if i else 'x')} "
        for i, fault in enumerate(faults)
    )
    last = f"v{len(faults) - 1}"
    kind = "int64" if "NonZero" in faults[-1] else "float"
    text = f"{HEAD} g (float[N, 4] x) => ({kind}[A, B] {last}) {{ {nodes} }}"
    save_text(text, folder / "m.onnx")
    argv = ["--model=m.onnx", "--framework=5", *BATCH]
    assert atc.main([*argv, "--mode=3"]) == atc.main([*argv, "--output=m"])
