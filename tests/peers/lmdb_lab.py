"""LMDB environments written by an implementation that is not ours (py-lmdb). Run by lmdb-lab.sh.

  create PATH [MAPSIZE] [ENTRIES]   an environment (default 1 MiB map, 100 entries in db "main", 10 in db "jobs")
  fill PATH                         writes until MDB_MAP_FULL; prints how many entries fitted
  grow PATH NEWSIZE                 another process sets a bigger map (and commits, so the meta page has it)
  hold PATH [MAPSIZE]               keeps one read transaction open until SIGTERM (a live, slow reader)
  stale PATH                        opens a read transaction and dies by SIGKILL: leaves a stale reader slot
                                    (only while another process has the environment open: the first opener
                                    of an unused environment resets the reader table)
  churn PATH N                      N overwrites while a reader holds: pages cannot be reused, the file grows
  named PATH N                      N more named databases, the i-th with i entries
  big PATH N BYTES                  N values of so many bytes: overflow pages
  scatter PATH N                    deletes N random entries of db "main": free pages
  plain PATH N                      N entries in the main database itself, as a program without named databases has
  append PATH FIRST N               N entries in db "main" behind all others, numbered from FIRST
  stat PATH                         one line of facts as key=value
"""
import os, random, signal, sys
import lmdb

cmd, path = sys.argv[1], sys.argv[2]
arg = [int(a) for a in sys.argv[3:]]


def env(size=0):  # size 0 = what the file says
    return lmdb.open(path, map_size=size, max_dbs=512, subdir=True, sync=False)


if cmd == "create":
    size = arg[0] if arg else 1 << 20
    n = arg[1] if len(arg) > 1 else 100
    e = env(size)
    main, jobs = e.open_db(b"main"), e.open_db(b"jobs")
    with e.begin(write=True) as t:
        for i in range(n):
            t.put(b"key-%06d" % i, b"v" * 100, db=main)
        for i in range(10):
            t.put(b"job-%04d" % i, b"{}", db=jobs)
elif cmd == "fill":
    e = env()
    main = e.open_db(b"main")
    n = 0
    try:
        while True:
            with e.begin(write=True, db=main) as t:
                for _ in range(8):
                    t.put(b"fill-%09d" % n, b"x" * 512)
                    n += 1
    except lmdb.MapFullError as x:
        print(f"filled={n} error={x}")
elif cmd == "grow":
    e = env(arg[0])
    with e.begin(write=True) as t:  # a write makes the new size part of the meta page
        t.put(b"grown", str(arg[0]).encode())
    print(f"map_size={e.info()['map_size']}")
elif cmd == "hold":
    e = env(*arg)
    t = e.begin()
    print("holding", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.pause()
elif cmd == "stale":
    e = env()
    t = e.begin()
    os.kill(os.getpid(), signal.SIGKILL)
elif cmd == "churn":
    e = env()
    main = e.open_db(b"main")
    err = ""
    try:
        for i in range(arg[0]):
            with e.begin(write=True, db=main) as t:
                t.put(b"churn-%02d" % (i % 20), os.urandom(200))
    except lmdb.MapFullError as x:
        err = f" after={i} error={x}"
    print(f"last_pgno={e.info()['last_pgno']}{err}")
elif cmd == "named":
    e = env()
    for i in range(arg[0]):
        db = e.open_db(b"named-%04d" % i)
        with e.begin(write=True, db=db) as t:
            for k in range(i):
                t.put(b"%06d" % k, b"x" * 40)
elif cmd == "big":
    e = env()
    main = e.open_db(b"main")
    for i in range(arg[0]):
        with e.begin(write=True, db=main) as t:
            t.put(b"big-%06d" % i, os.urandom(arg[1]))
elif cmd == "scatter":
    e = env()
    main = e.open_db(b"main")
    with e.begin(write=True, db=main) as t:
        keys = [bytes(k) for k in t.cursor().iternext(values=False)]
        for k in random.Random(7).sample(keys, min(arg[0], len(keys))):
            t.delete(k)
elif cmd == "plain":
    e = env()
    for start in range(0, arg[0], 1000):
        with e.begin(write=True) as t:
            for i in range(start, min(start + 1000, arg[0])):
                t.put(b"plain-%09d" % i, b"x" * 400)
elif cmd == "append":
    e = env()
    main = e.open_db(b"main")
    with e.begin(write=True, db=main) as t:
        for i in range(arg[0], arg[0] + arg[1]):
            t.put(b"z-%09d" % i, b"x" * 400, append=True)
elif cmd == "stat":
    e = lmdb.open(path, map_size=0, max_dbs=8, readonly=True, subdir=True)
    i, s = e.info(), e.stat()
    print(" ".join(f"{k}={v}" for k, v in {**i, "psize": s["psize"], "entries": s["entries"],
          "readers": e.readers().strip().replace("\n", "|").replace(" ", "_")}.items()))
else:
    sys.exit(__doc__)
