"""Programs that end, or fork, while threads and streams are at work in a model."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from mdl_tools import ENGINES, compiled

from gearshift.acl import callbacks, memory, runtime, util
from gearshift.acl.call import Refusal
from gearshift.acl.codes import Code
from gearshift.acl.leaving import Work
from gearshift.acl.streams import Stream
from threads import threads_allowed

WIDE = """
wide (float[N, 256] x) => (float[N, 256] y)
<int64[2] square = {256, 256}, float[1] one = {1}>
{ ones = Expand (one, square)  once = MatMul (x, ones)  y = MatMul (once, ones) }
"""
"""One run takes so long that a process that ends finds threads inside."""

START = """
import os, signal, sys, threading, time
import acl
acl.init(); acl.rt.set_device(0)
context, _ = acl.rt.get_context()
model, _ = acl.mdl.load_from_file(sys.argv[1])
def dataset(*sizes):
    made = acl.mdl.create_dataset()
    for size in sizes:
        acl.mdl.add_dataset_buffer(made, acl.create_data_buffer(acl.rt.malloc(size, 0)[0], size))
    return made
def pair():
    inputs = dataset(512 * 1024, 4)
    assert acl.mdl.set_dynamic_batch_size(model, inputs, 1, 512) == 0
    return inputs, dataset(512 * 1024)
print(acl.mdl.execute(model, *pair()), flush=True)
"""

PROGRAMS = {
    "threads inside a model": """
def work(arguments):
    acl.rt.set_context(context)
    own = pair()
    while True:
        acl.mdl.execute(model, *own)
for _ in range(3):
    acl.util.start_thread(work, [])
time.sleep(0.3)
""",
    "a new stream after the end": """
class Model:
    def __del__(self):
        stream, _ = acl.rt.create_stream()
        print(acl.rt.memset_async(memory, 4, 0, 4, stream), acl.rt.synchronize_stream(stream))
        print(acl.mdl.execute(model, *own), acl.mdl.unload(model), flush=True)
memory, own = acl.rt.malloc(4, 0)[0], pair()
model_of_the_program = Model(); model_of_the_program.self = model_of_the_program
""",
    "a stream that waits for a report that nobody takes": """
stream, _ = acl.rt.create_stream()
print(acl.rt.subscribe_report(1, stream), acl.rt.launch_callback(print, None, 1, stream))
""",
    "a fork while a stream is at work": """
stream, _ = acl.rt.create_stream()
own = pair()
for _ in range(100):
    acl.mdl.execute_async(model, *own, stream)
child = os.fork()
if not child:
    signal.alarm(20)  # instead of a test that hangs
    print(acl.rt.synchronize_stream(stream), acl.mdl.unload(model), flush=True)
    sys.exit(0)
print(os.waitpid(child, 0)[1], acl.rt.synchronize_stream(stream))
""",
}
PRINTED = {
    "threads inside a model": "0\n",
    "a new stream after the end": "0\n145001 0\n145001 0\n",
    "a stream that waits for a report that nobody takes": "0\n0 0\n",
    "a fork while a stream is at work": "0\n0 0\n0 0\n",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("leaving")
    words = {"input_shape": "x:-1,256", "dynamic_batch_size": "1,512"}
    return {engine: compiled(WIDE, folder, engine, engine=engine, **words) for engine in ENGINES}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_by_itself(name: str, engine: str, models: dict[str, Path]) -> None:
    if "fork" in name and not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    done = subprocess.run(
        [sys.executable, "-c", START + PROGRAMS[name], models[engine]],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == PRINTED[name]


def test_nobody_is_let_in_at_the_end_and_who_is_inside_is_waited_for() -> None:
    work, inside, out = Work(), threading.Event(), threading.Event()

    def stay() -> None:
        with work:
            inside.set()
            assert out.wait(10)

    thread = threading.Thread(target=stay)
    thread.start()
    assert inside.wait(10)
    work.end(0.01)
    assert thread.is_alive()
    with pytest.raises(Refusal, match="way out"), work:
        pass
    out.set()
    work.end(10)
    thread.join(10)
    assert not thread.is_alive()


def test_a_system_without_more_threads() -> None:
    address, _ = memory.malloc(4, 0)
    stream, _ = runtime.create_stream()
    with threads_allowed(0):
        ret = memory.memset_async(address, 4, 1, 4, stream)
        assert ret == Code.RT_INTERNAL_ERROR == 507000
        assert util.start_thread(print, []) == (0, 507000)
    assert runtime.synchronize_stream(stream) == 0  # there is nothing to wait for
    assert memory.memset_async(address, 4, 1, 4, stream) == 0
    assert runtime.synchronize_stream(stream) == 0
    assert util.ptr_to_bytes(address, 4) == b"\1" * 4
    assert runtime.destroy_stream(stream) == memory.free(address) == 0


def test_a_callback_that_its_stream_waits_for_cannot_wait_for_the_stream() -> None:
    stream, _ = runtime.create_stream()
    answers: list[int] = []

    def report(_: object) -> None:
        answers.append(runtime.synchronize_stream(stream))
        answers.append(runtime.synchronize_stream_with_timeout(stream, -1))

    me = threading.get_ident()
    assert callbacks.subscribe_report(me, stream) == 0
    assert callbacks.launch_callback(report, None, 1, stream) == 0
    assert callbacks.process_report(10_000) == 0
    assert answers == [Code.RT_PARAM_INVALID] * 2
    assert runtime.synchronize_stream(stream) == 0
    assert callbacks.unsubscribe_report(me, stream) == runtime.destroy_stream(stream) == 0


def test_a_worker_waits_for_nothing_that_it_has_to_do_itself() -> None:
    stream, seen = Stream(None), []

    def task() -> None:
        with pytest.raises(Refusal, match="wait for itself"):
            stream.synchronize()
        seen.append(True)

    stream.submit(task)
    stream.synchronize(10)
    stream.end()
    assert seen == [True]
