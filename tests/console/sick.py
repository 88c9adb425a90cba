"""Starts a program where much is sick: a mount that never answers, and a name service that swallows questions.

usage: sick.py DEAD-FOLDER RESOLV.CONF PROGRAM ARG...    (as root, in a mount namespace of its own)
"""
import ctypes
import os
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
BIND = 4096


def mount(source, target, kind, flags, data):
    if libc.mount(source, target, kind, flags, data):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


dead, resolv = sys.argv[1].encode(), sys.argv[2].encode()
mount(b"none", b"/var/lib", b"tmpfs", 0, None)
mount(resolv, b"/etc/resolv.conf", None, BIND, None)
fuse = os.open("/dev/fuse", os.O_RDWR)
mount(b"dead", dead, b"fuse", 0, b"fd=%d,rootmode=40000,user_id=0,group_id=0" % fuse)
console = os.getpid()
if os.fork() == 0:
    # Holds the other end of the mount, answers nothing, and lets go when the console is gone.
    os.setsid()
    for fd in range(3):
        os.close(fd)
    while os.getppid() == console:
        time.sleep(0.1)
    os._exit(0)
os.close(fuse)
os.execv(sys.argv[3], sys.argv[3:])
