"""An interactive shell on a pseudo-terminal, driven as a person would: keys go in, and prompts come out."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time

# Part of every prompt, and of nothing that is typed.
MARK = b"<ready>"
PATIENCE = 30


def take_terminal():
    """Runs in the child: makes the pty that is its stdin its controlling terminal."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A shell, from its spawn on. `argv` may be a tracer followed by the shell."""

    def __init__(self, argv, env):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
        self.argv, self.seen = argv, b""
        self.prompts = 0
        begin = time.perf_counter()
        self.process = subprocess.Popen(argv, env=env, cwd=env["HOME"], stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True, preexec_fn=take_terminal)
        os.close(slave)
        self._until_prompt()
        self.start_up = time.perf_counter() - begin
        self.first = self.seen

    def _until_prompt(self):
        """Reads until another prompt is there. Answers the query that fish 4 sends to its terminal."""
        self.seen = b""
        until = time.monotonic() + PATIENCE
        while MARK not in self.seen:
            if not select.select([self.master], [], [], until - time.monotonic() if until > time.monotonic() else 0)[0]:
                raise SystemExit(f"bench: no prompt from {self.argv}: {self.seen!r}")
            part = os.read(self.master, 65536)
            if b"\x1b[c" in part or b"\x1b[0c" in part:
                os.write(self.master, b"\x1b[?62;22c")
            self.seen += part
        self.prompts += self.seen.count(MARK)

    def drain(self):
        """Discards what the shell writes after its prompt, e.g. to set the terminal's modes."""
        while select.select([self.master], [], [], 0.002)[0]:
            self.prompts += os.read(self.master, 65536).count(MARK)

    def enter(self, line=b":"):
        """Types a line and Enter in one write; returns the seconds until the next prompt."""
        begin = time.perf_counter()
        os.write(self.master, line + b"\r")
        self._until_prompt()
        took = time.perf_counter() - begin
        self.drain()
        return took

    def end(self):
        """Closes the terminal, as closing its window would, and waits for the shell; kills it if it stays."""
        os.close(self.master)
        try:
            self.process.send_signal(signal.SIGHUP)
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
