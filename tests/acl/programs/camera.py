"""Decodes a film, and classifies its frames two at a time.

    camera.py MODEL.om OUT_FOLDER PACKETS.npz WIDTH HEIGHT

PACKETS has the coded frames of H.264, one array of bytes each, in the order of their names. A
thread for reports takes the decoded frames and queues them; the main thread resizes them, runs the
model, and writes every frame as a JPEG.
"""

import os
import queue
import sys

import numpy as np

import acl

H264_MAIN_LEVEL = 2
YUV420SP = 1
TO_DEVICE, TO_HOST, WITHIN_DEVICE = 1, 2, 3
WAIT_MS = 30
BATCH = 2


def check(what, ret):
    if ret is not None and ret != 0:
        raise Exception(f"{what} failed, ret={ret}")


class VideoDecoder:
    def __init__(self, context, width, height):
        self.context = context
        self.size = width * height * 3 // 2
        self.frames = queue.Queue()
        self.running = True
        self.thread, ret = acl.util.start_thread(self._take_reports, [WAIT_MS])
        check("start_thread", ret)
        self.channel = acl.media.vdec_create_channel_desc()
        check("channel_id", acl.media.vdec_set_channel_desc_channel_id(self.channel, 7))
        check("thread_id", acl.media.vdec_set_channel_desc_thread_id(self.channel, self.thread))
        check("callback", acl.media.vdec_set_channel_desc_callback(self.channel, self._decoded))
        check("entype", acl.media.vdec_set_channel_desc_entype(self.channel, H264_MAIN_LEVEL))
        check("format", acl.media.vdec_set_channel_desc_out_pic_format(self.channel, YUV420SP))
        mode = acl.media.vdec_get_channel_desc_out_mode(self.channel)
        check("out_mode", 0 if mode == 0 else mode)
        check("vdec_create_channel", acl.media.vdec_create_channel(self.channel))
        self.config = acl.media.vdec_create_frame_config()

    def _take_reports(self, args):
        check("set_context", acl.rt.set_context(self.context))
        while self.running:
            acl.rt.process_report(args[0])

    def _decoded(self, stream_desc, picture_desc, user_data):
        """In the thread for reports. The memory of the frame goes to whoever takes it."""
        acl.media.dvpp_free(acl.media.dvpp_get_stream_desc_data(stream_desc))
        check("destroy_stream_desc", acl.media.dvpp_destroy_stream_desc(stream_desc))
        code = acl.media.dvpp_get_pic_desc_ret_code(picture_desc)
        address = acl.media.dvpp_get_pic_desc_data(picture_desc)
        assert acl.media.dvpp_get_pic_desc_size(picture_desc) == self.size
        check("destroy_pic_desc", acl.media.dvpp_destroy_pic_desc(picture_desc))
        self.frames.put((user_data["number"], code, address))

    def send(self, number, packet):
        size = packet.size
        address, ret = acl.media.dvpp_malloc(size)
        check("dvpp_malloc", ret)
        data = packet.tobytes()
        check("memcpy", acl.rt.memcpy(address, size, acl.util.bytes_to_ptr(data), size, TO_DEVICE))
        stream_desc = acl.media.dvpp_create_stream_desc()
        check("data", acl.media.dvpp_set_stream_desc_data(stream_desc, address))
        check("size", acl.media.dvpp_set_stream_desc_size(stream_desc, size))
        out, ret = acl.media.dvpp_malloc(self.size)
        check("dvpp_malloc", ret)
        picture_desc = acl.media.dvpp_create_pic_desc()
        acl.media.dvpp_set_pic_desc_data(picture_desc, out)
        acl.media.dvpp_set_pic_desc_size(picture_desc, self.size)
        acl.media.dvpp_set_pic_desc_format(picture_desc, YUV420SP)
        user_data = {"number": number}
        ret = acl.media.vdec_send_frame(
            self.channel, stream_desc, picture_desc, self.config, user_data
        )
        check("vdec_send_frame", ret)

    def finish(self):
        """Ends the stream; the channel waits for the last frame."""
        end = acl.media.dvpp_create_stream_desc()
        acl.media.dvpp_set_stream_desc_eos(end, 1)
        check("vdec_send_frame", acl.media.vdec_send_frame(self.channel, end, 0, self.config, None))
        check("destroy_stream_desc", acl.media.dvpp_destroy_stream_desc(end))
        check("vdec_destroy_channel", acl.media.vdec_destroy_channel(self.channel))
        acl.media.vdec_destroy_channel_desc(self.channel)
        acl.media.vdec_destroy_frame_config(self.config)
        self.running = False
        check("stop_thread", acl.util.stop_thread(self.thread))


class Pictures:
    """Resizing, and JPEG files."""

    def __init__(self, stream):
        self.stream = stream
        self.channel = acl.media.dvpp_create_channel_desc()
        check("dvpp_create_channel", acl.media.dvpp_create_channel(self.channel))
        self.resizing = acl.media.dvpp_create_resize_config()
        self.coding = acl.media.dvpp_create_jpege_config()
        check("level", acl.media.dvpp_set_jpege_config_level(self.coding, 100))

    def describe(self, address, width, height):
        desc = acl.media.dvpp_create_pic_desc()
        acl.media.dvpp_set_pic_desc_data(desc, address)
        acl.media.dvpp_set_pic_desc_size(desc, width * height * 3 // 2)
        acl.media.dvpp_set_pic_desc_format(desc, YUV420SP)
        acl.media.dvpp_set_pic_desc_width(desc, width)
        acl.media.dvpp_set_pic_desc_height(desc, height)
        acl.media.dvpp_set_pic_desc_width_stride(desc, width)
        acl.media.dvpp_set_pic_desc_height_stride(desc, height)
        return desc

    def resize(self, source, target):
        ret = acl.media.dvpp_vpc_resize_async(
            self.channel, source, target, self.resizing, self.stream
        )
        check("dvpp_vpc_resize_async", ret)
        check("synchronize_stream", acl.rt.synchronize_stream(self.stream))

    def jpeg(self, source):
        room, ret = acl.media.dvpp_jpeg_predict_enc_size(source, self.coding)
        check("dvpp_jpeg_predict_enc_size", ret)
        address, ret = acl.media.dvpp_malloc(room)
        check("dvpp_malloc", ret)
        size = np.array([room], dtype=np.int32)
        size_pointer = acl.util.numpy_to_ptr(size)
        ret = acl.media.dvpp_jpeg_encode_async(
            self.channel, source, address, size_pointer, self.coding, self.stream
        )
        check("dvpp_jpeg_encode_async", ret)
        check("synchronize_stream", acl.rt.synchronize_stream(self.stream))
        data = np.zeros(int(size[0]), np.byte)
        ret = acl.rt.memcpy(acl.util.numpy_to_ptr(data), data.size, address, data.size, TO_HOST)
        check("memcpy", ret)
        acl.media.dvpp_free(address)
        return data.tobytes()

    def close(self):
        acl.media.dvpp_destroy_jpege_config(self.coding)
        acl.media.dvpp_destroy_resize_config(self.resizing)
        check("dvpp_destroy_channel", acl.media.dvpp_destroy_channel(self.channel))
        check("dvpp_destroy_channel_desc", acl.media.dvpp_destroy_channel_desc(self.channel))


class Model:
    """The input lies in memory of DVPP, so that pictures are resized right into it."""

    def __init__(self, path):
        self.id, ret = acl.mdl.load_from_file(path)
        check("load_from_file", ret)
        self.desc = acl.mdl.create_desc()
        check("get_desc", acl.mdl.get_desc(self.desc, self.id))
        dims, ret = acl.mdl.get_input_dims(self.desc, 0)
        check("get_input_dims", ret)
        self.height, self.width = dims["dims"][1:3]
        self.frame_size = self.height * self.width * 3 // 2
        self.frames, ret = acl.media.dvpp_malloc(BATCH * self.frame_size)
        check("dvpp_malloc", ret)
        gear_size = acl.mdl.get_input_size_by_index(self.desc, 1)
        self.gear, ret = acl.rt.malloc(gear_size, 2)
        check("malloc", ret)
        self.inputs = self._dataset(
            [(self.frames, BATCH * self.frame_size), (self.gear, gear_size)]
        )
        self.results = []
        for index in range(acl.mdl.get_num_outputs(self.desc)):
            size = acl.mdl.get_output_size_by_index(self.desc, index)
            address, ret = acl.rt.malloc(size, 2)
            check("malloc", ret)
            self.results.append((address, size))
        self.outputs = self._dataset(self.results)

    def _dataset(self, pieces):
        dataset = acl.mdl.create_dataset()
        for address, size in pieces:
            _, ret = acl.mdl.add_dataset_buffer(dataset, acl.create_data_buffer(address, size))
            check("add_dataset_buffer", ret)
        return dataset

    def run(self, stream, count):
        ret = acl.mdl.set_dynamic_batch_size(self.id, self.inputs, 1, count)
        check("set_dynamic_batch_size", ret)
        check("execute", acl.mdl.execute_async(self.id, self.inputs, self.outputs, stream))
        check("synchronize_stream", acl.rt.synchronize_stream(stream))
        dims, ret = acl.mdl.get_cur_output_dims(self.desc, 0)
        check("get_cur_output_dims", ret)
        return acl.util.ptr_to_numpy(self.results[0][0], tuple(dims["dims"]), 11).copy()

    def close(self):
        check("unload", acl.mdl.unload(self.id))
        for dataset in (self.inputs, self.outputs):
            for index in range(acl.mdl.get_dataset_num_buffers(dataset)):
                acl.destroy_data_buffer(acl.mdl.get_dataset_buffer(dataset, index))
            check("destroy_dataset", acl.mdl.destroy_dataset(dataset))
        acl.media.dvpp_free(self.frames)
        for address in (self.gear, *(each for each, _ in self.results)):
            check("free", acl.rt.free(address))
        check("destroy_desc", acl.mdl.destroy_desc(self.desc))


def main(model_path, folder, packet_path, width, height):
    width, height = int(width), int(height)
    check("init", acl.init())
    check("set_device", acl.rt.set_device(0))
    context, ret = acl.rt.get_context()
    check("get_context", ret)
    stream, ret = acl.rt.create_stream()
    check("create_stream", ret)
    model, pictures = Model(model_path), Pictures(stream)
    decoder = VideoDecoder(context, width, height)
    packets = np.load(packet_path)
    for number, name in enumerate(sorted(packets.files)):
        decoder.send(number, packets[name])
    decoder.finish()
    taken = [decoder.frames.get() for _ in packets.files]
    assert all(code == 0 for _, code, _ in taken)
    print("frames in the order", [number for number, _, _ in taken])
    scores = []
    for start in range(0, len(taken), BATCH):
        part = taken[start : start + BATCH]
        for place, (_, _, address) in enumerate(part):
            frame = pictures.describe(address, width, height)
            into = model.frames + place * model.frame_size
            resized = pictures.describe(into, model.width, model.height)
            pictures.resize(frame, resized)
            name = os.path.join(folder, f"frame{start + place}.jpg")
            with open(name, "wb") as file:
                file.write(pictures.jpeg(frame))
            acl.media.dvpp_destroy_pic_desc(frame)
            acl.media.dvpp_destroy_pic_desc(resized)
            acl.media.dvpp_free(address)
        frames = acl.util.ptr_to_bytes(model.frames, len(part) * model.frame_size)
        with open(os.path.join(folder, "nv12.bin"), "ab") as file:
            file.write(frames)
        scores.append(model.run(stream, len(part)))
    np.save(os.path.join(folder, "scores.npy"), np.concatenate(scores))
    pictures.close()
    model.close()
    check("destroy_stream", acl.rt.destroy_stream(stream))
    check("reset_device", acl.rt.reset_device(0))
    check("finalize", acl.finalize())


if __name__ == "__main__":
    main(*sys.argv[1:])
