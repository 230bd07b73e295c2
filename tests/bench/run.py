#!/usr/bin/env python3
"""The benchmark: what credsh costs, side by side with what people use now. Run by `make bench`.

Measures whole commands (commands.py), and what a hook adds to a prompt and to a shell's start (prompts.py). Everything
runs in one go, taking turns in random order, and is reported as medians, with ratios beside the absolute figures: on a
shared machine only ratios are comparable. Nothing beyond loopback is measured: no AWS and no container, as how long a
distant STS takes is not credsh's doing.

Needs the release binary, Python 3.9, Linux, bash, zsh, fish, curl, jq and strace. Prints Markdown.
"""

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import commands
import processes
import prompts
from endpoint import Endpoint

ROOT = Path(__file__).resolve().parents[2]


class Place:
    """Where it runs: a home, a runtime directory in memory like the one systemd provides, and one on disk."""

    def __init__(self, credsh, directory, memory):
        self.credsh = credsh
        self.endpoint = Endpoint()
        self.home, self.disk, self.memory = directory / "home", directory / "disk", memory
        self.home.mkdir()
        self.disk.mkdir()
        self.runtime = Path(self.new_runtime())

    def new_runtime(self):
        """Makes another runtime directory, with an empty store."""
        return tempfile.mkdtemp(dir=self.memory)

    def env(self):
        """The environment of every program that is measured: of the caller's variables only PATH."""
        path = f"{self.credsh.parent}:{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.runtime), "LANG": "C.UTF-8"}


def check(credsh):
    """Exits with one line if something is missing."""
    missing = [tool for tool in ("bash", "zsh", "fish", "curl", "jq", "strace") if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"bench: please install {', '.join(missing)}")
    if not credsh.exists():
        raise SystemExit("bench: no release binary; run `make bench`")


def main():
    credsh = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "target/dist/credsh"
    check(credsh)
    # After the system's own tools, which are the ones people use.
    os.environ["PATH"] += f":{ROOT / 'target/tools/bin'}"
    processes.adopt_orphans()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory(dir=memory) as runtime:
        place = Place(credsh, Path(directory), runtime)
        try:
            print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
            commands.report(place)
            prompts.report(place)
        finally:
            processes.end_all()


if __name__ == "__main__":
    main()
