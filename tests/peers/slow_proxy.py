"""The proxy of slow-proxy.sh; see there. argv: PORT UPSTREAM CONTROLFILE; SIGUSR1 = read the control file."""
import asyncio, os, random, signal, socket, struct, sys

port, up, control = int(sys.argv[1]), sys.argv[2].rsplit(":", 1), sys.argv[3]
s = dict(mode="pass", delay=0.0, jitter=0.0, bps=0.0, cut=0)
live, server = set(), None


async def pump(r, w, answer):
    loop = asyncio.get_running_loop()
    q = asyncio.Queue(64)  # (due, data): delay without losing throughput

    async def out():
        while (item := await q.get()) is not None:
            due, data = item
            await asyncio.sleep(max(0, due - loop.time()))
            while s["mode"] == "stall":
                await asyncio.sleep(0.02)
            if s["bps"]:
                await asyncio.sleep(len(data) / s["bps"])
            if answer and s["mode"] == "truncate":
                data, s["cut"] = data[: s["cut"]], max(0, s["cut"] - len(data))
                w.write(data)
                await w.drain()
                if not s["cut"]:
                    w.close()
                    r.feed_eof()  # ends the reading side too
                    return
                continue
            w.write(data)
            await w.drain()

    t = asyncio.create_task(out())
    try:
        while not t.done() and (data := await r.read(1024 if s["bps"] else 65536)):
            await q.put((loop.time() + max(0, s["delay"] + random.uniform(-1, 1) * s["jitter"]) / 1000, data))
        if not t.done():
            await q.put(None)
        await t
        if w.can_write_eof():
            w.write_eof()
    except (OSError, asyncio.CancelledError):
        t.cancel()


def abort(w):
    sock = w.get_extra_info("socket")
    try:
        if sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST
    except OSError:
        pass  # closed already
    w.transport.abort()


async def client(r, w):
    live.add(w)
    uw = None
    try:
        if s["mode"] == "reset":
            return abort(w)
        while s["mode"] == "blackhole":
            await asyncio.sleep(0.05)
        ur, uw = await asyncio.open_connection(up[0], int(up[1]))
        live.add(uw)
        a, b = asyncio.create_task(pump(r, uw, False)), asyncio.create_task(pump(ur, w, True))
        await b
        a.cancel()
    except OSError:
        abort(w)
    finally:
        for x in (w, uw):
            live.discard(x)
            if x:
                x.close()


async def apply():
    global server
    for line in open(control):
        k, _, v = line.strip().partition("=")
        if k in s:
            s[k] = v if k == "mode" else int(v) if k == "cut" else float(v)
    if s["mode"] == "reset":
        for w in list(live):
            abort(w)
    if s["mode"] == "refuse" and server:
        server.close()
        server = None
        for w in list(live):
            abort(w)
    elif s["mode"] != "refuse" and not server:
        server = await asyncio.start_server(client, "127.0.0.1", port)
    os.remove(control)


async def main():
    global server
    loop = asyncio.get_running_loop()
    stop = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, lambda: asyncio.create_task(apply()))
    loop.add_signal_handler(signal.SIGTERM, lambda: stop.done() or stop.set_result(0))
    server = await asyncio.start_server(client, "127.0.0.1", port)
    print("ready", flush=True)
    await stop
    os._exit(0)


asyncio.run(main())
