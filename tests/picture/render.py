#!/usr/bin/env python3
"""Makes credsh.svg, the picture in the README, from a session that really happens.

bash with the hook runs in tmux on a private socket, against doubles of the container endpoint and of STS in this
file; what the pane then shows, colours and all, becomes an SVG. Only the doubles' credentials and the `docker` are
made up: the latter does nothing but tell which of the variables that it was handed have a value. Apart from the
times every run gives the same picture. Needs tmux, bash and a built credsh (or its path as the argument).
"""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COLUMNS, LINES = 84, 18
TOKEN = "picture-token"
LIFE = 12 * 60 + 50

# What is typed, and what must stand on the last line before the next is.
SESSION = [
    ('eval "$(credsh init bash)"', "[cloudshell 12m] $"),
    ("docker run --rm \\", ">"),
    ('  -e AWS_ACCESS_KEY_ID="$TEMPORARY_AWS_ACCESS_KEY_ID" \\', ">"),
    ('  -e AWS_SECRET_ACCESS_KEY="$TEMPORARY_AWS_SECRET_ACCESS_KEY" \\', ">"),
    ('  -e AWS_SESSION_TOKEN="$TEMPORARY_AWS_SESSION_TOKEN" uploader', "[cloudshell 12m] $"),
    ("credsh refresh --role arn:aws:iam::123456789012:role/deploy", "[role:deploy 59m] $"),
    ("credsh status", "[role:deploy 59m] $"),
]

DOCKER = """\
#!/bin/sh
n=0
for word; do case $word in AWS_*=?*) n=$((n + 1)) ;; esac; done
echo "uploader: started with $n AWS variables"
"""


# The doubles

class Double(BaseHTTPRequestHandler):
    """The container endpoint (GET) and STS's AssumeRole (POST), both on one port."""

    def do_GET(self):
        if self.headers.get("Authorization") != TOKEN:
            return self.answer(403, "application/json", '{"message":"Forbidden"}')
        body = f'{{"Type":"","AccessKeyId":"ASIAPICTURE000000001","SecretAccessKey":"made-up","Token":"made-up",' \
               f'"Expiration":"{stamp(LIFE)}","Code":"Success"}}'
        return self.answer(200, "application/json", body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = f"""\
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><AssumedRoleId>AROAPICTURE:picture</AssumedRoleId>
<Arn>arn:aws:sts::123456789012:assumed-role/deploy/picture</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>ASIAPICTURE000000002</AccessKeyId><SecretAccessKey>made-up</SecretAccessKey>
<SessionToken>made-up</SessionToken><Expiration>{stamp(3590)}</Expiration></Credentials>
</AssumeRoleResult><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></AssumeRoleResponse>"""
        return self.answer(200, "text/xml", body)

    def answer(self, status, kind, body):
        self.send_response_only(status)
        for name, value in (("Date", formatdate(usegmt=True)), ("Content-Type", kind), ("Content-Length", len(body))):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def start_double():
    """On CloudShell's own port if it is free, as the lease's id is a digest of the address."""
    for port in (1338, 0):
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), Double)
            break
        except OSError:
            continue
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://localhost:{server.server_port}"


# The session

class Tmux:
    """One pane on a server of its own."""

    def __init__(self, home, env, command):
        self.base = ["tmux", "-S", str(home / "tmux"), "-f", os.devnull]
        self.env = env
        self.run("new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), command)

    def run(self, *words):
        done = subprocess.run([*self.base, *words], env=self.env, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode()

    def last_line(self):
        return (self.run("capture-pane", "-p").rstrip().splitlines() or [""])[-1]

    def wait_for(self, text):
        """Until the last line is that prompt, with nothing typed after it."""
        until = time.monotonic() + 10
        while self.last_line().rstrip() != text:
            if time.monotonic() > until:
                raise SystemExit(f"picture: no {text!r} on the last line:\n{self.run('capture-pane', '-p')}")
            time.sleep(0.05)

    def type(self, line):
        self.run("send-keys", "-l", line)
        self.run("send-keys", "Enter")

    def end(self):
        subprocess.run([*self.base, "kill-server"], env=self.env, check=False)


def play(credsh, home):
    """The pane after the session, with its escape sequences."""
    (home / "bin").mkdir()
    (home / "bin/credsh").symlink_to(credsh)
    (home / "bin/docker").write_text(DOCKER)
    (home / "bin/docker").chmod(0o755)
    (home / "rc").write_text("PS1='$ '\nHISTFILE=\n")
    double = start_double()
    env = {
        "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}",
        "LANG": "C.UTF-8", "TZ": "UTC", "TERM": "xterm-256color",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{double}/latest/meta-data/container/security-credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN, "AWS_ENDPOINT_URL_STS": double,
    }
    # Another shell of the day has taken the lease already; so the hook adopts it with the first prompt.
    subprocess.run([str(credsh), "refresh"], env=env, check=True, stderr=subprocess.DEVNULL)
    tmux = Tmux(home, env, f"{shutil.which('bash')} --noprofile --rcfile {home}/rc -i")
    try:
        tmux.wait_for("$")
        for line, prompt in SESSION:
            tmux.type(line)
            time.sleep(0.2)
            tmux.wait_for(prompt)
        return tmux.run("capture-pane", "-p", "-e")
    finally:
        tmux.end()


# The picture

FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
SIZE, WIDE, HIGH = 14, 8.43, 20
MARGIN, BAR = 18, 36
PLAIN = "#d7dce2"
COLOURS = {31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#76e3ea"}


def runs(line):
    """A line of the pane as (column, text, colour, bold) for each stretch of one look."""
    column, colour, bold = 0, PLAIN, False
    for codes, text in re.findall(r"(?:\x1b\[([\d;]*)m)?([^\x1b]*)", line):
        for code in [int(code or 0) for code in codes.split(";")] if codes else []:
            if code in (0, 39):
                colour = PLAIN
            colour = COLOURS.get(code, colour)
            bold = {0: False, 1: True, 22: False}.get(code, bold)
        if text.strip():
            lead = len(text) - len(text.lstrip())
            yield column + lead, text.strip(), colour, bold
        column += len(text)


def drawn(line, y):
    """A line as SVG: each run in its columns, whatever the width of the font that is there."""
    for column, text, colour, bold in runs(line):
        weight = ' font-weight="bold"' if bold else ""
        yield (f'<text x="{MARGIN + column * WIDE:.2f}" y="{y}" fill="{colour}"{weight} xml:space="preserve" '
               f'textLength="{len(text) * WIDE:.2f}" lengthAdjust="spacingAndGlyphs">{html.escape(text, quote=False)}</text>')


def svg(pane):
    """The pane as a window."""
    lines = pane.rstrip().splitlines()
    width, height = round(2 * MARGIN + COLUMNS * WIDE), BAR + len(lines) * HIGH + MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{FONT}" font-size="{SIZE}" role="img" aria-labelledby="title">',
        "<title id=\"title\">A shell whose prompt shows its AWS credentials' source and time left</title>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="9" fill="#161b22" stroke="#3d444d"/>',
    ]
    out += [f'<circle cx="{MARGIN + 6 + 20 * n}" cy="18" r="6" fill="{colour}"/>'
            for n, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))]
    for number, line in enumerate(lines):
        out += drawn(line, BAR + HIGH * number + 15)
    # The cursor stands one column behind the last prompt.
    column = len(re.sub(r"\x1b\[[\d;]*m", "", lines[-1]).rstrip()) + 1
    out += [f'<rect x="{MARGIN + column * WIDE:.2f}" y="{BAR + HIGH * (len(lines) - 1) + 3}" width="{WIDE:.2f}" height="15" fill="#8b949e"/>']
    return "\n".join([*out, "</svg>", ""])


def main():
    built = [ROOT / "target" / profile / "credsh" for profile in ("release", "debug")]
    credsh = next((path for path in [*map(Path, sys.argv[1:2]), *built] if path.exists()), None)
    if credsh is None or not shutil.which("tmux"):
        raise SystemExit("picture: needs tmux and a built credsh")
    with tempfile.TemporaryDirectory() as home:
        picture = svg(play(credsh.resolve(), Path(home)))
    (HERE / "credsh.svg").write_text(picture)


if __name__ == "__main__":
    main()
