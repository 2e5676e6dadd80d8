"""Two models behind a small class library, which clears up after itself in whatever order.

    lite.py DYNAMIC.om FIXED.om PICTURES.npy OUT_FOLDER

The first model has batch sizes and takes all pictures at once, the second is of one size and takes
them in parts. Nothing is taken down by the program: objects do it when they are collected, or the
resource does when the interpreter ends.
"""

import os
import sys

import numpy as np

import acl

ACL_DEVICE, ACL_HOST = 0, 1
MALLOC_NORMAL_ONLY = 2
COPY_HOST_TO_DEVICE, COPY_DEVICE_TO_HOST = 1, 2
REPEAT_INITIALIZE = 100002
TYPES = {0: (np.float32, 11), 3: (np.int32, 5), 9: (np.int64, 9)}

run_mode, _ = acl.rt.get_run_mode()  # before acl.init, when the library is imported


def check_ret(what, ret):
    if ret != 0:
        raise Exception(f"{what} failed ret={ret}")


class ResourceList:
    """Everything that has to go before the device does."""

    _only = None

    def __new__(cls):
        if cls._only is None:
            cls._only = super().__new__(cls)
            cls._only.items = []
        return cls._only

    def register(self, item):
        self.items.append(item)

    def unregister(self, item):
        if item in self.items:
            self.items.remove(item)

    def destroy(self):
        for item in list(self.items):
            item.destroy_resource()
        self.items.clear()


class Resource:
    """The device, for as long as this lives."""

    def __init__(self, device_id=0):
        self.device_id = device_id
        self.context = None
        self.stream = None

    def init(self):
        ret = acl.init()
        if ret != REPEAT_INITIALIZE:
            check_ret("acl.init", ret)
        check_ret("acl.rt.set_device", acl.rt.set_device(self.device_id))
        self.context, ret = acl.rt.create_context(self.device_id)
        check_ret("acl.rt.create_context", ret)
        self.stream, ret = acl.rt.create_stream()
        check_ret("acl.rt.create_stream", ret)
        print(f"device {self.device_id} is {acl.get_soc_name()}")

    def __del__(self):
        print("resource goes")
        ResourceList().destroy()
        if self.stream:
            acl.rt.destroy_stream(self.stream)
        if self.context:
            acl.rt.destroy_context(self.context)
        acl.rt.reset_device(self.device_id)
        acl.finalize()


class LiteModel:
    def __init__(self, path):
        self.path = path
        self.is_destroyed = False
        self.output_dataset = None
        self.input_dataset = None
        self.input_buffers = []
        self._load(path)
        self.desc = acl.mdl.create_desc()
        check_ret("acl.mdl.get_desc", acl.mdl.get_desc(self.desc, self.model_id))
        self.output_count = acl.mdl.get_num_outputs(self.desc)
        self._make_inputs()
        self._make_outputs()
        ResourceList().register(self)

    def _load(self, path):
        """Through memory, which is given back as soon as the model is there."""
        with open(path, "rb") as file:
            data = file.read()
        address, ret = acl.rt.malloc(len(data), MALLOC_NORMAL_ONLY)
        check_ret("acl.rt.malloc", ret)
        source = acl.util.bytes_to_ptr(data)
        ret = acl.rt.memcpy(address, len(data), source, len(data), COPY_HOST_TO_DEVICE)
        check_ret("acl.rt.memcpy", ret)
        self.model_id, ret = acl.mdl.load_from_mem(address, len(data))
        acl.rt.free(address)
        check_ret("acl.mdl.load_from_mem", ret)

    def _make_inputs(self):
        self.input_dataset = acl.mdl.create_dataset()
        for index in range(acl.mdl.get_num_inputs(self.desc)):
            size = acl.mdl.get_input_size_by_index(self.desc, index)
            address, ret = acl.rt.malloc(size, MALLOC_NORMAL_ONLY)
            check_ret("acl.rt.malloc", ret)
            self.input_buffers.append({"addr": address, "size": size})
            self._add(self.input_dataset, address, size)

    def _make_outputs(self):
        self.output_dataset = acl.mdl.create_dataset()
        for index in range(self.output_count):
            size = acl.mdl.get_output_size_by_index(self.desc, index)
            address, ret = acl.rt.malloc(size, MALLOC_NORMAL_ONLY)
            check_ret("acl.rt.malloc", ret)
            self._add(self.output_dataset, address, size)

    def _add(self, dataset, address, size):
        buffer = acl.create_data_buffer(address, size)
        if not buffer:
            acl.rt.free(address)
            raise Exception("create data buffer failed")
        _, ret = acl.mdl.add_dataset_buffer(dataset, buffer)
        check_ret("acl.mdl.add_dataset_buffer", ret)

    def execute(self, array, batch=None):
        first = self.input_buffers[0]
        data = np.ascontiguousarray(array)
        pointer = data.__array_interface__["data"][0]
        kind = COPY_HOST_TO_DEVICE if run_mode == ACL_HOST else 3
        check_ret(
            "acl.rt.memcpy", acl.rt.memcpy(first["addr"], first["size"], pointer, data.nbytes, kind)
        )
        if batch is not None:
            self._set_batch(batch)
        ret = acl.mdl.execute(self.model_id, self.input_dataset, self.output_dataset)
        check_ret("acl.mdl.execute", ret)
        return [self._output(index) for index in range(self.output_count)]

    def _set_batch(self, batch):
        """Sets first, and looks afterwards whether it was one of the list."""
        index, ret = acl.mdl.get_input_index_by_name(self.desc, "ascend_mbatch_shape_data")
        if ret != 0:
            raise LookupError(f"{self.path} has one batch size only ({ret})")
        ret = acl.mdl.set_dynamic_batch_size(self.model_id, self.input_dataset, index, batch)
        listed, _ = acl.mdl.get_dynamic_batch(self.desc)
        if batch not in listed["batch"]:
            raise ValueError(f"batch {batch} is not in {listed['batch']}")
        check_ret("acl.mdl.set_dynamic_batch_size", ret)

    def _output(self, index):
        """The whole buffer, in the shape of the largest batch."""
        dims, ret = acl.mdl.get_output_dims(self.desc, index)
        check_ret("acl.mdl.get_output_dims", ret)
        dtype, number = TYPES[acl.mdl.get_output_data_type(self.desc, index)]
        buffer = acl.mdl.get_dataset_buffer(self.output_dataset, index)
        address, size = acl.get_data_buffer_addr(buffer), acl.get_data_buffer_size_v2(buffer)
        if run_mode == ACL_HOST:
            host, ret = acl.rt.malloc_host(size)
            check_ret("acl.rt.malloc_host", ret)
            ret = acl.rt.memcpy(host, size, address, size, COPY_DEVICE_TO_HOST)
            check_ret("acl.rt.memcpy", ret)
            address = host
        shape = tuple(dims["dims"])
        if "ptr_to_bytes" in dir(acl.util):
            array = np.frombuffer(acl.util.ptr_to_bytes(address, size), dtype).reshape(shape)
        else:
            array = acl.util.ptr_to_numpy(address, shape, number).copy()
        if run_mode == ACL_HOST:
            acl.rt.free_host(address)
        return array

    def destroy_resource(self):
        if self.is_destroyed:
            return
        print("model goes:", os.path.basename(self.path))
        for dataset in (self.input_dataset, self.output_dataset):
            for index in range(acl.mdl.get_dataset_num_buffers(dataset)):
                buffer = acl.mdl.get_dataset_buffer(dataset, index)
                acl.rt.free(acl.get_data_buffer_addr(buffer))
                ret = acl.destroy_data_buffer(buffer)
                if ret != 0:
                    print(f"destroy data buffer error: {ret}")
            acl.mdl.destroy_dataset(dataset)
        acl.mdl.unload(self.model_id)
        acl.mdl.destroy_desc(self.desc)
        self.is_destroyed = True
        ResourceList().unregister(self)

    def __del__(self):
        self.destroy_resource()


def print_refusal(model, kind):
    try:
        model.execute(pictures[:1], batch=3)
    except kind as problem:
        print("refused:", problem)


resource = Resource()
resource.init()
dynamic = LiteModel(sys.argv[1])
fixed = LiteModel(sys.argv[2])
pictures = np.load(sys.argv[3])
print_refusal(fixed, LookupError)
print_refusal(dynamic, ValueError)
rows = fixed.input_buffers[0]["size"] // pictures[0].nbytes
found = [fixed.execute(pictures[at : at + rows]) for at in range(0, len(pictures), rows)]
for number, whole in enumerate(dynamic.execute(pictures, batch=len(pictures))):
    np.save(os.path.join(sys.argv[4], f"dynamic{number}.npy"), whole[: len(pictures)])
    np.save(
        os.path.join(sys.argv[4], f"fixed{number}.npy"),
        np.concatenate([part[number] for part in found]),
    )
