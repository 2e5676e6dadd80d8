"""Runs any model on raw files and writes raw files, as tools for trying out models do.

    bins.py --model net.om --input a.bin,b.bin --output folder [--loop 3]
            [--dymBatch 4 | --dymHW 224,224 | --dymDims "ids:1,32;mask:1,32"]

A file holds exactly what its input takes at the gear, and so do the buffers.
"""

import argparse
import os
import time

import acl

ITEM_SIZES = {0: 4, 1: 2, 2: 1, 3: 4, 4: 1, 6: 2, 7: 2, 8: 4, 9: 8, 10: 8, 11: 8, 12: 1}
GEAR_NAME = "ascend_mbatch_shape_data"
EXIT_FAILED = 1


def info(text):
    print(f"[INFO] {text}")


class Failed(Exception):
    pass


def done(ret, what):
    if ret != 0:
        raise Failed(f"{what} failed, errorCode is {ret}")
    info(f"{what} success")


def parsed(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", default="")
    parser.add_argument("--output", required=True)
    parser.add_argument("--loop", type=int, default=1)
    parser.add_argument("--device", type=int, default=0)
    gear = parser.add_mutually_exclusive_group()
    gear.add_argument("--dymBatch", type=int, default=0)
    gear.add_argument("--dymHW", default="")
    gear.add_argument("--dymDims", default="")
    return parser.parse_args(argv)


class Runner:
    def __init__(self, options):
        self.options = options
        self.held = []

    def open(self):
        done(acl.init(), "acl init")
        done(acl.rt.set_device(self.options.device), f"open device {self.options.device}")
        self.context, ret = acl.rt.create_context(self.options.device)
        done(ret, "create context")
        self.stream, ret = acl.rt.create_stream()
        done(ret, "create stream")
        _, ret = acl.rt.get_run_mode()
        done(ret, "get run mode")
        work, weight, ret = acl.mdl.query_size(self.options.model)
        done(ret, f"query size ({work} and {weight} bytes)")
        self.work, ret = acl.rt.malloc(work, 0)
        done(ret, "malloc buffer for mem")
        self.weight, ret = acl.rt.malloc(weight, 0)
        done(ret, "malloc buffer for weight")
        self.model, ret = acl.mdl.load_from_file_with_mem(
            self.options.model, self.work, work, self.weight, weight
        )
        done(ret, f"load model {self.options.model}")
        self.desc = acl.mdl.create_desc()
        done(acl.mdl.get_desc(self.desc, self.model), "create model description")
        self.gears, ret = acl.mdl.get_input_dynamic_gear_count(self.desc, -1)
        done(ret, "get input dynamic gear count")
        if self.gears and not self.options.dymDims:
            raise Failed("the model has dynamic dims: --dymDims says which")

    def input_sizes(self, files):
        """What is handed over: as much as each file has, and the extra input's own size."""
        count = acl.mdl.get_num_inputs(self.desc)
        sizes = []
        for index in range(count):
            name = acl.mdl.get_input_name_by_index(self.desc, index)
            if name == GEAR_NAME or index >= len(files):
                sizes.append(acl.mdl.get_input_size_by_index(self.desc, index))
            else:
                sizes.append(os.path.getsize(files[index]))
        return sizes

    def dataset(self, sizes):
        dataset = acl.mdl.create_dataset()
        for size in sizes:
            pointer, ret = acl.rt.malloc(size, 0)
            done(ret, "malloc device buffer")
            data = acl.create_data_buffer(pointer, size)
            _, ret = acl.mdl.add_dataset_buffer(dataset, data)
            done(ret, "add dataset buffer")
            self.held.append((pointer, data))
        return dataset

    def set_gear(self, inputs):
        options = self.options
        if not (options.dymBatch or options.dymHW or options.dymDims):
            self.describe(inputs)
            return
        index, ret = acl.mdl.get_input_index_by_name(self.desc, GEAR_NAME)
        done(ret, "get input index by name")
        if options.dymBatch:
            listed, ret = acl.mdl.get_dynamic_batch(self.desc)
            done(ret, "get dynamic batch")
            if options.dymBatch not in listed["batch"]:
                raise Failed(f"{options.dymBatch} is not among the batches {listed['batch']}")
            done(
                acl.mdl.set_dynamic_batch_size(self.model, inputs, index, options.dymBatch),
                "set dynamic batch size",
            )
        elif options.dymHW:
            height, width = (int(side) for side in options.dymHW.split(","))
            done(
                acl.mdl.set_dynamic_hw_size(self.model, inputs, index, height, width),
                "set dynamic hw",
            )
        else:
            shapes = {}
            for item in options.dymDims.split(";"):
                name, _, dims = item.rpartition(":")
                shapes[name] = [int(dim) for dim in dims.split(",")]
            joined = [
                dim
                for place in range(acl.mdl.get_num_inputs(self.desc))
                if place != index
                for dim in shapes[acl.mdl.get_input_name_by_index(self.desc, place)]
            ]
            dims = {"dimCount": len(joined), "name": "", "dims": joined}
            done(
                acl.mdl.set_input_dynamic_dims(self.model, inputs, index, dims),
                "set input dynamic dims",
            )

    def describe(self, inputs):
        """Says what lies in each buffer, which a model of one shape knows already."""
        for index in range(acl.mdl.get_num_inputs(self.desc)):
            dims, ret = acl.mdl.get_input_dims(self.desc, index)
            done(ret, "get input dims")
            desc = acl.create_tensor_desc(
                acl.mdl.get_input_data_type(self.desc, index),
                dims["dims"],
                acl.mdl.get_input_format(self.desc, index),
            )
            _, ret = acl.mdl.set_dataset_tensor_desc(inputs, desc, index)
            done(ret, "set dataset tensor desc")
            acl.destroy_tensor_desc(desc)

    def output_sizes(self):
        sizes = []
        largest = 0
        if self.options.dymBatch:
            largest = max(acl.mdl.get_dynamic_batch(self.desc)[0]["batch"])
        for index in range(acl.mdl.get_num_outputs(self.desc)):
            if largest:
                whole = acl.mdl.get_output_size_by_index(self.desc, index)
                sizes.append(whole * self.options.dymBatch // largest)
                continue
            size = ITEM_SIZES[acl.mdl.get_output_data_type(self.desc, index)]
            for dim in acl.mdl.get_cur_output_dims(self.desc, index)[0]["dims"]:
                size *= dim
            sizes.append(size)
        return sizes

    def run(self, files):
        inputs = self.dataset(self.input_sizes(files))
        for index, path in enumerate(files):
            with open(path, "rb") as file:
                data = file.read()
            pointer, _ = self.held[index]
            source = acl.util.bytes_to_ptr(data)
            done(acl.rt.memcpy(pointer, len(data), source, len(data), 1), "memcpy")
        self.set_gear(inputs)
        sizes = self.output_sizes()
        before = len(self.held)
        outputs = self.dataset(sizes)
        spent = []
        for _ in range(self.options.loop):
            start = time.perf_counter()
            ret = acl.mdl.execute(self.model, inputs, outputs)
            spent.append((time.perf_counter() - start) * 1e3)
            done(ret, "model execute")
        print(f"Inference average time: {sum(spent) / len(spent):f} ms")
        self.write(self.held[before:], sizes)
        for dataset in (inputs, outputs):
            done(acl.mdl.destroy_dataset(dataset), "destroy dataset")

    def write(self, held, sizes):
        os.makedirs(self.options.output, exist_ok=True)
        stem = os.path.splitext(os.path.basename(self.options.model))[0]
        for index, ((pointer, _), size) in enumerate(zip(held, sizes, strict=True)):
            data = acl.util.ptr_to_bytes(pointer, size)
            with open(os.path.join(self.options.output, f"{stem}_output_{index}.bin"), "wb") as out:
                out.write(data)
        info("output data success")

    def close(self):
        for pointer, data in self.held:
            done(acl.destroy_data_buffer(data), "destroy data buffer")
            done(acl.rt.free(pointer), "free device buffer")
        done(acl.mdl.unload(self.model), "unload model")
        done(acl.mdl.destroy_desc(self.desc), "destroy model description")
        done(acl.rt.free(self.work), "free mem")
        done(acl.rt.free(self.weight), "free weight")
        done(acl.rt.destroy_stream(self.stream), "destroy stream")
        done(acl.rt.destroy_context(self.context), "destroy context")
        done(acl.rt.reset_device(self.options.device), "reset device")
        done(acl.finalize(), "end of acl")


if __name__ == "__main__":
    runner = Runner(parsed())
    try:
        runner.open()
        runner.run([name for name in runner.options.input.split(",") if name])
        runner.close()
    except Failed as failure:
        print(f"[ERROR] {failure}")
        raise SystemExit(EXIT_FAILED) from None
    info("Execute sample success")
