"""Hands frames of a camera to a model with dynamic AIPP, another region of each frame.

    aipp.py MODEL.om FRAMES.npy REGIONS.npy yuv|rgb OUT.npy 1,2,3

FRAMES are uint8, NV12 ([N, height * 3 / 2, width]) or RGB ([N, height, width, 3]); REGIONS has the
left and top corner of the region of each, and SIZE of a region is the model's. The numbers at the
end are the batches in which the frames are taken.
"""

import sys

import numpy as np

import acl

YUV420SP_U8, RGB888_U8 = 1, 3
SIDE = 32
MEAN = (104, 117, 123, 0)
LEAST = (0.5, 0.25, 1.5, 0.0)
FACTOR = (0.017125, 0.017507, 0.017429, 1.0)
FULL_RANGE = (256, 0, 359, 256, -88, -183, 256, 454, 0)


def check(ret, what):
    if ret:
        raise SystemExit(f"{what} failed with {ret}: {acl.get_recent_err_msg()}")


def allocated(sizes):
    dataset = acl.mdl.create_dataset()
    pointers = []
    for size in sizes:
        pointer, ret = acl.rt.malloc(size, 0)
        check(ret, "malloc")
        _, ret = acl.mdl.add_dataset_buffer(dataset, acl.create_data_buffer(pointer, size))
        check(ret, "add_dataset_buffer")
        pointers.append(pointer)
    return dataset, pointers


def freed(dataset, pointers):
    for index, pointer in enumerate(pointers):
        check(acl.destroy_data_buffer(acl.mdl.get_dataset_buffer(dataset, index)), "destroy buffer")
        check(acl.rt.free(pointer), "free")
    check(acl.mdl.destroy_dataset(dataset), "destroy_dataset")


def parameters(most, frames, regions, is_yuv):
    """AIPP for the largest batch: rows behind the frames there are get the first region."""
    aipp = acl.mdl.create_aipp(most)
    assert aipp
    height = frames.shape[1] * 2 // 3 if is_yuv else frames.shape[1]
    image_format = YUV420SP_U8 if is_yuv else RGB888_U8
    check(acl.mdl.set_aipp_input_format(aipp, image_format), "set_aipp_input_format")
    check(acl.mdl.set_aipp_src_image_size(aipp, frames.shape[2], height), "set_aipp_src_image_size")
    if is_yuv:
        ret = acl.mdl.set_aipp_csc_params(aipp, 1, *FULL_RANGE, 0, 0, 0, 0, 128, 128)
        check(ret, "set_aipp_csc_params")
    check(acl.mdl.set_aipp_rbuv_swap_switch(aipp, 0), "set_aipp_rbuv_swap_switch")
    for row in range(most):
        left, top = (int(corner) for corner in regions[row if row < len(regions) else 0])
        ret = acl.mdl.set_aipp_crop_params(aipp, 1, left, top, SIDE, SIDE, row)
        check(ret, "set_aipp_crop_params")
        ret = acl.mdl.set_aipp_padding_params(aipp, 0, 0, 0, 0, 0, row)
        check(ret, "set_aipp_padding_params")
        check(acl.mdl.set_aipp_dtc_pixel_mean(aipp, *MEAN, row), "set_aipp_dtc_pixel_mean")
        check(acl.mdl.set_aipp_dtc_pixel_min(aipp, *LEAST, row), "set_aipp_dtc_pixel_min")
        check(acl.mdl.set_aipp_pixel_var_reci(aipp, *FACTOR, row), "set_aipp_pixel_var_reci")
    return aipp


def main():
    model_path, frame_path, region_path, kind, out_path, batches = sys.argv[1:]
    frames, regions = np.load(frame_path), np.load(region_path)
    check(acl.init(), "init")
    check(acl.rt.set_device(0), "set_device")
    model, ret = acl.mdl.load_from_file(model_path)
    check(ret, "load_from_file")
    desc = acl.mdl.create_desc()
    check(acl.mdl.get_desc(desc, model), "get_desc")
    known, ret = acl.mdl.get_dynamic_batch(desc)
    check(ret, "get_dynamic_batch")
    most = max(known["batch"])
    gear_index, ret = acl.mdl.get_input_index_by_name(desc, "ascend_mbatch_shape_data")
    check(ret, "get_input_index_by_name")
    aipp_index, ret = acl.mdl.get_input_index_by_name(desc, "ascend_dynamic_aipp_data")
    check(ret, "get_input_index_by_name")
    kind_of_input, attached, ret = acl.mdl.get_aipp_type(model, 0)
    check(ret, "get_aipp_type")
    assert (kind_of_input, attached) == (2, aipp_index), (kind_of_input, attached)
    data_size, ret = acl.mdl.get_aipp_data_size(most)
    check(ret, "get_aipp_data_size")
    assert data_size == acl.mdl.get_input_size_by_index(desc, aipp_index)

    # Images take what the largest batch of these frames takes, the rest what the model says.
    sizes = [acl.mdl.get_input_size_by_index(desc, i) for i in range(acl.mdl.get_num_inputs(desc))]
    sizes[0] = most * frames[0].nbytes
    inputs, in_pointers = allocated(sizes)
    out_sizes = [
        acl.mdl.get_output_size_by_index(desc, i) for i in range(acl.mdl.get_num_outputs(desc))
    ]
    outputs, out_pointers = allocated(out_sizes)

    results, start = [], 0
    for rows in map(int, batches.split(",")):
        part, corners = frames[start : start + rows], regions[start : start + rows]
        start += rows
        batch = min(size for size in known["batch"] if size >= rows)
        data = part.tobytes()
        pointer = acl.util.bytes_to_ptr(data)
        check(acl.rt.memcpy(in_pointers[0], sizes[0], pointer, len(data), 1), "memcpy to device")
        check(acl.mdl.set_dynamic_batch_size(model, inputs, gear_index, batch), "set batch size")
        aipp = parameters(most, part, corners, kind == "yuv")
        check(acl.mdl.set_input_aipp(model, inputs, aipp_index, aipp), "set_input_aipp")
        check(acl.mdl.destroy_aipp(aipp), "destroy_aipp")
        check(acl.mdl.execute(model, inputs, outputs), "execute")
        dims, ret = acl.mdl.get_cur_output_dims(desc, 0)
        check(ret, "get_cur_output_dims")
        print("batch", batch, dims["dims"])
        host = np.empty(dims["dims"], np.float32)
        pointer = host.__array_interface__["data"][0]
        check(acl.rt.memcpy(pointer, host.nbytes, out_pointers[0], host.nbytes, 2), "memcpy back")
        results.append(host[:rows])
    np.save(out_path, np.concatenate(results))

    freed(inputs, in_pointers)
    freed(outputs, out_pointers)
    check(acl.mdl.destroy_desc(desc), "destroy_desc")
    check(acl.mdl.unload(model), "unload")
    check(acl.rt.reset_device(0), "reset_device")
    check(acl.finalize(), "finalize")


if __name__ == "__main__":
    main()
