"""Planar as far as its data goes, with an LMDB that is not ours: planar_bot.py FOLDER

As Planar does it sets its map at each start: 64 MiB, what the strategy's file asks for, or what is in use. Where LMDB is
turned off it keeps plain files.
"""
import os
import socket
import sys
import time
import tomllib

folder = sys.argv[1]
CHUNK = b"\x5a" * 16_000
HISTORY = 3_300  # chunks: 54 MiB of the 64
RING = 8  # of them are written anew all the time


def setting(path, *keys):
    with open(os.path.join(folder, path), "rb") as file:
        table = tomllib.load(file)
    for key in keys:
        table = table.get(key, {})
    return table


def key(number):
    return b"binance/BTC_USDT/ohlcv/tf_1m/%d.0" % number


def in_lmdb():
    import lmdb

    data = os.path.join(folder, "data/lmdb")
    os.makedirs(data, exist_ok=True)
    file = os.path.join(data, "data.mdb")
    used = os.path.getsize(file) if os.path.exists(file) else 0
    env = lmdb.open(data, map_size=max(64 << 20, setting("user/map.toml", "map_mb") << 20, used), max_readers=126)

    def save(numbers):
        with env.begin(write=True) as transaction:
            for number in numbers:
                transaction.put(key(number), CHUNK)

    if env.stat()["entries"] < HISTORY:
        save(range(HISTORY))
    for _ in range(10):  # from then on freed pages are enough
        save(range(RING))
    return lambda: save(range(RING))


def in_files():
    store = os.path.join(folder, "data/store")
    os.makedirs(store, exist_ok=True)

    def save():
        with open(os.path.join(store, "0.0"), "wb") as file:
            file.write(CHUNK)

    return save


logs = os.path.join(folder, "user/strategies/MyStrategy/logs")
os.makedirs(logs, exist_ok=True)
with open(os.path.join(logs, "events.log"), "a") as log:
    print("INFO started", file=log)
    debugged = os.environ.get("JULIA_DEBUG")
    if debugged:
        print(f"┌ Debug: signal of {debugged}\n└ @ {debugged} strategies/{debugged}.jl:57", file=log)
wanted = setting("user/strategies/MyStrategy/Project.toml", "preferences", "Data", "data_store")
save = in_lmdb() if wanted == "lmdb" else in_files()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    save()
    time.sleep(0.5)
