"""Whole commands: how long each takes from spawn to exit, and how much memory it takes at most.

The time includes the endpoint's own, which is the same for every command that asks it. It does not include a
shell's fork, or the eval of what is printed: see prompts.py for what a shell feels.
"""

import os
import random
import shutil
import subprocess
from statistics import median

import processes

ROUNDS = 60
RSS_ROUNDS = 7

# What a user does without credsh: fetch the answer, print it, extract three fields with jq, export and print them.
BY_HAND = """\
answer=$(curl -s -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" "$AWS_CONTAINER_CREDENTIALS_FULL_URI")
echo "$answer"
id=$(echo "$answer" | jq -r .AccessKeyId)
secret=$(echo "$answer" | jq -r .SecretAccessKey)
token=$(echo "$answer" | jq -r .Token)
export TEMPORARY_AWS_ACCESS_KEY_ID=$id TEMPORARY_AWS_SECRET_ACCESS_KEY=$secret TEMPORARY_AWS_SESSION_TOKEN=$token
echo "export AWS_ACCESS_KEY_ID=$id" && echo "export AWS_SECRET_ACCESS_KEY=$secret" && echo "export AWS_SESSION_TOKEN=$token"
"""


def lease_id(place):
    """The id of the only lease in the place's store."""
    return next((place.runtime / "credsh").glob("*.json")).stem


def table_of(place):
    """Name -> (argv, environment). Also puts a lease into both stores, for the commands that read one."""
    credsh, env = str(place.credsh), {**place.env(), **place.endpoint.env()}
    on_disk = {**env, "XDG_RUNTIME_DIR": str(place.disk)}
    for surroundings in (env, on_disk):
        subprocess.run([credsh, "refresh"], env=surroundings, check=True, stderr=subprocess.DEVNULL)
    held = {**env, "CREDSH_LEASE": lease_id(place)}
    script = place.home / "by-hand.sh"
    script.write_text(BY_HAND)
    curl, bash = shutil.which("curl"), shutil.which("bash")
    header = f"Authorization: {env['AWS_CONTAINER_AUTHORIZATION_TOKEN']}"
    return {
        "`/bin/true`": (["/bin/true"], env),
        "`curl` of the endpoint": ([curl, "-s", "-H", header, place.endpoint.uri], env),
        "by hand: bash, curl, 3 x jq": ([bash, str(script)], env),
        "`credsh refresh --force`": ([credsh, "refresh", "--force"], env),
        "the same, store on disk": ([credsh, "refresh", "--force"], on_disk),
        "`credsh init bash`": ([credsh, "init", "bash"], env),
        "`credsh export`, stored": ([credsh, "export"], held),
        "`credsh prompt`": ([credsh, "prompt"], held),
    }


# Row -> (the row it is compared with, the ratio that it should not exceed).
AIMS = {
    "`credsh refresh --force`": ("`curl` of the endpoint", 1.0),
    "`credsh init bash`": ("`/bin/true`", 2.0),
    "`credsh export`, stored": ("`/bin/true`", 2.0),
}
RSS_AIM = 10
SIZE_AIM = 8


def measure(place):
    """Name -> (median ms, peak RSS MiB). Each round runs all commands once, in a random order."""
    table = table_of(place)
    times = {name: [] for name in table}
    for argv, env in table.values():
        processes.timed(argv, env)
    for _ in range(ROUNDS):
        for name in random.sample(list(table), len(table)):
            times[name].append(processes.timed(*table[name]))
    rss = {name: median(processes.peak_rss(*run) for _ in range(RSS_ROUNDS)) for name, run in table.items()}
    return {name: (median(times[name]), rss[name]) for name in table}


def verdict(good):
    return "met" if good else "**missed**"


def report(place):
    """Prints the table of whole commands."""
    figures = measure(place)
    true, curl = figures["`/bin/true`"][0], figures["`curl` of the endpoint"][0]
    print(f"Whole commands, medians of {ROUNDS}, taking turns\n")
    print("| command | ms | x true | x curl | peak RSS MiB | aim |")
    print("|---|---:|---:|---:|---:|---|")
    for name, (ms, rss) in figures.items():
        aim = ""
        if name in AIMS:
            other, ratio = AIMS[name]
            short = "true" if "true" in other else "curl"
            aim = f"<= {ratio:g} x {short}: {verdict(ms <= ratio * figures[other][0])}"
        print(f"| {name} | {ms:.2f} | {ms / true:.2f} | {ms / curl:.2f} | {rss:.1f} | {aim} |")
    largest = max(rss for name, (_, rss) in figures.items() if "credsh" in name)
    size = os.stat(place.credsh).st_size / 1e6
    print(f"\nlargest RSS of credsh {largest:.1f} MiB (aim: < {RSS_AIM}, {verdict(largest < RSS_AIM)}); "
          f"binary {size:.1f} MB (aim: < {SIZE_AIM}, {verdict(size < SIZE_AIM)})\n")
