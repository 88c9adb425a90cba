"""A program that no signal ends: it looks at a mount whose other end takes the question and never answers.

usage: unkillable.py FOLDER    (as root; it ends once the file FOLDER/go is there)
"""
import ctypes
import os
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS, PRIVATE = 0x20000, 0x40000 | 0x4000


def check(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


folder = sys.argv[1]
dead = os.path.join(folder, "dead")
os.mkdir(dead)
check(libc.unshare(NEW_MOUNTS))
check(libc.mount(b"none", b"/", None, PRIVATE, None))
fuse = os.open("/dev/fuse", os.O_RDWR)
check(libc.mount(b"dead", dead.encode(), b"fuse", 0, b"fd=%d,rootmode=40000,user_id=0,group_id=0" % fuse))
if os.fork() == 0:
    # The other end: of a session of its own and no child of the program, so that it is not ended with it.
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    for fd in range(3):
        os.close(fd)
    _, _, unique = struct.unpack_from("<IIQ", os.read(fuse, 1 << 20))
    answer = struct.pack("<IIIIHHI40x", 7, 31, 0, 0, 0, 0, 4096)
    os.write(fuse, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)
    os.read(fuse, 1 << 20)
    for _ in range(1200):
        if os.path.exists(os.path.join(folder, "go")):
            break
        time.sleep(0.05)
    os._exit(0)
os.wait()
os.close(fuse)
print("asks", flush=True)
os.stat(dead)
os.listdir(dead)
