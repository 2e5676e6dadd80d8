"""Runs any model, of whatever kind it turns out to be.

    backend.py MODEL.om OUT_FOLDER FEEDS.npz ...

Feeds are by name of the input. Which kind of gears the model has, if any, is found out by asking
for each; a batch that is none of them goes in the next larger one. Shapes of a model with ranges
come with the feeds, and those of its outputs with the dataset.
"""

import sys
from pathlib import Path

import numpy as np

import acl

INITIALIZED_ALREADY = 100002
GEARS = "ascend_mbatch_shape_data"
ND = 2
LARGEST_OUTPUT = 1 << 20
TYPES = {np.dtype(name): number for name, number in
         (("float32", 0), ("float16", 1), ("int32", 3), ("uint8", 4), ("int64", 9))}  # fmt: skip
DTYPES = {number: dtype for dtype, number in TYPES.items()}


class AclError(RuntimeError):
    pass


def require(ret, what):
    if ret != 0:
        raise AclError(f"{what}: {ret} ({acl.get_recent_err_msg()})")


class Buffers:
    """A dataset whose memory grows with what is put in it."""

    def __init__(self, count):
        self.dataset = acl.mdl.create_dataset()
        self.buffers = [acl.create_data_buffer(0, 0) for _ in range(count)]
        self.memory = [(0, 0)] * count
        for buffer in self.buffers:
            _, ret = acl.mdl.add_dataset_buffer(self.dataset, buffer)
            require(ret, "add_dataset_buffer")

    def need(self, index, size):
        """Memory of that many bytes; the buffer says exactly these."""
        address, room = self.memory[index]
        if room < size:
            if address:
                require(acl.rt.free(address), "free")
            address, ret = acl.rt.malloc(size, 0)
            require(ret, "malloc")
            self.memory[index] = (address, size)
        require(acl.update_data_buffer(self.buffers[index], address, size), "update_data_buffer")
        return address

    def put(self, index, array):
        pointer, array = acl.util.numpy_contiguous_to_ptr(array)
        address = self.need(index, array.nbytes)
        require(acl.rt.memcpy(address, array.nbytes, pointer, array.nbytes, 1), "memcpy")

    def get(self, index, shape, dtype):
        array = np.empty(shape, dtype)
        address = acl.get_data_buffer_addr(self.buffers[index])
        room = acl.get_data_buffer_size(self.buffers[index])
        assert array.nbytes <= room
        pointer = acl.util.numpy_to_ptr(array)
        require(acl.rt.memcpy(pointer, array.nbytes, address, array.nbytes, 2), "memcpy")
        return array

    def close(self):
        require(acl.mdl.destroy_dataset(self.dataset), "destroy_dataset")
        for buffer, (address, _) in zip(self.buffers, self.memory, strict=True):
            require(acl.destroy_data_buffer(buffer), "destroy_data_buffer")
            if address:
                require(acl.rt.free(address), "free")


class Net:
    def __init__(self, path):
        self.model, ret = acl.mdl.load_from_file(path)
        require(ret, "load_from_file")
        self.desc = acl.mdl.create_desc()
        require(acl.mdl.get_desc(self.desc, self.model), "get_desc")
        self.names = [
            acl.mdl.get_input_name_by_index(self.desc, index)
            for index in range(acl.mdl.get_num_inputs(self.desc))
        ]
        self.kind = self._find_kind()
        self.output_names = [
            acl.mdl.get_output_name_by_index(self.desc, index)
            for index in range(acl.mdl.get_num_outputs(self.desc))
        ]
        self.inputs = Buffers(len(self.names))
        self.outputs = Buffers(len(self.output_names))

    def _find_kind(self):
        """The first of the kinds of gears that has any; each may be asked for in every model."""
        batch, ret = acl.mdl.get_dynamic_batch(self.desc)
        require(ret, "get_dynamic_batch")
        if batch["batchCount"]:
            self.batches = sorted(batch["batch"])
            return "batch"
        count, ret = acl.mdl.get_input_dynamic_gear_count(self.desc, -1)
        require(ret, "get_input_dynamic_gear_count")
        if count:
            gears, ret = acl.mdl.get_input_dynamic_dims(self.desc, -1, count)
            require(ret, "get_input_dynamic_dims")
            self.gears = [gear["dims"] for gear in gears]
            return "dims"
        sizes, ret = acl.mdl.get_dynamic_hw(self.desc, -1)
        require(ret, "get_dynamic_hw")
        if sizes["hwCount"]:
            self.sizes = sizes["hw"]
            return "hw"
        dims = [acl.mdl.get_input_dims(self.desc, index)[0] for index in range(len(self.names))]
        return "range" if any(-1 in each["dims"] for each in dims) else "static"

    def run(self, feeds):
        arrays = [feeds[name] for name in self.names if name != GEARS]
        rows = len(arrays[0])
        if self.kind == "batch":
            batch = next(size for size in self.batches if size >= rows)
            arrays = [np.resize(each, (batch, *each.shape[1:])) for each in arrays]
        for index, array in enumerate(arrays):
            self.inputs.put(index, array)
        if GEARS in self.names:
            index, ret = acl.mdl.get_input_index_by_name(self.desc, GEARS)
            require(ret, "get_input_index_by_name")
            self.inputs.need(index, acl.mdl.get_input_size_by_index(self.desc, index))
            self._set_gear(index, arrays)
        elif self.kind == "range":
            self._tell_shapes(arrays)
        for index in range(len(self.output_names)):
            size = acl.mdl.get_output_size_by_index(self.desc, index)
            self.outputs.need(index, size or LARGEST_OUTPUT)
        ret = acl.mdl.execute(self.model, self.inputs.dataset, self.outputs.dataset)
        require(ret, "execute")
        results = {}
        for index, name in enumerate(self.output_names):
            dtype = DTYPES[acl.mdl.get_output_data_type(self.desc, index)]
            array = self.outputs.get(index, self._shape(index), dtype)
            results[name] = array[:rows] if self.kind == "batch" else array
        return results

    def _set_gear(self, index, arrays):
        inputs = self.inputs.dataset
        if self.kind == "batch":
            ret = acl.mdl.set_dynamic_batch_size(self.model, inputs, index, len(arrays[0]))
        elif self.kind == "hw":
            height, width = arrays[0].shape[2:]
            if [height, width] not in self.sizes:
                raise AclError(f"{height} x {width} is none of {self.sizes}")
            ret = acl.mdl.set_dynamic_hw_size(self.model, inputs, index, height, width)
        else:
            joined = [dim for array in arrays for dim in array.shape]
            if joined not in self.gears:
                raise AclError(f"{joined} is none of {self.gears}")
            dims = {"name": "", "dimCount": len(joined), "dims": joined}
            ret = acl.mdl.set_input_dynamic_dims(self.model, inputs, index, dims)
        require(ret, f"setting a gear of {self.kind}")

    def _tell_shapes(self, arrays):
        for index, array in enumerate(arrays):
            desc = acl.create_tensor_desc(TYPES[array.dtype], list(array.shape), ND)
            _, ret = acl.mdl.set_dataset_tensor_desc(self.inputs.dataset, desc, index)
            require(ret, "set_dataset_tensor_desc")
            acl.destroy_tensor_desc(desc)

    def _shape(self, index):
        if self.kind != "range":
            dims, ret = acl.mdl.get_cur_output_dims(self.desc, index)
            require(ret, "get_cur_output_dims")
            return dims["dims"]
        desc = acl.mdl.get_dataset_tensor_desc(self.outputs.dataset, index)
        shape = []
        for place in range(acl.get_tensor_desc_num_dims(desc)):
            dim, ret = acl.get_tensor_desc_dim_v2(desc, place)
            require(ret, "get_tensor_desc_dim_v2")
            shape.append(dim)
        return shape

    def close(self):
        self.inputs.close()
        self.outputs.close()
        require(acl.mdl.unload(self.model), "unload")
        require(acl.mdl.destroy_desc(self.desc), "destroy_desc")


def start():
    """Fine if somebody else has done it: a process may have several of these."""
    ret = acl.init()
    if ret not in (0, INITIALIZED_ALREADY):
        raise AclError(f"init: {ret}")
    _, ret = acl.rt.get_device()
    if ret != 0:  # this thread has none yet
        require(acl.rt.set_device(0), "set_device")


def main(model_path, out_folder, *files):
    start()
    start()
    free, total, ret = acl.rt.get_mem_info(1)
    require(ret, "get_mem_info")
    assert 0 < free <= total
    net = Net(model_path)
    print("kind:", net.kind)
    acl.app_log(1, f"{model_path} is of kind {net.kind}")
    for file in files:
        with np.load(file) as feeds:
            results = net.run(feeds)
        np.savez(Path(out_folder) / Path(file).name, **results)
    net.close()
    require(acl.rt.reset_device(0), "reset_device")
    require(acl.finalize(), "finalize")


if __name__ == "__main__":
    main(*sys.argv[1:])
