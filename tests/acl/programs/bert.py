"""Runs an encoder of sentences whose model has gears of any dims.

    bert.py MODEL.om OUT_FOLDER SENTENCES.npz ...

Each file has the model's inputs by name, all of one shape. They are filled up with zeros to the
smallest gear that holds them, and what comes out is cut back.
"""

import os
import sys

import numpy as np

import acl

MEMCPY_H2D, MEMCPY_D2H = 1, 2
INT64 = 9
TYPES = {0: "float32", 1: "float16", 3: "int32", INT64: "int64"}
SHAPE_INPUT = "ascend_mbatch_shape_data"


def ok(ret, what="call"):
    assert ret == 0, f"{what} answered {ret}"


class Net:
    """The model, and buffers of exactly what each gear takes."""

    def __init__(self, path, device=0):
        ok(acl.init(), "init")
        ok(acl.rt.set_device(device), "set_device")
        self.device = device
        self.context, ret = acl.rt.create_context(device)
        ok(ret, "create_context")
        self.stream, ret = acl.rt.create_stream()
        ok(ret, "create_stream")
        self.model, ret = acl.mdl.load_from_file(path)
        ok(ret, "load_from_file")
        self.desc = acl.mdl.create_desc()
        ok(acl.mdl.get_desc(self.desc, self.model), "get_desc")
        self.index, ret = acl.mdl.get_input_index_by_name(self.desc, SHAPE_INPUT)
        ok(ret, "get_input_index_by_name")
        self.names = [
            acl.mdl.get_input_name_by_index(self.desc, place)
            for place in range(acl.mdl.get_num_inputs(self.desc))
            if place != self.index
        ]
        for place in range(len(self.names)):
            assert acl.mdl.get_input_data_type(self.desc, place) == INT64
            dims, ret = acl.mdl.get_input_dims(self.desc, place)
            ok(ret, "get_input_dims")
            assert dims["dims"] == [-1, -1], dims
        for place in range(acl.mdl.get_num_outputs(self.desc)):
            _, ret = acl.mdl.get_cur_output_dims(self.desc, place)
            ok(ret, "get_cur_output_dims before anything was set")
        self.gears = self._read_gears()
        self.memory = {}

    def _read_gears(self):
        count, ret = acl.mdl.get_input_dynamic_gear_count(self.desc, -1)
        ok(ret, "get_input_dynamic_gear_count")
        gears, ret = acl.mdl.get_input_dynamic_dims(self.desc, -1, count)
        ok(ret, "get_input_dynamic_dims")
        print("gears:", [gear["dims"] for gear in gears])
        return [gear["dims"][: gear["dimCount"]] for gear in gears]

    def _gear_for(self, rows, length):
        holding = [gear for gear in self.gears if gear[0] >= rows and gear[1] >= length]
        if not holding:
            raise ValueError(f"no gear holds {rows} sentences of {length}")
        return min(holding, key=lambda gear: gear[0] * gear[1])

    def run(self, feeds):
        rows, length = feeds[self.names[0]].shape
        gear = self._gear_for(rows, length)
        shape = tuple(gear[:2])
        filled = []
        for name in self.names:
            array = np.zeros(shape, np.int64)
            array[:rows, :length] = feeds[name]
            filled.append(array)
        inputs = self._inputs(filled)
        dims = {"dimCount": len(gear), "name": "", "dims": gear}
        ok(acl.mdl.set_input_dynamic_dims(self.model, inputs, self.index, dims), "set dims")
        outputs, shapes = self._outputs()
        ok(acl.mdl.execute_async(self.model, inputs, outputs, self.stream), "execute_async")
        ok(acl.rt.synchronize_stream(self.stream), "synchronize_stream")
        results = [self._fetch(outputs, place, shape) for place, shape in enumerate(shapes)]
        self._drop(inputs)
        self._drop(outputs)
        print("gear", gear, "gives", shapes)
        return results[0][:rows, :length], results[1][:rows]

    def _buffer(self, dataset, size):
        pointer, ret = acl.rt.malloc(size, 2)
        ok(ret, "malloc")
        data = acl.create_data_buffer(pointer, size)
        _, ret = acl.mdl.add_dataset_buffer(dataset, data)
        ok(ret, "add_dataset_buffer")
        return pointer

    def _inputs(self, arrays):
        dataset = acl.mdl.create_dataset()
        for array in arrays:
            source, inline = acl.util.numpy_contiguous_to_ptr(array)
            pointer = self._buffer(dataset, inline.nbytes)
            ok(acl.rt.memcpy(pointer, inline.nbytes, source, inline.nbytes, MEMCPY_H2D), "memcpy")
        self._buffer(dataset, acl.mdl.get_input_size_by_index(self.desc, self.index))
        return dataset

    def _outputs(self):
        dataset, shapes = acl.mdl.create_dataset(), []
        for place in range(acl.mdl.get_num_outputs(self.desc)):
            dims, ret = acl.mdl.get_cur_output_dims(self.desc, place)
            ok(ret, "get_cur_output_dims")
            dtype = np.dtype(TYPES[acl.mdl.get_output_data_type(self.desc, place)])
            self._buffer(dataset, int(np.prod(dims["dims"])) * dtype.itemsize)
            shapes.append(tuple(dims["dims"]))
        return dataset, shapes

    def _fetch(self, dataset, place, shape):
        data = acl.mdl.get_dataset_buffer(dataset, place)
        array = np.zeros(shape, TYPES[acl.mdl.get_output_data_type(self.desc, place)])
        size = acl.get_data_buffer_size(data)
        source = acl.get_data_buffer_addr(data)
        ok(acl.rt.memcpy(array.ctypes.data, array.nbytes, source, size, MEMCPY_D2H), "memcpy")
        return array

    def _drop(self, dataset):
        for place in range(acl.mdl.get_dataset_num_buffers(dataset)):
            data = acl.mdl.get_dataset_buffer(dataset, place)
            ok(acl.rt.free(acl.get_data_buffer_addr(data)), "free")
            ok(acl.destroy_data_buffer(data), "destroy_data_buffer")
        ok(acl.mdl.destroy_dataset(dataset), "destroy_dataset")

    def release(self):
        ok(acl.mdl.unload(self.model), "unload")
        ok(acl.mdl.destroy_desc(self.desc), "destroy_desc")
        ok(acl.rt.destroy_stream(self.stream), "destroy_stream")
        ok(acl.rt.destroy_context(self.context), "destroy_context")
        ok(acl.rt.reset_device(self.device), "reset_device")
        ok(acl.finalize(), "finalize")


if __name__ == "__main__":
    net = Net(sys.argv[1])
    for path in sys.argv[3:]:
        hidden, pooled = net.run(dict(np.load(path)))
        stem = os.path.splitext(os.path.basename(path))[0]
        np.savez(os.path.join(sys.argv[2], stem), hidden=hidden, pooled=pooled)
    net.release()
