"""Tears memory: takes some, and gives every second page of it back, until it is ended. Only compaction joins what is free then."""
import mmap
import os
import signal
import socket

SIZE, PAGE = 2 << 30, mmap.PAGESIZE

memory = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE)
for at in range(0, SIZE, PAGE):
    memory[at] = 1
for at in range(0, SIZE, 2 * PAGE):
    memory.madvise(mmap.MADV_DONTNEED, at, PAGE)
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.pause()
