"""Classifies pictures with a model of several batch sizes.

    classifier.py MODEL.om PICTURES.npy OUT_FOLDER 1,2,3,8

Takes the pictures in batches of these sizes, one after the other. A batch that the model was not
converted for goes in the next larger one, and the rows too many are cut off again.
"""

import os
import sys

import numpy as np

import acl

ACL_MEM_MALLOC_HUGE_FIRST = 0
ACL_MEMCPY_HOST_TO_DEVICE = 1
ACL_MEMCPY_DEVICE_TO_HOST = 2
ACL_SUCCESS = 0
NPY_BYTE = 1
DYNAMIC_INPUT = "ascend_mbatch_shape_data"
NUMPY_TYPES = {0: np.float32, 1: np.float16, 3: np.int32, 4: np.uint8, 9: np.int64}

size_by_index = {
    "input": acl.mdl.get_input_size_by_index,
    "output": acl.mdl.get_output_size_by_index,
}
has_bytes = "bytes_to_ptr" in dir(acl.util)


def check_ret(what, ret):
    if ret != ACL_SUCCESS:
        raise RuntimeError(f"{what} failed, ret={ret}")


class Classifier:
    def __init__(self, device_id, model_path):
        self.device_id = device_id
        self.buffers = {"input": [], "output": []}
        self.host_outputs = []
        self.datasets = []
        self._open_device()
        self._load(model_path)

    def _open_device(self):
        check_ret("acl.init", acl.init())
        check_ret("acl.rt.set_device", acl.rt.set_device(self.device_id))
        self.context, ret = acl.rt.create_context(self.device_id)
        check_ret("acl.rt.create_context", ret)

    def _load(self, model_path):
        self.model_id, ret = acl.mdl.load_from_file(model_path)
        check_ret("acl.mdl.load_from_file", ret)
        self.desc = acl.mdl.create_desc()
        check_ret("acl.mdl.get_desc", acl.mdl.get_desc(self.desc, self.model_id))
        self.shape_index, ret = acl.mdl.get_input_index_by_name(self.desc, DYNAMIC_INPUT)
        check_ret("acl.mdl.get_input_index_by_name", ret)
        gears, ret = acl.mdl.get_dynamic_batch(self.desc)
        check_ret("acl.mdl.get_dynamic_batch", ret)
        self.batches = sorted(gears["batch"])
        self._allocate("input", acl.mdl.get_num_inputs(self.desc))
        self._allocate("output", acl.mdl.get_num_outputs(self.desc))
        self.inputs = self._dataset("input")
        self.outputs = self._dataset("output")

    def _allocate(self, role, count):
        for index in range(count):
            size = size_by_index[role](self.desc, index)
            address, ret = acl.rt.malloc(size, ACL_MEM_MALLOC_HUGE_FIRST)
            check_ret("acl.rt.malloc", ret)
            self.buffers[role].append({"address": address, "size": size})
            if role == "output":
                host, ret = acl.rt.malloc_host(size)
                check_ret("acl.rt.malloc_host", ret)
                self.host_outputs.append(host)

    def _dataset(self, role):
        dataset = acl.mdl.create_dataset()
        for item in self.buffers[role]:
            data = acl.create_data_buffer(item["address"], item["size"])
            if data is None or data == 0:
                raise RuntimeError("no data buffer")
            _, ret = acl.mdl.add_dataset_buffer(dataset, data)
            if ret != ACL_SUCCESS:
                acl.destroy_data_buffer(data)
                check_ret("acl.mdl.add_dataset_buffer", ret)
        self.datasets.append(dataset)
        return dataset

    def run(self, pictures):
        count = len(pictures)
        batch = next(size for size in self.batches if size >= count)
        spare = np.zeros((batch - count, *pictures.shape[1:]), pictures.dtype)
        self._copy_in(np.concatenate([pictures, spare]))
        ret = acl.mdl.set_dynamic_batch_size(self.model_id, self.inputs, self.shape_index, batch)
        check_ret("acl.mdl.set_dynamic_batch_size", ret)
        ret = acl.mdl.execute(self.model_id, self.inputs, self.outputs)
        check_ret("acl.mdl.execute", ret)
        return [array[:count] for array in self._copy_out()]

    def _copy_in(self, array):
        item = self.buffers["input"][0]
        if has_bytes:
            data = array.tobytes()
            source, size = acl.util.bytes_to_ptr(data), len(data)
        else:
            source, size = acl.util.numpy_to_ptr(array), array.size * array.itemsize
        ret = acl.rt.memcpy(item["address"], item["size"], source, size, ACL_MEMCPY_HOST_TO_DEVICE)
        check_ret("acl.rt.memcpy", ret)

    def _copy_out(self):
        for index, item in enumerate(self.buffers["output"]):
            size, host = item["size"], self.host_outputs[index]
            ret = acl.rt.memcpy(host, size, item["address"], size, ACL_MEMCPY_DEVICE_TO_HOST)
            check_ret("acl.rt.memcpy", ret)
            if "ptr_to_bytes" in dir(acl.util):
                data = acl.util.ptr_to_bytes(host, size)
            else:
                data = acl.util.ptr_to_numpy(host, (size,), NPY_BYTE).tobytes()
            dims, ret = acl.mdl.get_cur_output_dims(self.desc, index)
            check_ret("acl.mdl.get_cur_output_dims", ret)
            print(f"output {index} of {dims['name']}: {dims['dims']}")
            dtype = np.dtype(NUMPY_TYPES[acl.mdl.get_output_data_type(self.desc, index)])
            used = int(np.prod(dims["dims"])) * dtype.itemsize
            yield np.frombuffer(data[:used], dtype).reshape(dims["dims"])

    def __del__(self):
        for dataset in self.datasets:
            for index in range(acl.mdl.get_dataset_num_buffers(dataset)):
                data = acl.mdl.get_dataset_buffer(dataset, index)
                check_ret("acl.destroy_data_buffer", acl.destroy_data_buffer(data))
            check_ret("acl.mdl.destroy_dataset", acl.mdl.destroy_dataset(dataset))
        check_ret("acl.mdl.unload", acl.mdl.unload(self.model_id))
        check_ret("acl.mdl.destroy_desc", acl.mdl.destroy_desc(self.desc))
        for item in self.buffers["input"] + self.buffers["output"]:
            check_ret("acl.rt.free", acl.rt.free(item["address"]))
        for host in self.host_outputs:
            check_ret("acl.rt.free_host", acl.rt.free_host(host))
        check_ret("acl.rt.destroy_context", acl.rt.destroy_context(self.context))
        check_ret("acl.rt.reset_device", acl.rt.reset_device(self.device_id))
        check_ret("acl.finalize", acl.finalize())
        print("everything was given back")


if __name__ == "__main__":
    model_file, picture_file, out_folder, sizes = sys.argv[1:]
    everything = np.load(picture_file)
    net = Classifier(0, model_file)
    print("batches:", net.batches)
    start = 0
    for number, rows in enumerate(int(size) for size in sizes.split(",")):
        for place, result in enumerate(net.run(everything[start : start + rows])):
            np.save(os.path.join(out_folder, f"batch{number}_output{place}.npy"), result)
        start += rows
    del net
