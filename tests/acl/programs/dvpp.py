"""Classifies JPEG files: decoded and resized by DVPP, converted and normalised by static AIPP.

    dvpp.py MODEL.om OUT_FOLDER BATCH resize|paste PICTURE.jpg ...

Resizing fills the model's picture; pasting takes what is within a margin, keeps its shape, and
leaves grey what is beside it.
Writes the scores of every picture, and the NV12 pictures that went into the model.
"""

import os
import sys

import numpy as np

import acl

PIXEL_FORMAT_YUV_SEMIPLANAR_420 = 1
GREY = 128
MEMCPY_HOST_TO_DEVICE, MEMCPY_DEVICE_TO_HOST, MEMCPY_DEVICE_TO_DEVICE = 1, 2, 3


def check_ret(message, ret):
    if ret != 0:
        raise Exception(f"{message} failed ret={ret}")


def align_up(value, to):
    return (value + to - 1) // to * to


def yuv_size(width, height):
    return width * height * 3 // 2


class Picture:
    """A picture in memory of DVPP, with the description that goes with it."""

    def __init__(self, width, height, width_align, height_align, size=None):
        self.width, self.height = width, height
        self.row, self.rows = align_up(width, width_align), align_up(height, height_align)
        self.size = size or yuv_size(self.row, self.rows)
        self.address, ret = acl.media.dvpp_malloc(self.size)
        check_ret("dvpp_malloc", ret)
        self.desc = acl.media.dvpp_create_pic_desc()
        acl.media.dvpp_set_pic_desc_data(self.desc, self.address)
        acl.media.dvpp_set_pic_desc_size(self.desc, self.size)
        acl.media.dvpp_set_pic_desc_format(self.desc, PIXEL_FORMAT_YUV_SEMIPLANAR_420)
        acl.media.dvpp_set_pic_desc_width(self.desc, width)
        acl.media.dvpp_set_pic_desc_height(self.desc, height)
        acl.media.dvpp_set_pic_desc_width_stride(self.desc, self.row)
        acl.media.dvpp_set_pic_desc_height_stride(self.desc, self.rows)

    def __del__(self):
        acl.media.dvpp_destroy_pic_desc(self.desc)
        acl.media.dvpp_free(self.address)


class Dvpp:
    def __init__(self, stream):
        self.stream = stream
        self.channel = acl.media.dvpp_create_channel_desc()
        check_ret("dvpp_create_channel", acl.media.dvpp_create_channel(self.channel))
        self.resizing = acl.media.dvpp_create_resize_config()

    def decode(self, path):
        data = np.fromfile(path, dtype=np.byte)
        if "bytes_to_ptr" in dir(acl.util):
            held = data.tobytes()
            pointer = acl.util.bytes_to_ptr(held)
        else:
            pointer = acl.util.numpy_to_ptr(data)
        size = data.size
        width, height, _, ret = acl.media.dvpp_jpeg_get_image_info(pointer, size)
        check_ret("dvpp_jpeg_get_image_info", ret)
        wanted, ret = acl.media.dvpp_jpeg_predict_dec_size(
            pointer, size, PIXEL_FORMAT_YUV_SEMIPLANAR_420
        )
        check_ret("dvpp_jpeg_predict_dec_size", ret)
        file, ret = acl.media.dvpp_malloc(size)
        check_ret("dvpp_malloc", ret)
        check_ret("memcpy", acl.rt.memcpy(file, size, pointer, size, MEMCPY_HOST_TO_DEVICE))
        picture = Picture(width, height, 128, 16, wanted)
        ret = acl.media.dvpp_jpeg_decode_async(self.channel, file, size, picture.desc, self.stream)
        check_ret("dvpp_jpeg_decode_async", ret)
        check_ret("synchronize_stream", acl.rt.synchronize_stream(self.stream))
        check_ret("decoding", acl.media.dvpp_get_pic_desc_ret_code(picture.desc))
        acl.media.dvpp_free(file)
        print(f"{os.path.basename(path)}: {width} x {height} in {picture.row} x {picture.rows}")
        return picture

    def resize(self, picture, width, height):
        resized = Picture(width, height, 16, 2)
        ret = acl.media.dvpp_vpc_resize_async(
            self.channel, picture.desc, resized.desc, self.resizing, self.stream
        )
        check_ret("dvpp_vpc_resize_async", ret)
        check_ret("synchronize_stream", acl.rt.synchronize_stream(self.stream))
        return resized

    def paste(self, picture, width, height):
        """What is left without a margin of an eighth, in the top left corner, as large as goes."""
        pasted = Picture(width, height, 16, 2)
        check_ret("memset", acl.rt.memset(pasted.address, pasted.size, GREY, pasted.size))
        # Areas start at even numbers and end at odd ones.
        left, top = picture.width // 16 * 2, picture.height // 16 * 2
        inner_width, inner_height = picture.width - 2 * left, picture.height - 2 * top
        right, bottom = left + inner_width // 2 * 2 - 1, top + inner_height // 2 * 2 - 1
        crop = acl.media.dvpp_create_roi_config(left, right, top, bottom)
        ratio = min(width / inner_width, height / inner_height)
        out_width, out_height = (int(side * ratio) // 2 * 2 for side in (inner_width, inner_height))
        area = acl.media.dvpp_create_roi_config(0, out_width - 1, 0, out_height - 1)
        ret = acl.media.dvpp_vpc_crop_and_paste_async(
            self.channel, picture.desc, pasted.desc, crop, area, self.stream
        )
        check_ret("dvpp_vpc_crop_and_paste_async", ret)
        check_ret("synchronize_stream", acl.rt.synchronize_stream(self.stream))
        acl.media.dvpp_destroy_roi_config(crop)
        acl.media.dvpp_destroy_roi_config(area)
        print("cropped to", (left, right, top, bottom), "and pasted into", (out_width, out_height))
        return pasted

    def __del__(self):
        acl.media.dvpp_destroy_resize_config(self.resizing)
        acl.media.dvpp_destroy_channel(self.channel)
        acl.media.dvpp_destroy_channel_desc(self.channel)


class Model:
    def __init__(self, path):
        self.id, ret = acl.mdl.load_from_file(path)
        check_ret("load_from_file", ret)
        self.desc = acl.mdl.create_desc()
        check_ret("get_desc", acl.mdl.get_desc(self.desc, self.id))
        self.index, ret = acl.mdl.get_input_index_by_name(self.desc, "ascend_mbatch_shape_data")
        check_ret("get_input_index_by_name", ret)
        dims, ret = acl.mdl.get_input_dims(self.desc, 0)
        check_ret("get_input_dims", ret)
        _, self.height, self.width, _ = dims["dims"]  # of a picture: NHWC
        self.inputs, self.input_memory = self._dataset("input", acl.mdl.get_num_inputs(self.desc))
        self.outputs, self.output_memory = self._dataset(
            "output", acl.mdl.get_num_outputs(self.desc)
        )

    def _dataset(self, role, count):
        dataset, memory = acl.mdl.create_dataset(), []
        size_of = getattr(acl.mdl, f"get_{role}_size_by_index")
        for place in range(count):
            size = size_of(self.desc, place)
            address, ret = acl.rt.malloc(size, 0)
            check_ret("malloc", ret)
            memory.append((address, size))
            _, ret = acl.mdl.add_dataset_buffer(dataset, acl.create_data_buffer(address, size))
            check_ret("add_dataset_buffer", ret)
        return dataset, memory

    def run(self, pictures):
        """Scores of the pictures, which lie in memory of DVPP without gaps."""
        start, size = self.input_memory[0]
        one = yuv_size(self.width, self.height)
        for place, picture in enumerate(pictures):
            target, room = start + place * one, size - place * one
            ret = acl.rt.memcpy(target, room, picture.address, one, MEMCPY_DEVICE_TO_DEVICE)
            check_ret("memcpy", ret)
        ret = acl.mdl.set_dynamic_batch_size(self.id, self.inputs, self.index, len(pictures))
        check_ret("set_dynamic_batch_size", ret)
        check_ret("execute", acl.mdl.execute(self.id, self.inputs, self.outputs))
        dims, ret = acl.mdl.get_cur_output_dims(self.desc, 0)
        check_ret("get_cur_output_dims", ret)
        count = int(np.prod(dims["dims"])) * 4
        host, ret = acl.rt.malloc_host(count)
        check_ret("malloc_host", ret)
        ret = acl.rt.memcpy(host, count, self.output_memory[0][0], count, MEMCPY_DEVICE_TO_HOST)
        check_ret("memcpy", ret)
        scores = np.frombuffer(acl.util.ptr_to_bytes(host, count), np.float32)
        check_ret("free_host", acl.rt.free_host(host))
        print("batch", len(pictures), "gives", dims["dims"])
        return scores.reshape(dims["dims"])

    def __del__(self):
        for dataset in (self.inputs, self.outputs):
            for place in range(acl.mdl.get_dataset_num_buffers(dataset)):
                acl.destroy_data_buffer(acl.mdl.get_dataset_buffer(dataset, place))
            acl.mdl.destroy_dataset(dataset)
        for address, _ in self.input_memory + self.output_memory:
            acl.rt.free(address)
        acl.mdl.unload(self.id)
        acl.mdl.destroy_desc(self.desc)


def main(model_path, folder, batch, way, *paths):
    check_ret("init", acl.init())
    check_ret("set_device", acl.rt.set_device(0))
    context, ret = acl.rt.create_context(0)
    check_ret("create_context", ret)
    stream, ret = acl.rt.create_stream()
    check_ret("create_stream", ret)
    dvpp, model = Dvpp(stream), Model(model_path)
    scores, frames = [], []
    for start in range(0, len(paths), int(batch)):
        pictures = [
            getattr(dvpp, way)(dvpp.decode(path), model.width, model.height)
            for path in paths[start : start + int(batch)]
        ]
        scores.append(model.run(pictures))
        frames += [acl.util.ptr_to_bytes(each.address, each.size) for each in pictures]
        pictures = None
    np.save(os.path.join(folder, "scores.npy"), np.concatenate(scores))
    nv12 = np.frombuffer(b"".join(frames), np.uint8)
    np.save(os.path.join(folder, "nv12.npy"), nv12.reshape(-1, model.height * 3 // 2, model.width))
    del dvpp, model
    check_ret("destroy_stream", acl.rt.destroy_stream(stream))
    check_ret("destroy_context", acl.rt.destroy_context(context))
    check_ret("reset_device", acl.rt.reset_device(0))
    check_ret("finalize", acl.finalize())


if __name__ == "__main__":
    main(*sys.argv[1:])
