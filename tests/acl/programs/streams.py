"""Keeps several streams of several contexts busy, and takes results in threads for reports.

    streams.py MODEL.om PICTURES.npy OUT_FOLDER BATCHES STREAMS

BATCHES, such as 1,2,4, are the batch sizes of the jobs, in turns. Each context has a device, a
model, streams to copy and to run, and a thread for callbacks: pictures are prepared there when the
stream that copies them is ready, and results are written there.
"""

import os
import sys
import threading
from collections import namedtuple

import numpy as np

import acl

ACL_HOST = 1
HUGE_FIRST = 0
H2D, D2H = 1, 2
CALLBACK_BLOCK = 1
TIMEOUT_MS = 50

Job = namedtuple("Job", "number batch inputs outputs device_in device_out host_in host_out stream")


def must(ret, what):
    if ret != 0:
        raise RuntimeError(f"{what} gave {ret}")


def got(answer, what):
    value, ret = answer
    must(ret, what)
    return value


class Worker:
    """One context with everything in it."""

    def __init__(self, device, model_path, out_folder, stream_count):
        self.device = device
        self.out_folder = out_folder
        self.context = got(acl.rt.create_context(device), "create_context")
        self.model = got(acl.mdl.load_from_file(model_path), "load_from_file")
        self.desc = acl.mdl.create_desc()
        must(acl.mdl.get_desc(self.desc, self.model), "get_desc")
        name = "ascend_mbatch_shape_data"
        self.gear_index = got(acl.mdl.get_input_index_by_name(self.desc, name), "index")
        self.gear_size = acl.mdl.get_input_size_by_index(self.desc, self.gear_index)
        largest, ret = acl.mdl.get_output_dims(self.desc, 0)
        must(ret, "get_output_dims")
        self.classes = largest["dims"][1]
        self.copying = [got(acl.rt.create_stream(), "create_stream") for _ in range(stream_count)]
        self.running = [got(acl.rt.create_stream(), "create_stream") for _ in range(stream_count)]
        self.jobs = []
        self.written = 0
        self.lock = threading.Lock()
        self.leaving = False
        self.thread = got(acl.util.start_thread(self._reports, [self.context, TIMEOUT_MS]), "start")
        for stream in self.copying + self.running:
            must(acl.rt.subscribe_report(self.thread, stream), "subscribe_report")
        self.go = threading.Event()
        for stream in self.copying:
            ret = acl.rt.launch_callback(self._hold_up, [self.go], CALLBACK_BLOCK, stream)
            must(ret, "launch_callback")

    def _reports(self, args):
        context, timeout = args
        must(acl.rt.set_context(context), "set_context")
        while not self.leaving:
            acl.rt.process_report(timeout)

    def _hold_up(self, args):
        """The first thing on streams that copy: nothing starts before everything is submitted."""
        args[0].wait()

    def _prepare(self, args):
        """The callback of a stream that copies, which waits for it."""
        job, pictures = args
        view = acl.util.ptr_to_numpy(job.host_in, pictures.shape, 11)
        view[...] = pictures

    def _take(self, args):
        """The callback of a stream that runs, when it has come so far."""
        job, label = args
        shape = (job.batch, self.classes)
        array = acl.util.ptr_to_numpy(job.host_out, shape, 11)
        np.save(os.path.join(self.out_folder, f"{label}.npy"), array)
        with self.lock:
            self.written += 1

    def submit(self, number, pictures):
        must(acl.rt.set_context(self.context), "set_context")
        place = len(self.jobs) % len(self.running)
        copying, running = self.copying[place], self.running[place]
        job = self._job(number, pictures, running)
        size = pictures.nbytes
        ret = acl.rt.launch_callback(self._prepare, [job, pictures], CALLBACK_BLOCK, copying)
        must(ret, "launch_callback")
        must(acl.rt.memcpy_async(job.device_in[0], size, job.host_in, size, H2D, copying), "copy")
        arrived = got(acl.rt.create_event(), "create_event")
        must(acl.rt.record_event(arrived, copying), "record_event")
        must(acl.rt.stream_wait_event(running, arrived), "stream_wait_event")
        ret = acl.mdl.set_dynamic_batch_size(self.model, job.inputs, self.gear_index, len(pictures))
        must(ret, "set_dynamic_batch_size")
        must(acl.mdl.execute_async(self.model, job.inputs, job.outputs, running), "execute_async")
        size = job.batch * self.classes * 4
        must(acl.rt.memcpy_async(job.host_out, size, job.device_out[0], size, D2H, running), "copy")
        label = f"job{number}"
        must(acl.rt.launch_callback(self._take, [job, label], CALLBACK_BLOCK, running), "callback")
        self.jobs.append((job, arrived))

    def _job(self, number, pictures, stream):
        inputs, device_in = self._dataset([pictures.nbytes, self.gear_size])
        sizes = [
            acl.mdl.get_output_size_by_index(self.desc, index)
            for index in range(acl.mdl.get_num_outputs(self.desc))
        ]
        outputs, device_out = self._dataset(sizes)
        host_in = got(acl.rt.malloc_host(pictures.nbytes), "malloc_host")
        host_out = got(acl.rt.malloc_host(sizes[0]), "malloc_host")
        return Job(
            number, len(pictures), inputs, outputs, device_in, device_out, host_in, host_out, stream
        )

    def _dataset(self, sizes):
        dataset, pointers = acl.mdl.create_dataset(), []
        for size in sizes:
            pointers.append(got(acl.rt.malloc(size, HUGE_FIRST), "malloc"))
            got(
                acl.mdl.add_dataset_buffer(dataset, acl.create_data_buffer(pointers[-1], size)),
                "add_dataset_buffer",
            )
        return dataset, pointers

    def finish(self):
        must(acl.rt.set_context(self.context), "set_context")
        assert all(acl.rt.query_event(arrived) == (1, 0) for _, arrived in self.jobs)
        self.go.set()
        for stream in self.running:
            must(acl.rt.synchronize_stream(stream), "synchronize_stream")
        for stream in self.copying + self.running:
            must(acl.rt.unsubscribe_report(self.thread, stream), "unsubscribe_report")
        self.leaving = True
        must(acl.util.stop_thread(self.thread), "stop_thread")
        for job, arrived in self.jobs:
            status, ret = acl.rt.query_event(arrived)
            must(ret, "query_event")
            assert status == 0, "the stream went past an event that was not complete"
            must(acl.rt.destroy_event(arrived), "destroy_event")
            for dataset, pointers in ((job.inputs, job.device_in), (job.outputs, job.device_out)):
                for index, pointer in enumerate(pointers):
                    data = acl.mdl.get_dataset_buffer(dataset, index)
                    must(acl.destroy_data_buffer(data), "destroy_data_buffer")
                    must(acl.rt.free(pointer), "free")
                must(acl.mdl.destroy_dataset(dataset), "destroy_dataset")
            must(acl.rt.free_host(job.host_in), "free_host")
            must(acl.rt.free_host(job.host_out), "free_host")
        for stream in self.copying + self.running:
            must(acl.rt.destroy_stream(stream), "destroy_stream")
        must(acl.mdl.unload(self.model), "unload")
        must(acl.mdl.destroy_desc(self.desc), "destroy_desc")
        must(acl.rt.destroy_context(self.context), "destroy_context")


def main(model, picture_path, out_folder, batches, stream_count):
    pictures = np.load(picture_path)
    must(acl.init(), "init")
    mode, ret = acl.rt.get_run_mode()
    must(ret, "get_run_mode")
    assert mode == ACL_HOST
    devices, ret = acl.rt.get_device_count()
    must(ret, "get_device_count")
    for device in range(devices):
        must(acl.rt.set_device(device), "set_device")
    # Two contexts on the first device, one on the last.
    workers = [
        Worker(device, model, out_folder, int(stream_count)) for device in (0, 0, devices - 1)
    ]
    start = number = 0
    sizes = [int(size) for size in batches.split(",")]
    while start < len(pictures):
        batch = sizes[number % len(sizes)]
        workers[number % len(workers)].submit(number, pictures[start : start + batch])
        start += batch
        number += 1
    for worker in workers:
        worker.finish()
    print(f"{sum(worker.written for worker in workers)} of {number} jobs written")
    for device in range(devices):
        must(acl.rt.reset_device(device), "reset_device")
    must(acl.finalize(), "finalize")


if __name__ == "__main__":
    main(*sys.argv[1:])
