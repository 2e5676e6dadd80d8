"""A service: many threads, one loaded model, another batch size in each request.

    service.py MODEL.om REQUESTS_FOLDER OUT_FOLDER THREADS

Every .npy file in the folder is a request with any number of pictures; one with more than the
largest batch goes through in parts.
"""

import queue
import sys
import threading
from pathlib import Path

import numpy as np

import acl

ACL_MEM_MALLOC_NORMAL_ONLY = 2
ACL_MEMCPY_HOST_TO_DEVICE, ACL_MEMCPY_DEVICE_TO_HOST = 1, 2


class AclError(Exception):
    def __init__(self, what, ret):
        super().__init__(f"{what}: error {ret}")
        self.ret = ret


def check(what, ret):
    if ret != 0:
        raise AclError(what, ret)


class Model:
    """What all threads share."""

    def __init__(self, path):
        self.id, ret = acl.mdl.load_from_file(path)
        check("load_from_file", ret)
        self.desc = acl.mdl.create_desc()
        check("get_desc", acl.mdl.get_desc(self.desc, self.id))
        dynamic, ret = acl.mdl.get_dynamic_batch(self.desc)
        check("get_dynamic_batch", ret)
        self.batches = sorted(dynamic["batch"])
        self.shape_index, ret = acl.mdl.get_input_index_by_name(
            self.desc, "ascend_mbatch_shape_data"
        )
        check("get_input_index_by_name", ret)
        self.classes = acl.mdl.get_output_dims(self.desc, 0)[0]["dims"][1]

    def close(self):
        check("unload", acl.mdl.unload(self.id))
        check("destroy_desc", acl.mdl.destroy_desc(self.desc))


class Slot:
    """Buffers of one thread, for the largest batch."""

    def __init__(self, model):
        self.memory = []
        self.inputs = self._dataset(
            [
                acl.mdl.get_input_size_by_index(model.desc, index)
                for index in range(acl.mdl.get_num_inputs(model.desc))
            ]
        )
        self.outputs = self._dataset(
            [
                acl.mdl.get_output_size_by_index(model.desc, index)
                for index in range(acl.mdl.get_num_outputs(model.desc))
            ]
        )

    def _dataset(self, sizes):
        dataset = acl.mdl.create_dataset()
        for size in sizes:
            address, ret = acl.rt.malloc(size, ACL_MEM_MALLOC_NORMAL_ONLY)
            check("malloc", ret)
            buffer = acl.create_data_buffer(address, size)
            self.memory.append((address, buffer))
            check("add_dataset_buffer", acl.mdl.add_dataset_buffer(dataset, buffer)[1])
        return dataset

    def address(self, dataset, index):
        buffer = acl.mdl.get_dataset_buffer(dataset, index)
        return acl.get_data_buffer_addr(buffer), acl.get_data_buffer_size_v2(buffer)

    def close(self):
        check("destroy_dataset", acl.mdl.destroy_dataset(self.inputs))
        check("destroy_dataset", acl.mdl.destroy_dataset(self.outputs))
        for address, buffer in self.memory:
            check("destroy_data_buffer", acl.destroy_data_buffer(buffer))
            check("free", acl.rt.free(address))


def answer(model, slot, pictures):
    """Class scores of up to as many pictures as the largest batch."""
    batch = next(size for size in model.batches if size >= len(pictures))
    check(
        "set_dynamic_batch_size",
        acl.mdl.set_dynamic_batch_size(model.id, slot.inputs, model.shape_index, batch),
    )
    # The pictures are read from the disk here, while other threads set what they need.
    address, size = slot.address(slot.inputs, 0)
    data = np.array(pictures)
    pointer = acl.util.numpy_to_ptr(data)
    ret = acl.rt.memcpy(address, size, pointer, data.nbytes, ACL_MEMCPY_HOST_TO_DEVICE)
    check("memcpy", ret)
    check("execute", acl.mdl.execute(model.id, slot.inputs, slot.outputs))
    scores = np.empty((len(pictures), model.classes), np.float32)
    address, _ = slot.address(slot.outputs, 0)
    pointer = acl.util.numpy_to_ptr(scores)
    ret = acl.rt.memcpy(pointer, scores.nbytes, address, scores.nbytes, ACL_MEMCPY_DEVICE_TO_HOST)
    check("memcpy", ret)
    return scores


def serve(model, context, requests, folder, problems):
    try:
        check("set_context", acl.rt.set_context(context))
        slot = Slot(model)
        while True:
            path = requests.get()
            if path is None:
                break
            pictures = np.load(path, mmap_mode="r")
            most = model.batches[-1]
            parts = [
                answer(model, slot, pictures[start : start + most])
                for start in range(0, len(pictures), most)
            ]
            np.save(folder / path.name, np.concatenate(parts))
        slot.close()
    except Exception as problem:  # noqa: BLE001 - told by the main thread
        problems.append(problem)


def main(model_path, request_folder, out_folder, thread_count):
    check("init", acl.init())
    check("set_device", acl.rt.set_device(0))
    context, ret = acl.rt.create_context(0)
    check("create_context", ret)
    model = Model(model_path)
    requests, problems = queue.Queue(), []
    arguments = (model, context, requests, Path(out_folder), problems)
    threads = [threading.Thread(target=serve, args=arguments) for _ in range(int(thread_count))]
    for thread in threads:
        thread.start()
    for path in sorted(Path(request_folder).glob("*.npy")):
        requests.put(path)
    for _ in threads:
        requests.put(None)
    for thread in threads:
        thread.join()
    model.close()
    check("destroy_context", acl.rt.destroy_context(context))
    check("reset_device", acl.rt.reset_device(0))
    check("finalize", acl.finalize())
    if problems:
        sys.exit(f"{len(problems)} threads failed: {problems}")


if __name__ == "__main__":
    main(*sys.argv[1:])
