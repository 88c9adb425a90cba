"""Tears memory: takes some, and gives every second page of it back, until it is ended. Only compaction joins what is free then."""
import mmap
import os
import signal
import socket

SIZE, PAGE = 2 << 30, mmap.PAGESIZE
# The larger it is, the fewer pages a CPU keeps for itself: those are no blocks that could be joined.
KEPT = "/proc/sys/vm/percpu_pagelist_high_fraction"
# The kernel joins some by itself.
UNASKED = "/proc/sys/vm/compaction_proactiveness"


def set_to(switch, value):
    with open(switch) as file:
        usual = file.read()
    with open(switch, "w") as file:
        file.write(value)
    return usual


signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
unasked = set_to(UNASKED, "0")
kept = set_to(KEPT, "1000")
memory = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE)
for at in range(0, SIZE, PAGE):
    memory[at] = 1
for at in range(0, SIZE, 2 * PAGE):
    memory.madvise(mmap.MADV_DONTNEED, at, PAGE)
set_to(KEPT, kept)
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.sigwait([signal.SIGTERM])
set_to(UNASKED, unasked)
