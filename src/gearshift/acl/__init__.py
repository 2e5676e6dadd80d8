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
    table       all of them, by module
"""
