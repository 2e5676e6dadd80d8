"""Detects with a model of several image sizes.

    detector.py MODEL.om OUT_FOLDER PICTURE.npy ...

Every picture has one of the sizes that the model was converted for.
"""

import sys
from pathlib import Path

import numpy as np

import acl

SUCCESS = 0
HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2
HUGE_FIRST = 0
MBATCH = "ascend_mbatch_shape_data"


def check_ret(message, ret):
    if ret != SUCCESS:
        raise Exception(f"{message}: {ret}")


def make_dataset(sizes):
    """Device memory of these sizes, and a dataset over it."""
    dataset = acl.mdl.create_dataset()
    addresses = []
    for size in sizes:
        address, ret = acl.rt.malloc(size, HUGE_FIRST)
        check_ret("malloc", ret)
        addresses.append(address)
        buffer = acl.create_data_buffer(address, size)
        _, ret = acl.mdl.add_dataset_buffer(dataset, buffer)
        check_ret("add_dataset_buffer", ret)
    return dataset, addresses


def drop_dataset(dataset):
    """Takes down what make_dataset made, from the dataset alone."""
    while dataset:
        for index in range(acl.mdl.get_dataset_num_buffers(dataset)):
            buffer = acl.mdl.get_dataset_buffer(dataset, index)
            acl.rt.free(acl.get_data_buffer_addr(buffer))
            check_ret("destroy_data_buffer", acl.destroy_data_buffer(buffer))
        check_ret("destroy_dataset", acl.mdl.destroy_dataset(dataset))
        dataset = None


def fetch(dataset, index, size):
    """The start of an output, copied into a bytes object."""
    buffer = acl.mdl.get_dataset_buffer(dataset, index)
    data = bytes(size)
    address = acl.util.bytes_to_ptr(data)
    whole = acl.get_data_buffer_size_v2(buffer)
    assert size <= whole, (size, whole)
    source = acl.get_data_buffer_addr(buffer)
    check_ret("memcpy", acl.rt.memcpy(address, size, source, size, DEVICE_TO_HOST))
    return data


class Detector:
    def __init__(self, path):
        self.model_id, ret = acl.mdl.load_from_file(path)
        check_ret("load_from_file", ret)
        self.desc = acl.mdl.create_desc()
        check_ret("get_desc", acl.mdl.get_desc(self.desc, self.model_id))
        count = acl.mdl.get_num_inputs(self.desc)
        self.input_sizes = [acl.mdl.get_input_size_by_index(self.desc, i) for i in range(count)]
        count = acl.mdl.get_num_outputs(self.desc)
        self.output_sizes = [acl.mdl.get_output_size_by_index(self.desc, i) for i in range(count)]
        self.inputs, self.addresses = make_dataset(self.input_sizes)
        self.outputs, _ = make_dataset(self.output_sizes)
        for index in range(count):  # before anything is set: the largest size
            dims, ret = acl.mdl.get_output_dims(self.desc, index)
            check_ret("get_output_dims", ret)
            assert int(np.prod(dims["dims"])) * 4 == self.output_sizes[index]

    def sizes(self):
        dynamic, ret = acl.mdl.get_dynamic_hw(self.desc, -1)
        check_ret("get_dynamic_hw", ret)
        return [tuple(pair) for pair in dynamic["hw"][: dynamic["hwCount"]]]

    def detect(self, picture):
        height, width = picture.shape[2:]
        data = picture.tobytes()
        # As many bytes as the largest picture has, whatever the size of this one: the rest is not
        # looked at.
        size = self.input_sizes[0]
        pointer = acl.util.bytes_to_ptr(data)
        check_ret("memcpy", acl.rt.memcpy(self.addresses[0], size, pointer, size, HOST_TO_DEVICE))
        index, ret = acl.mdl.get_input_index_by_name(self.desc, MBATCH)
        check_ret("get_input_index_by_name", ret)
        ret = acl.mdl.set_dynamic_hw_size(self.model_id, self.inputs, index, height, width)
        check_ret("set_dynamic_hw_size", ret)
        shapes = []
        for place in range(len(self.output_sizes)):
            dims, ret = acl.mdl.get_cur_output_dims(self.desc, place)
            check_ret("get_cur_output_dims", ret)
            shapes.append(dims["dims"])
        check_ret("execute", acl.mdl.execute(self.model_id, self.inputs, self.outputs))
        return [
            np.frombuffer(fetch(self.outputs, place, int(np.prod(shape)) * 4), np.float32).reshape(
                shape
            )
            for place, shape in enumerate(shapes)
        ]

    def __del__(self):
        """Comes when the device has been given back: nothing but memory is left by then."""
        check_ret("unload", acl.mdl.unload(self.model_id))
        drop_dataset(self.inputs)
        drop_dataset(self.outputs)
        # The description is still read when everything else has gone.
        dims, ret = acl.mdl.get_cur_output_dims(self.desc, 1)
        check_ret("get_cur_output_dims", ret)
        print("last scores:", dims["dims"])
        check_ret("destroy_desc", acl.mdl.destroy_desc(self.desc))


def main(model, folder, *pictures):
    check_ret("init", acl.init())
    check_ret("set_device", acl.rt.set_device(0))
    context, ret = acl.rt.create_context(0)
    check_ret("create_context", ret)
    try:
        detector = Detector(model)
        known = detector.sizes()
        print("sizes:", known)
        for name in pictures:
            picture = np.load(name)
            if picture.shape[2:] not in known:
                print(f"{name}: {picture.shape[2:]} is not a size of the model")
                continue
            boxes, scores = detector.detect(picture)
            np.savez(Path(folder) / Path(name).stem, boxes=boxes, scores=scores)
            print(f"{name}: {boxes.shape[1]} boxes")
    finally:
        check_ret("destroy_context", acl.rt.destroy_context(context))
        check_ret("reset_device", acl.rt.reset_device(0))
        check_ret("finalize", acl.finalize())


if __name__ == "__main__":
    main(*sys.argv[1:])
