"""Starts programs, and makes sure that they end.

The benchmark makes itself the parent of all orphans among its descendants, so that a renewal that credsh detaches, or
anything else that outlives its shell, can still be waited for, or killed by its id.
"""

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """From here on orphans become children of this process, not of init."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children():
    """The ids of this process's children, adopted ones included."""
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def end_all(patience=2.0):
    """Waits for every child, then kills those that are left, each by its id."""
    until = time.monotonic() + patience
    while children():
        if time.monotonic() > until:
            for pid in children():
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


def timed(argv, env):
    """Runs a program to its end, with its output discarded; returns the wall time in milliseconds."""
    null = os.open(os.devnull, os.O_RDWR)
    try:
        files = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
        begin = time.perf_counter()
        pid = os.posix_spawn(argv[0], argv, env, file_actions=files)
        _, status, _ = os.wait4(pid, 0)
        end = time.perf_counter()
    finally:
        os.close(null)
    if status:
        raise SystemExit(f"bench: {' '.join(argv)} ended with status {status}")
    return (end - begin) * 1000


def peak_rss(argv, env):
    """The largest resident size of a program, or of a child it waited for, in MiB.

    A new process starts with its parent's peak, which execve keeps, and this Python process is large. So a small shell
    starts the program, which waits until that shell has exited; then it is an orphan, and this process waits for it.
    """
    gate, opener = os.pipe()
    waiting = f'{{ read _ <&{gate}; exec "$0" "$@" {gate}<&-; }} >/dev/null 2>&1 </dev/null & echo $!'
    shell = subprocess.run(["/bin/sh", "-c", waiting, *argv], env=env, stdout=subprocess.PIPE, pass_fds=[gate], check=True)
    os.close(gate)
    os.close(opener)
    _, _, usage = os.wait4(int(shell.stdout), 0)
    return usage.ru_maxrss / 1024
