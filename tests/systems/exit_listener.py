"""The engine's event listener under supervisord: what ends by itself has its positions closed; here, a line says so.

exit_listener.py PROGRAM LOG
"""
import sys

program, log = sys.argv[1:3]
while True:
    print("READY", flush=True)
    header = dict(word.split(":") for word in sys.stdin.readline().split())
    event = dict(word.split(":") for word in sys.stdin.read(int(header["len"])).split())
    if event.get("processname") == program:
        with open(log, "a") as told:
            told.write(f"emergency close: {header['eventname']}\n")
    print("RESULT 2\nOK", end="", flush=True)
