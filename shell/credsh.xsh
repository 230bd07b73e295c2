# credsh: keeps temporary AWS credentials fresh in this shell. xonsh (0.25); all of it is plain Python.
#
# All policy lives in the program; this only compares Python's clock with numbers it computed. While nothing is due, that is
# one comparison at the prompt and one before a command: no process, no file.
# The program's answers and the lease's file are JSON: the name of a method and its arguments, read as data.


def __credsh_start(*words):
    """EXE PREFIX SIDE TIME STORE LEASE [SELECTOR...]: from `credsh init`."""
    import json
    import os
    import re
    import stat
    import subprocess
    import sys
    import time

    from xonsh.built_ins import XSH
    from xonsh.events import events

    # Does nothing, silently, in a shell that is not interactive.
    if not XSH.env.get("XONSH_INTERACTIVE"):
        return

    never = 99999999999  # A time that does not come: eleven nines (time.rs, NEVER).
    keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]
    profiles = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]
    env = XSH.env

    def put(name, value):
        """Sets a variable, or removes it if `value` is empty."""
        if value:
            env[name] = value
        elif name in env:
            del env[name]

    def say(text):
        print(f"credsh: {text}", file=sys.stderr)

    class Hook:
        def __init__(self):
            # The two checks: while nothing is due, only the comparison.
            self.at_prompt = lambda **_: (self.over(self.tick) and self.cold("prompt"), self.place())
            self.at_command = lambda **_: self.over(self.due) and self.cold("exec")
            self.args = []
            self.hold_nothing()

        def hold_nothing(self):
            self.lease = self.label = self.key = self.said = self.text = self.until = ""
            self.aside = {}
            self.exp = self.window = self.must = self.due = never
            self.tick = self.asked = self.low = 0

        def adopt(self, lease, label, key, secret, token, expiration, exp, window, must, due, message, until, zone, low="0", *_):
            """The program's answer. Times are epoch seconds; anything but digits is refused."""
            if not all(re.fullmatch("[0-9]{1,11}", time) for time in (exp, window, must, due, low)):
                return
            # New credentials end the failure last reported: if it recurs, it is reported again.
            if key != self.key:
                self.said = ""
            self.lease, self.label, self.key = lease, label, key
            # The same `due` is the same lease read again: the renewal asked for is still under way.
            if int(due) != self.due:
                self.asked = 0
            self.exp, self.window, self.must, self.due = int(exp), int(window), int(must), int(due)
            self.tick, self.low = 0, int(low)
            # `until` is `exp` as a time of day in `zone`: of no use under another TZ.
            self.until = until if zone == (f"={env['TZ']}" if "TZ" in env else "") else ""
            for name, value in zip(keys, (key, secret, token, expiration)):
                put(self.prefix + name, value)
            put("CREDSH_SOURCE", label)
            put("CREDSH_LEASE", lease)
            if not self.prefix:
                # Standard names: botocore prefers AWS_SECURITY_TOKEN to AWS_SESSION_TOKEN, other SDKs AWS_PROFILE to keys.
                self.aside.update({name: env[name] for name in profiles if name in env})
                for name in ["AWS_SECURITY_TOKEN", *profiles]:
                    put(name, "")
            if message not in ("", self.said):
                self.said = message
                say(message)

        def defer(self, until):
            """No answer: ask again at `until`, ten seconds from now. A clock more than 15 s before that (5 s are slack) was
            set back."""
            self.tick = 0
            if re.fullmatch("[0-9]{1,11}", until):
                self.due, self.low = int(until), int(until) - 15

        def heard(self, message):
            """The program has printed this message itself; the lease's file may repeat it."""
            self.said = message

        def move(self, store):
            """The old store is gone or refused; this is the one to use now."""
            self.store = store

        def repeat(self, *args):
            """With --no-store only the shell remembers what to ask for again."""
            self.args = list(args)

        def drop(self):
            """No lease any more: after `credsh clear`, or because the store lost it."""
            for name in [*(self.prefix + name for name in keys), "CREDSH_SOURCE", "CREDSH_LEASE", "CREDSH_PROMPT"]:
                put(name, "")
            # The profile set aside for the standard names comes back, unless another was set since.
            for name, value in self.aside.items():
                if name not in env:
                    env[name] = value
            self.hold_nothing()

        def obey(self, answer):
            """Does what the lines of an answer say; false if this is not one."""
            if not answer.startswith('["__credsh_'):
                return False
            known = [self.adopt, self.defer, self.drop, self.heard, self.move, self.repeat]
            known = {f"__credsh_{method.__name__}": method for method in known}
            for name, *args in map(json.loads, answer.splitlines()):
                # A lease's file may come from another version of the program.
                if name in known:
                    known[name](*args)
            return True

        def load(self):
            """Adopts what a renewal by this shell or another left in the store, without a process. The owner is checked
            again, as somebody else may have created the store since `init` checked, and a symlink of theirs could name
            any file of the user's."""
            try:
                file = os.open(os.path.join(self.store, f"{self.lease}.words"), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                with os.fdopen(file, encoding="utf-8") as file:
                    about = os.fstat(file.fileno())
                    if stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & 0o077:
                        self.obey(file.read())
            except (OSError, TypeError, ValueError):
                pass

        @property
        def run(self):
            """The program, told which store is this shell's."""
            return [self.exe, f"--store={self.store}"]

        def surroundings(self):
            """The program's environment. Under the standard names it is the one from before the lease: otherwise the keys
            set here would pass for a source once the store has lost the lease, and a role would lose its base profile."""
            vars = dict(env.detype())
            if not self.prefix and self.label and vars.get("AWS_ACCESS_KEY_ID") == self.key:
                for name in keys:
                    vars.pop(name, None)
                # xonsh keeps a value that looks like a number as a number.
                vars = {**{name: str(value) for name, value in self.aside.items()}, **vars}
            return vars

        def program(self, *words, **streams):
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "encoding": "utf-8", **streams}
            words = [*self.run, *words]
            return subprocess.run(words, env=self.surroundings(), **streams)

        def hook(self, *words, **streams):
            return self.program("hook", "--shell=xonsh", f"--lease={self.lease}", *words, *self.args, **streams)

        def wait(self, now):
            """Renews, waiting for at most CREDSH_WAIT seconds (3). Ctrl-C ends the wait, so the pause is set first, or each
            later command would be held up again."""
            self.defer(str(now + 10))
            try:
                self.obey(self.hook("--wait", f"--said={self.said}").stdout)
            except KeyboardInterrupt:
                pass
            except OSError:
                say(f"cannot run {self.exe}")

        def over(self, when):
            """Whether `when` has come; or the clock was set back below `low`, which leaves open what is due."""
            return not self.low <= time.time() < when

        def cold(self, at):
            """Something is due, or the indicator's text is out of date."""
            now = int(time.time())
            if self.over(self.due):
                self.load()
                if not self.over(self.due):
                    pass
                elif at == "exec" and self.over(self.must):
                    self.wait(now)
                elif not self.asked <= now < self.asked + 5:
                    # The program detaches itself, so no job is reported. Not run again for five seconds; a slower one holds
                    # a lock.
                    self.asked = now
                    try:
                        self.obey(self.hook(stderr=subprocess.DEVNULL).stdout)
                    except OSError:
                        pass
            self.draw()

        def draw(self):
            """Sets the indicator's text, and `tick` to when that next changes. The rule is prompt.rs's."""
            now = int(time.time())
            left, shown, color = self.exp - now, "", "GREEN"
            self.text, self.tick = "", self.due
            if not self.label:
                return
            if self.exp >= never:
                pass
            elif left <= 0:
                shown, color = " expired", "RED"
            else:
                if self.when == "until" and self.until and left < 64800:
                    shown, tick = f" until {self.until}", self.exp
                elif left < 120:
                    shown, tick = f" {left}s", now + 1
                elif left <= 5400:
                    shown, tick = f" {left // 60}m", self.exp - left // 60 * 60 + 1
                else:
                    shown = f" {left // 3600}h"
                    tick = self.exp - (5400 if left < 7200 else left // 3600 * 3600 - 1)
                if now >= self.window:
                    color = "YELLOW"
                else:
                    tick = min(tick, self.window)
                self.tick = min(tick, self.due)
            env["CREDSH_PROMPT"] = self.label + shown
            self.text = f"[{self.label}{shown}]"
            if not env.get("NO_COLOR") and env.get("TERM") != "dumb":
                self.text = f"{{{color}}}{self.text}{{RESET}}"

        def field(self):
            """The prompt names the segment instead of holding it, so it may be copied, saved and restored."""
            left = self.side == "left"
            return self.text and " " * (not left) + self.text + " " * left

        def named(self, text):
            """The user's prompt with the indicator's field, unless it has that already, as one built from the earlier prompt."""
            if "{credsh}" in text:
                return text
            return text + "{credsh}" if self.side == "right" else "{credsh}" + text

        def place(self):
            name = {"left": "PROMPT", "right": "RIGHT_PROMPT"}.get(self.side)
            theirs = env.get(name) if name else None
            if isinstance(theirs, str) and "{credsh}" not in theirs:
                env[name] = self.named(theirs)
            elif callable(theirs) and not hasattr(theirs, "credsh"):

                def ours():
                    return self.named(theirs())

                ours.credsh = theirs
                env[name] = ours

        def alias(self, args):
            """The program, except that refresh and clear also change this shell."""
            changes = args[:1] in (["refresh"], ["clear"]) and not {"-h", "--help"} & {*args}
            if changes or not os.access(self.exe, os.X_OK):
                return ["__credsh_command", *args]
            here, vars = env.detype(), self.surroundings()
            if args[:1] == ["doctor"]:
                vars["CREDSH_HOOK"] = "xonsh" + self.report()
            gone = [word for name in here if name not in vars for word in ("-u", name)]
            new = [f"{name}={value}" for name, value in vars.items() if here.get(name) != value]
            return ["env", *gone, *new, *self.run, *args] if gone or new else [*self.run, *args]

        def report(self):
            """Which checks are in place, for `credsh doctor`."""
            prompt, command = self.at_prompt in events.on_pre_prompt_format, self.at_command in events.on_precommand
            return " prompt" * prompt + " preexec" * command

        def command(self, args, stdin, stdout, stderr):
            try:
                done = self.program("--hooked=xonsh", *args, stdin=stdin, stderr=stderr)
            except OSError:
                say(f"cannot run {self.exe}")
                return 127
            if self.obey(done.stdout):
                self.draw()
            else:
                print(done.stdout, end="", file=stdout or sys.stdout)
            return done.returncode

        def off(self, args):
            """Removes the hook from the shell."""
            self.drop()
            for name in ("PROMPT", "RIGHT_PROMPT"):
                shown = env.get(name)
                if hasattr(shown, "credsh"):
                    env[name] = shown.credsh
                elif isinstance(shown, str) and "{credsh}" in shown:
                    env[name] = shown.replace("{credsh}", "")
            env["PROMPT_FIELDS"].pop("credsh", None)
            # A function of the user's that returns the earlier prompt still has the field.
            if any(callable(env.get(name)) for name in ("PROMPT", "RIGHT_PROMPT")):
                env["PROMPT_FIELDS"]["credsh"] = ""
            events.on_pre_prompt_format.discard(self.at_prompt)
            events.on_precommand.discard(self.at_command)
            for name in ("credsh", "credsh_off", "__credsh_command"):
                del XSH.aliases[name]
            delattr(XSH, "__credsh")

    inherited = env.get("CREDSH_LEASE") or ""
    # A hook already there, perhaps of another version, is removed first; its lease is kept.
    if hasattr(XSH, "__credsh"):
        getattr(XSH, "__credsh").off([])
    hook = Hook()
    setattr(XSH, "__credsh", hook)
    events.on_pre_prompt_format(hook.at_prompt)
    events.on_precommand(hook.at_command)
    env["PROMPT_FIELDS"]["credsh"] = hook.field
    XSH.aliases["credsh"] = XSH.aliases.return_command(lambda args: hook.alias(args))
    XSH.aliases["__credsh_command"] = XSH.aliases.unthreadable(
        lambda args, stdin=None, stdout=None, stderr=None: hook.command(args, stdin, stdout, stderr)
    )
    XSH.aliases["credsh_off"] = XSH.aliases.unthreadable(lambda args: hook.off(args))
    hook.exe, hook.prefix, hook.side, hook.when, hook.store, wanted, *args = words
    # A nested shell continues its parent's lease if that is in this user's store (after su or sudo it is not).
    if re.fullmatch("[0-9a-f]{16}", inherited):
        hook.lease = inherited
        hook.load()
    if hook.label:
        return
    # A lease that is not in the store cannot be renewed here, so this shell does not claim it.
    env.pop("CREDSH_LEASE", None)
    hook.lease, hook.args = wanted, args
    # A lease is wanted and none held: due at once, and mandatory before the first command.
    if wanted:
        hook.due = hook.must = 0


__credsh_start(@CREDSH@)
