"""Prompts: what a hook adds to the time from Enter to the next prompt, and to a shell's start.

Real interactive shells on ptys. All configurations of a shell run at once and take turns in random order. Each turn
types `:` and Enter, so that both the check before the command and the one before the prompt run. The figure is the
median minus that of an empty hook function. How much two equal configurations differ shows the noise: see `no hook`.
For comparison there are the cheapest hooks that do part of the work: one bare comparison at the prompt, which the
ratios refer to; another before the command as well; and both with a constant text in the prompt, as long as the
indicator. The lease is fresh, as it nearly always is at a prompt; a renewal is a background process (commands.py).
Start-up is measured with nothing to hold, with a lease inherited from the parent shell, and as the first shell in
CloudShell, whose first prompt starts a renewal.
"""

import random
import re
import shutil
import subprocess
from statistics import median

import processes
from commands import lease_id
from terminal import MARK, Terminal

PROMPTS = 150
STARTS = 30
TRACED = 10

READY = MARK.decode()
PLAIN = {
    "bash": f"PS1='{READY} '\nHISTFILE=\n",
    "zsh": f"PROMPT='{READY} '\n",
    "fish": f"set -g fish_greeting\nfunction fish_prompt; echo -n '{READY} '; end\n",
}
EMPTY = {
    "bash": "empty() { :; }\nPROMPT_COMMAND=empty\n",
    "zsh": "empty() { :; }\nprecmd_functions+=(empty)\n",
    "fish": "function empty --on-event fish_prompt; end\n",
}
# The cheapest way to tell whether something is due.
COMPARE = {
    "bash": "due=99999999999\ncompare() { ((EPOCHSECONDS < due)) || echo due; }\nPROMPT_COMMAND=compare\n",
    "zsh": "zmodload zsh/datetime\ndue=99999999999\ncompare() { ((EPOCHSECONDS < due)) || echo due; }\nprecmd_functions+=(compare)\n",
    "fish": "touch -d @0 ~/clock\nset -g due 99999999999\n"
            "function compare --on-event fish_prompt; test (path mtime -R -- ~/clock) -lt $due; or echo due; end\n",
}
# The same before the command too: a check at the prompt cannot know how long the user will idle there.
TWICE = {
    "bash": "nil=\nPS0='${nil:EPOCHSECONDS>=due?1:0}'\n",
    "zsh": "preexec_functions+=(compare)\n",
    "fish": "function again --on-event fish_preexec; test (path mtime -R -- ~/clock) -lt $due; or echo due; end\n",
}
# The cost of an indicator that never changes: the shell has to draw it.
TEXT = {
    "bash": f"PS1='\\[\\e[32m\\][cloudshell 59m] \\[\\e[0m\\]{READY} '\n",
    "zsh": f"PROMPT='%F{{green}}[cloudshell 59m]%f {READY} '\n",
    "fish": f"set -g text (set_color green)'[cloudshell 59m]'(set_color normal)\nfunction fish_prompt; echo -n \"$text {READY} \"; end\n",
}


def evaluated(shell, command):
    """The line of a start-up file that evaluates a command's output."""
    return f"{command} | source\n" if shell == "fish" else f'eval "$({command})"\n'


def hook_of(shell, tool):
    """The line that installs a tool's hook."""
    verb = "hook" if tool == "direnv" else "init"
    return evaluated(shell, f"{tool} {verb} {shell}")


def configurations(shell):
    """Name -> start-up file."""
    plain = PLAIN[shell]
    table = {
        "no hook": plain,
        "empty hook": plain + EMPTY[shell],
        "bare comparison": plain + COMPARE[shell],
        "the same twice": plain + COMPARE[shell] + TWICE[shell],
        "twice, and a text": plain + COMPARE[shell] + TWICE[shell] + TEXT[shell],
        "credsh": plain + hook_of(shell, "credsh"),
    }
    others = [tool for tool in ("direnv", "zoxide", "starship") if shutil.which(tool)]
    return {**table, **{label(tool): plain + hook_of(shell, tool) for tool in others}}


def label(tool):
    """A tool's name, marked if it is the one that tests/setup.sh built: a debug build, slower than what people use."""
    return f"{tool} (debug build)" if "target/tools" in shutil.which(tool) else tool


def start(shell, rc, env, home, tracer=()):
    """Starts a shell with one start-up file and a home of its own."""
    # Otherwise fish would generate these: seconds of work in the background, while something else is measured.
    (home / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
    env = {**env, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "ZDOTDIR": str(home), "TERM": "xterm-256color"}
    config = home / "starship.toml"
    config.write_text(f'format = "$directory$character{READY} "\nadd_newline = false\n')
    env["STARSHIP_CONFIG"] = str(config)
    path = {"bash": home / "bashrc", "zsh": home / ".zshrc", "fish": home / "fish" / "config.fish"}[shell]
    path.parent.mkdir(exist_ok=True)
    path.write_text(rc)
    argv = {
        "bash": ["bash", "--noprofile", "--rcfile", str(path), "-i"],
        "zsh": ["zsh", "-d", "-i"],
        "fish": ["fish", "-i", "--private"],
    }[shell]
    return Terminal([*tracer, shutil.which(argv[0]), *argv[1:]], env)


def held(place):
    """The environment of a shell whose parent holds a fresh lease."""
    return {**place.env(), **place.endpoint.env(), "CREDSH_LEASE": lease_id(place)}


def prompt_times(shell, place):
    """Name -> median seconds from Enter to prompt."""
    shells = {}
    try:
        for name, rc in configurations(shell).items():
            shells[name] = start(shell, rc, held(place), place.home / f"{shell}-{name}".replace(" ", "-"))
        if b"cloudshell" not in shells["credsh"].first:
            raise SystemExit(f"bench: {shell} did not adopt the lease: {shells['credsh'].first!r}")
        times = {name: [] for name in shells}
        for turn in range(PROMPTS + 5):
            for name in random.sample(list(shells), len(shells)):
                took = shells[name].enter()
                if turn >= 5:  # the first few load whatever the shell loads lazily
                    times[name].append(took)
        for name, terminal in shells.items():
            if terminal.prompts != PROMPTS + 6:
                raise SystemExit(f"bench: {shell}, {name}: {terminal.prompts} prompts seen, {PROMPTS + 6} expected")
        return {name: median(all_of) for name, all_of in times.items()}
    finally:
        for terminal in shells.values():
            terminal.end()


def traced(shell, name, rc, prompts, place):
    """The forks and successful execs in a shell's whole life with this many prompts. Threads do not count as forks."""
    log = place.home / "trace"
    tracer = [shutil.which("strace"), "-f", "-qq", "-e", "trace=clone,clone3,fork,vfork,execve", "-e", "signal=none",
              "-o", str(log)]
    terminal = start(shell, rc, held(place), place.home / f"{shell}-{name}".replace(" ", "-"), tracer)
    for _ in range(prompts):
        terminal.enter()
    terminal.end()
    lines = [line for line in log.read_text(errors="replace").splitlines() if "resumed>" not in line]
    forks = sum(1 for line in lines if re.search(r" (clone3?|v?fork)\(", line) and "CLONE_THREAD" not in line)
    execs = sum(1 for line in lines if " execve(" in line and "= -1" not in line)
    return forks, execs


def processes_per_prompt(shell, place):
    """Name -> (forks, execs) per prompt: those of a life with many prompts minus those of one with few."""
    counts = {}
    for name, rc in configurations(shell).items():
        few = traced(shell, name, rc, 2, place)
        many = traced(shell, name, rc, 2 + TRACED, place)
        counts[name] = tuple((b - a) / TRACED for a, b in zip(few, many))
    return counts


def start_ups(shell, place):
    """Name -> median seconds from spawn to the first prompt."""
    plain, hooked = PLAIN[shell], PLAIN[shell] + hook_of(shell, "credsh")
    cases = {
        "empty": (plain, place.env()),
        "no source": (hooked, place.env()),
        "lease inherited": (hooked, held(place)),
        "first in CloudShell": (hooked, {**place.env(), **place.endpoint.env()}),
    }
    times = {name: [] for name in cases}
    for turn in range(STARTS + 1):
        for name in random.sample(list(cases), len(cases)):
            rc, env = cases[name]
            if name == "first in CloudShell":
                env = {**env, "XDG_RUNTIME_DIR": place.new_runtime()}
            terminal = start(shell, rc, env, place.home / f"{shell}-start")
            terminal.end()
            processes.end_all()
            if turn:
                times[name].append(terminal.start_up)
    return {name: median(all_of) for name, all_of in times.items()}


def report(place):
    """Prints both tables."""
    shells = [shell for shell in PLAIN if shutil.which(shell)]
    print(f"Prompts: microseconds over an empty hook, medians of {PROMPTS} taking turns; forks/execs per prompt\n")
    prompt_table(shells, place)
    print(f"\nStart-up: spawn to first prompt, medians of {STARTS} taking turns; ms more than the empty start-up file\n")
    start_table(shells, place)


def prompt_table(shells, place):
    columns, counts = {}, {}
    for shell in shells:
        columns[shell] = prompt_times(shell, place)
        counts[shell] = processes_per_prompt(shell, place)
    print("| hook | " + " | ".join(f"{shell} us | x bare | forks/execs" for shell in shells) + " |")
    print("|---|" + "---:|---:|---:|" * len(shells))
    for name in columns[shells[0]]:
        cells = []
        for shell in shells:
            times = columns[shell]
            extra, bare = ((times[key] - times["empty hook"]) * 1e6 for key in (name, "bare comparison"))
            # No ratio to a comparison that is lost in the noise.
            ratio = f"{extra / bare:.1f}" if bare >= 5 and name not in ("no hook", "empty hook") else ""
            shown = f"({times[name] * 1e6:.0f})" if name == "empty hook" else f"{extra:+.0f}"
            cells.append(f"{shown} | {ratio} | {counts[shell][name][0]:g}/{counts[shell][name][1]:g}")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("\nIn brackets the whole time with the empty hook.")


def start_table(shells, place):
    print("| shell | empty ms | no source | lease inherited | first in CloudShell | script bytes |")
    print("|---|---:|---:|---:|---:|---:|")
    for shell in shells:
        times = start_ups(shell, place)
        script = subprocess.run([str(place.credsh), "init", shell], env=place.env(), check=True, stdout=subprocess.PIPE).stdout
        extra = " | ".join(f"{(times[name] - times['empty']) * 1e3:+.1f}" for name in list(times)[1:])
        print(f"| {shell} | {times['empty'] * 1e3:.1f} | {extra} | {len(script)} |")
