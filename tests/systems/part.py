"""Plays a system as the program of a real manager: what the twin's own supervisor does, in a process of its own.

part.py WATCHKEEPER FOLDER SYSTEM INCIDENT PORT...    (becomes the playing process)
"""
import os
import socket
import sys

program, folder, system, incident = sys.argv[1:5]
ports = sys.argv[5:]

turns = os.path.join(folder, "run", "turns")
turn = int(open(turns).read()) if os.path.exists(turns) else 0
with open(turns, "w") as kept:
    kept.write(str(turn + 1))
with open(os.path.join(folder, "run", system + ".pid"), "w") as kept:
    kept.write(f"{os.getpid()}\n")

listener = socket.socket()
for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
    listener.setsockopt(socket.SOL_SOCKET, option, 1)
listener.bind(("127.0.0.1", int(ports[0])))
listener.listen(64)
lifeline, held = os.pipe()
os.set_inheritable(held, True)  # nobody lets it go: a manager ends the process by a signal
os.dup2(lifeline, 0)
os.dup2(listener.fileno(), 1)
words = [program, "twin", "service", folder, "--system", system, "--scenario", incident, "--seed", "7", "--turn", str(turn)]
os.execv(program, words + [word for port in ports for word in ("--port", port)])
