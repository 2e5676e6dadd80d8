"""Start and end, devices and contexts; and what a program may do in any order at its end."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gearshift.acl import memory, runtime
from gearshift.acl.codes import Code

PROGRAMS = {
    "everything in the wrong order": """
        from gearshift.acl import runtime as rt, memory as m, buffers as b, events as e
        rt.init(); rt.set_device(0)
        context = rt.create_context(0)[0]
        stream = rt.create_stream()[0]
        event = e.create_event()[0]
        address = m.malloc(100, 0)[0]
        buffer = b.create_data_buffer(address, 100)
        print(rt.finalize(), rt.reset_device(0), rt.destroy_context(context), rt.finalize())
        print(m.free(address), b.destroy_data_buffer(buffer), rt.destroy_stream(stream))
        print(e.destroy_event(event), m.malloc(1, 0)[1])
        """,
    "a task that runs for ever": """
        import threading
        from gearshift.acl import runtime as rt, streams
        streams._EXIT_SECONDS = 0.2
        rt.set_device(0)
        stream = rt.create_stream()[0]
        rt.STREAMS.get(stream).submit(threading.Event().wait)
        print(rt.stream_query(stream))
        """,
    "tasks that wait, and one that runs": """
        import time
        from gearshift.acl import runtime as rt
        rt.set_device(0)
        stream = rt.STREAMS.get(rt.create_stream()[0])
        for number in range(5):
            stream.submit(lambda number=number: (time.sleep(0.3), print(number, flush=True)))
        time.sleep(0.1)
        """,
    "del after the end": """
        from gearshift.acl import runtime as rt, memory as m
        class Model:
            def __init__(self):
                self.stream = rt.create_stream()[0]
                self.address = m.malloc(10, 0)[0]
            def __del__(self):
                print(rt.destroy_stream(self.stream), m.free(self.address), flush=True)
        rt.init(); rt.set_device(0)
        model = Model(); model.self = model
        rt.reset_device(0); rt.finalize()
        """,
    "a thread for reports that nobody stops": """
        from gearshift.acl import runtime as rt, callbacks as c, util
        def reports(arguments):
            rt.set_context(arguments[0])
            while True:
                c.process_report(-1)
        rt.set_device(0)
        thread = util.start_thread(reports, [rt.get_context()[0]])[0]
        stream = rt.create_stream()[0]
        print(c.subscribe_report(thread, stream), flush=True)
        c.launch_callback(print, "called", 1, stream)
        print(rt.synchronize_stream(stream))
        """,
    "a fork": """
        import os, sys
        from gearshift.acl import runtime as rt, memory as m, util
        rt.set_device(0)
        stream = rt.create_stream()[0]
        address = m.malloc(100, 0)[0]
        print(m.memset_async(address, 100, 1, 100, stream), rt.synchronize_stream(stream))
        sys.stdout.flush()
        if not os.fork():
            print(m.memset_async(address, 100, 2, 100, stream), rt.synchronize_stream(stream))
            print(util.ptr_to_bytes(address, 2), flush=True)
            os._exit(0)
        os.wait()
        print(util.ptr_to_bytes(address, 2))
        """,
    "a crash of addresses": """
        import random
        from gearshift.acl import runtime as rt, memory as m, util
        rt.set_device(0)
        random.seed(5)
        maps = [line.split()[0].split("-") for line in open("/proc/self/maps")]
        edges = [int(edge, 16) + shift for pair in maps for edge in pair for shift in (-9, 0, 9)]
        own = m.malloc(1 << 16, 0)[0]
        for edge in edges + [random.getrandbits(random.randint(1, 64)) for _ in range(3000)]:
            m.memcpy(own, 1 << 16, edge, random.randint(1, 1 << 16), 1)
            util.ptr_to_bytes(edge, 100); util.ptr_to_numpy(edge, (100,), 1)
            m.free(edge); m.free_host(edge)
            rt.set_context(edge); rt.synchronize_stream(edge) if edge else None
            rt.destroy_stream(edge); rt.destroy_context(edge)
        print(m.free(own))
        """,
    "threads that take each other's things": """
        import random, threading
        from gearshift.acl import runtime as rt, memory as m, events as e, callbacks as c, util
        things = [0, 1, 4096]
        def work(seed):
            choose = random.Random(seed)
            thing = lambda: choose.choice(things[-40:])
            size = lambda: choose.choice([1, 100, 5000, 70000])
            calls = [
                lambda: things.append(m.malloc(size(), 0)[0]),
                lambda: things.append(m.malloc_host(size())[0]),
                lambda: things.append(rt.create_stream()[0]),
                lambda: things.append(e.create_event()[0]),
                lambda: things.append(rt.create_context(0)[0]),
                lambda: m.free(thing()), lambda: m.free_host(thing()),
                lambda: m.memcpy(thing(), 70000, thing(), size(), 0),
                lambda: m.memcpy_async(thing(), 70000, thing(), size(), 3, thing()),
                lambda: m.memset_async(thing(), 70000, 1, size(), thing()),
                lambda: e.record_event(thing(), thing()),
                lambda: e.stream_wait_event(thing(), thing()),
                lambda: e.synchronize_event(thing()),
                lambda: rt.synchronize_stream(thing()), lambda: rt.destroy_stream(thing()),
                lambda: rt.destroy_context(thing()), lambda: rt.set_context(thing()),
                lambda: rt.set_device(0), lambda: rt.reset_device(0), rt.synchronize_device,
                lambda: c.subscribe_report(threading.get_ident(), thing()),
                lambda: c.launch_callback(things.append, 7, 0, thing()),
                lambda: c.process_report(1),
                lambda: c.unsubscribe_report(threading.get_ident(), thing()),
                lambda: rt.init(), rt.finalize,
            ]
            rt.set_device(0)
            for _ in range(3000):
                choose.choice(calls)()
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        for thread in threads: thread.start()
        for thread in threads: thread.join(40)
        print([thread.is_alive() for thread in threads].count(True))
        """,
}
PRINTED = {
    "everything in the wrong order": "0 0 0 100037\n0 0 0\n0 107002\n",
    "a task that runs for ever": "(1, 0)\n",
    "tasks that wait, and one that runs": "0\n",
    "del after the end": "0 0\n",
    "a thread for reports that nobody stops": "0\ncalled\n0\n",
    "a fork": "0 0\n0 0\nb'\\x02\\x02'\nb'\\x01\\x01'\n",
    "a crash of addresses": "0\n",
    "threads that take each other's things": "0\n",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_by_itself(name: str, tmp_path: Path) -> None:
    lines = PROGRAMS[name].split("\n")
    program = tmp_path / "program.py"
    program.write_text("\n".join(line[8:] for line in lines))
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == PRINTED[name]


def test_start_and_end(tmp_path: Path) -> None:
    assert runtime.init() == 0
    assert runtime.init() == Code.REPEAT_INITIALIZE == 100002
    assert runtime.finalize() == 0
    assert runtime.finalize() == Code.REPEAT_FINALIZE == 100037
    config = tmp_path / "acl.json"
    assert runtime.init(str(config)) == Code.INVALID_FILE
    config.write_text('{"dump": }')
    assert runtime.init(str(config)) == Code.PARSE_FILE
    config.write_text("[" * 100_000)
    assert runtime.init(str(config)) == Code.PARSE_FILE
    assert not runtime.is_running()
    config.write_text('{"dump": {}}')
    assert runtime.init(str(config)) == 0
    assert runtime.finalize() == 0


def test_an_end_without_a_start() -> None:
    code = "from gearshift.acl import runtime as rt; print(rt.get_run_mode(), rt.finalize())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(1, 0) 100001\n"


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime.get_device_count() == (2, 0)
    assert runtime.get_device() == (0, 0)
    assert runtime.set_device(1) == 0
    assert runtime.get_device() == (1, 0)
    for wrong in (2, -1):
        assert runtime.set_device(wrong) == Code.RT_INVALID_DEVICE_ID
        assert runtime.reset_device(wrong) == Code.RT_INVALID_DEVICE_ID
        assert runtime.create_context(wrong) == (0, Code.RT_INVALID_DEVICE_ID)
    assert runtime.reset_device(1) == 0
    assert runtime.reset_device(1) == Code.RT_PARAM_INVALID
    assert runtime.get_device() == (0, Code.RT_CONTEXT_NULL)
    monkeypatch.setenv("GEARSHIFT_ACL_DEVICES", "9")
    assert runtime.get_device_count() == (9, 0)
    assert runtime.set_device(8) == 0
    assert runtime.reset_device(8) == 0


def test_a_device_is_reset_as_often_as_it_was_set() -> None:
    assert runtime.set_device(0) == 0
    assert runtime.reset_device(0) == 0
    assert runtime.get_device() == (0, 0)
    assert runtime.reset_device(0) == 0
    assert runtime.get_context() == (0, Code.RT_CONTEXT_NULL)
    assert memory.malloc(10, 0) == (0, Code.RT_CONTEXT_NULL)
    assert runtime.create_stream() == (0, Code.RT_CONTEXT_NULL)


def test_contexts() -> None:
    first, _ = runtime.get_context()
    second, ret = runtime.create_context(1)
    assert ret == 0
    assert runtime.get_context() == (second, 0)
    assert runtime.get_device() == (1, 0)
    stream, _ = runtime.create_stream()
    assert runtime.set_context(first) == 0
    assert runtime.synchronize_stream(stream) == Code.RT_STREAM_CONTEXT
    assert runtime.destroy_context(first) == Code.RT_PARAM_INVALID, "it is the device's own"
    assert runtime.set_context(second) == 0
    assert runtime.synchronize_stream(stream) == 0
    assert runtime.destroy_context(second) == 0
    assert runtime.destroy_context(second) == Code.RT_PARAM_INVALID
    assert runtime.set_context(second) == Code.RT_PARAM_INVALID
    assert runtime.synchronize_stream(stream) == Code.RT_CONTEXT_NULL
    assert runtime.destroy_stream(stream) == 0, "also after its context"
    assert runtime.set_context(first) == 0


def test_each_thread_has_its_context() -> None:
    mine, _ = runtime.get_context()
    seen: list[tuple[int, int]] = []

    def work() -> None:
        seen.append(runtime.get_context())
        runtime.set_context(mine)
        seen.append(runtime.get_context())
        seen.append(runtime.create_context(1))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen[:2] == [(0, Code.RT_CONTEXT_NULL), (mine, 0)]
    assert runtime.get_context() == (mine, 0)
    assert runtime.destroy_context(seen[2][0]) == 0


def test_run_mode_and_what_is_only_accepted() -> None:
    assert runtime.get_run_mode() == (1, 0)
    assert runtime.set_exception_info_callback(None) == 0
    assert runtime.synchronize_device() == 0
    assert runtime.synchronize_device(0) == 0
