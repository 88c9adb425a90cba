"""Plays the flows of a TOML file on a program in a pseudo-terminal and writes what the screen shows.

  shots.py PROGRAM FLOWS.toml [SHOT...]     NAME.txt and NAME.png beside the flows file, for every `shot:NAME`
"""
import fcntl, os, pty, select, shutil, signal, struct, subprocess, sys, tempfile, termios, time, tomllib
import pyte
from render import svg

PATIENCE = 60  # seconds for any one wait


class Screen(pyte.Screen):
    """A pyte screen that answers the terminal's questions (the fence before a prompt is one)."""

    answers = b""

    def write_process_input(self, data):
        self.answers += data.encode()

    def set_margins(self, top=None, bottom=None):
        """CSI r without numbers takes the margins away; pyte 0.8.0 reads its 0 as a number."""
        if not top and bottom is None:
            self.margins = None
        else:
            super().set_margins(top, bottom)


class Player:
    def __init__(self, program, flow, home, folder):
        self.folder = folder
        columns, rows = map(int, flow["size"].split("x"))
        self.screen = Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        environment = dict(PATH=os.environ["PATH"], HOME=home, XDG_CONFIG_HOME=home, XDG_STATE_HOME=home, XDG_RUNTIME_DIR=home,
                           TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8", LC_ALL="C.UTF-8", TZ="UTC")
        environment.update(flow.get("env", {}))
        go, started = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.read(go, 1)  # until the size is set
            os.execvpe(program, [program, *flow.get("args", [])], environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.write(started, b"x")
        os.close(started)
        os.close(go)

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display) + "\n"

    def run(self, seconds, until=lambda: False):
        """Lets it run; true as soon as `until` holds."""
        end = time.monotonic() + seconds
        while not until():
            left = end - time.monotonic()
            if left <= 0:
                return False
            if select.select([self.fd], [], [], min(left, 0.1))[0]:
                try:
                    self.stream.feed(os.read(self.fd, 65536))
                except OSError:
                    raise SystemExit(f"the program ended early; its last screen:\n{self.text()}")
                if self.screen.answers:
                    os.write(self.fd, self.screen.answers)
                    self.screen.answers = b""
        return True

    def shot(self, name):
        base = os.path.join(self.folder, name)
        with open(base + ".txt", "w") as file:
            file.write(self.text())
        picture = subprocess.run(["rsvg-convert"], input=svg(self.screen).encode(), stdout=subprocess.PIPE, check=True)
        with open(base + ".png", "wb") as file:
            file.write(picture.stdout)
        print(f"{base}.png", flush=True)

    def step(self, step):
        verb, _, rest = step.partition(":")
        if verb == "wait":
            if not self.run(PATIENCE, lambda: rest in self.text()):
                raise SystemExit(f"`{rest}` did not come in {PATIENCE} s; the screen:\n{self.text()}")
        elif verb == "gone":
            if not self.run(PATIENCE, lambda: rest not in self.text()):
                raise SystemExit(f"`{rest}` did not go in {PATIENCE} s; the screen:\n{self.text()}")
        elif verb == "send":
            keys = rest.replace("\\r", "\r").replace("\\t", "\t").replace("\\e", "\x1b")
            for key in [keys] if keys.startswith("\x1b") else keys:  # a sequence is one key; words are typed
                os.write(self.fd, key.encode())
                self.run(0.1)
        elif verb == "run":
            self.run(float(rest))
        elif verb == "shot":
            self.run(0.3)  # the frame that is on its way
            self.shot(rest)
        else:
            raise SystemExit(f"unknown step `{step}`")

    def end(self):
        os.kill(self.pid, signal.SIGTERM)
        for _ in range(100):
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                break
            select.select([self.fd], [], [], 0.05)
            try:
                os.read(self.fd, 65536)
            except OSError:
                pass
        else:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def main():
    program, flows, *wanted = sys.argv[1:]
    folder = os.path.dirname(flows) or "."
    with open(flows, "rb") as file:
        flows = tomllib.load(file)["flow"]
    for flow in flows:
        shots = [step[5:] for step in flow["steps"] if step.startswith("shot:")]
        if wanted and not set(wanted) & set(shots):
            continue
        home = tempfile.mkdtemp(prefix="watchkeeper-shots-")
        player = Player(program, flow, home, folder)
        try:
            for step in flow["steps"]:
                player.step(step)
        finally:
            player.end()
            shutil.rmtree(home, ignore_errors=True)


main()
