"""What the package `acl` is made of: AscendCL's Python functions on ordinary memory and CPUs.

From the bottom up:

    codes       AscendCL's numbers for what went wrong
    call        how a public function is declared: its arguments, its answer, its code
    handles     ints that stand for objects
    arena       addresses that are ours for as long as the process lives
    reach       copies from and to addresses that are not ours, without a crash
    blocks      the memory that was allocated, and every access to any memory
    contexts    devices, contexts, and which of them a thread works in
    streams     a worker per stream, and events on it

    runtime, memory, events, reports, util, buffers, descs, system    the public functions

    op_attrs    attributes of operators
    op_jobs     what an operator is told: tensors, attributes, and where they fit
    op_onnx     operators as small ONNX models; op_maths, op_shapes, op_strides: their table
    op_cast     from one element type to another
    op_calls    a call of an operator, now and in its stream
    op_run, op_card    the public functions of `acl.op`

    media_library                     the libraries that decode, encode and resize
    pictures                          pictures as arrays: formats, areas, sizes, colour
    media_fields                      functions that are all alike, a line for each pair
    media_memory, media_frames        what a description says, checked; decoded pictures into it
    media_video, media_vdec_channel, media_venc_channel    channels for video
    media_pictures, media_configs, media_channels, media_vpc, media_jpeg, media_png, media_vdec,
        media_venc                    the public functions of `acl.media`

    table       all of them, by module
"""
