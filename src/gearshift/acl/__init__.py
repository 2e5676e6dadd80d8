"""What the package `acl` is made of: AscendCL's Python functions on ordinary memory and CPUs.

From the bottom up:

    codes       AscendCL's numbers for what went wrong
    call        how a public function is declared: its arguments, its answer, its code
    handles     ints that stand for objects
    arena       addresses that are ours for as long as the process lives
    reach       copies from and to addresses that are not ours, without a crash
    blocks      the memory that was allocated, and every access to any memory
    contexts    devices, contexts, and which of them a thread works in
    leaving     the end of the process while threads are at work, and forks
    streams     a worker per stream, and events on it

    runtime, memory, events, reports, util, buffers, descs, system    the public functions

    mdl/        models: described (what a model says of itself), models (what is loaded), datasets,
                executions (one run); load, desc, tensors, gears, run, aipp, aipp_info and config
                declare `acl.mdl`
    op/         operators: jobs (what one is told), onnx (each as a small model; maths, shapes and
                strides are their table), cast, calls (one call, now or in its stream); attrs, run
                and card declare `acl.op`
    media/      pictures and video: library (who decodes, encodes and resizes), pictures (as arrays:
                formats, areas, sizes, colour), fields (functions that are all alike, a line for
                each pair), memory, frames and files (what a description says, checked),
                vdec_channel and venc_channel; the others declare `acl.media`

    table       all functions, by module
    package     the modules that programs import
"""
