# credsh: keeps temporary AWS credentials fresh in this shell. nushell (0.115).
#
# All policy lives in the program; this only compares nu's clock with numbers it computed. While nothing is due, that is one
# comparison at the prompt and one before a command: no process, no file.
# nu cannot evaluate code at run time, nor source a file whose name is only known then. So the program's answers and the
# lease's file are JSON: the name of one of the functions here and its arguments, read as data.
# Builtins are called as `%name`, as config.nu is read before this and may define aliases or functions of the same names.
# The state is a record in $env.__credsh, as children inherit only strings. Without it, in a shell that is not interactive or
# after credsh_off, all of this does nothing.

# Eleven nines: a time that never comes (NEVER in time.rs).
const __credsh_never = 99999999999
const __credsh_nothing = {
  lease: "", label: "", key: "", profile: "", default: "", said: "", text: "", until: ""
  exp: $__credsh_never, window: $__credsh_never, must: $__credsh_never, due: $__credsh_never, tick: 0, asked: 0, low: 0
}

def --env __credsh_keep [fields: record] { $env.__credsh = ($env.__credsh | %merge $fields) }

# Sets a variable, or removes it if $value is empty. Each `overlay use` begins a layer of variables: hiding one would let that
# of the layer below show again, so a null, which children do not inherit, covers it.
def --env __credsh_put [name: string, value: string] {
  if $value != "" {
    %load-env { $name: $value }
  } else {
    %hide-env --ignore-errors $name
    if $name in $env { %load-env { $name: null } }
  }
}

# The program's answer: adopt ID LABEL KEY SECRET TOKEN EXPIRATION EXPIRES WINDOW MANDATORY DUE MESSAGE
# UNTIL ZONE EARLIEST.
# Times are epoch seconds; anything but digits is refused.
def --env __credsh_adopt [words: list<string>] {
  let low = $words | %get --optional 13 | %default "0"
  if not ($words | %slice 6..9 | %append $low | %all {|time| $time =~ '^[0-9]{1,11}$' }) { return }
  let p = $env.__credsh.prefix
  let due = $words.9 | %into int
  # The same DUE is the same lease read again: the renewal asked for is still under way.
  let asked = if $due == $env.__credsh.due { $env.__credsh.asked } else { 0 }
  # New credentials end the failure last reported: if it recurs, it is reported again.
  if $words.2 != $env.__credsh.key { __credsh_keep { said: "" } }
  __credsh_keep {
    lease: $words.0, label: $words.1, key: $words.2, exp: ($words.6 | %into int), window: ($words.7 | %into int)
    must: ($words.8 | %into int), due: $due, asked: $asked, low: ($low | %into int), tick: 0
    # UNTIL is EXPIRES as a time of day in ZONE: of no use under another TZ.
    until: (if (if "TZ" in $env { $"=($env.TZ)" } else { "" }) == $words.12 { $words.11 } else { "" })
  }
  %load-env { $"($p)AWS_ACCESS_KEY_ID": $words.2, $"($p)AWS_SECRET_ACCESS_KEY": $words.3, CREDSH_SOURCE: $words.1, CREDSH_LEASE: $words.0 }
  __credsh_put $"($p)AWS_SESSION_TOKEN" $words.4
  __credsh_put $"($p)AWS_CREDENTIAL_EXPIRATION" $words.5
  if $p == "" {
    # Standard names: botocore prefers AWS_SECURITY_TOKEN to AWS_SESSION_TOKEN, other SDKs AWS_PROFILE to keys.
    __credsh_keep { profile: ($env.AWS_PROFILE? | %default $env.__credsh.profile), default: ($env.AWS_DEFAULT_PROFILE? | %default $env.__credsh.default) }
    for name in [AWS_SECURITY_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE] { __credsh_put $name "" }
  }
  if $words.10 not-in ["", $env.__credsh.said] {
    __credsh_keep { said: $words.10 }
    %print --stderr $"credsh: ($words.10)"
  }
}

# No answer: ask again at $until, ten seconds from now. A clock more than 15 s before that (5 s are slack) was set back.
def --env __credsh_defer [until: string] {
  if $until =~ '^[0-9]{1,11}$' { __credsh_keep { tick: 0, due: ($until | %into int), low: (($until | %into int) - 15) } }
}

# The profile set aside for the standard names comes back, unless another was set since.
def --env __credsh_restore [] {
  if $env.__credsh.profile != "" and $env.AWS_PROFILE? == null { $env.AWS_PROFILE = $env.__credsh.profile }
  if $env.__credsh.default != "" and $env.AWS_DEFAULT_PROFILE? == null { $env.AWS_DEFAULT_PROFILE = $env.__credsh.default }
}

def --env __credsh_forget [] {
  let p = $env.__credsh.prefix
  for name in [ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN CREDENTIAL_EXPIRATION] { __credsh_put $"($p)AWS_($name)" "" }
}

# No lease any more: after `credsh clear`, or because the store lost it.
def --env __credsh_drop [] {
  __credsh_forget
  for name in [SOURCE LEASE PROMPT] { __credsh_put $"CREDSH_($name)" "" }
  __credsh_restore
  __credsh_keep $__credsh_nothing
}

# Carries out the lines of an answer; false if it is not one.
def --env __credsh_obey [answer: string] {
  if $answer !~ '^\["__credsh_' { return false }
  for words in ($answer | %lines | %each { %from json }) {
    match $words.0 {
      "__credsh_adopt" => { __credsh_adopt ($words | %skip 1) }
      "__credsh_defer" => { __credsh_defer $words.1 }
      # The program has printed this message itself; the lease's file may repeat it.
      "__credsh_heard" => { __credsh_keep { said: $words.1 } }
      # The old store is gone or refused; this is the one to use now.
      "__credsh_move" => { __credsh_keep { store: $words.1 } }
      # With --no-store only the shell remembers what to ask for again.
      "__credsh_repeat" => { __credsh_keep { args: ($words | %skip 1) } }
      "__credsh_drop" => { __credsh_drop }
    }
  }
  true
}

# Adopts what a renewal by this shell or another left in the store, without a process. The owner is checked again, as
# somebody else may have created the store since `init` checked, and a symlink of theirs could name any file.
def --env __credsh_load [] {
  let file = $env.__credsh.store | %path join $"($env.__credsh.lease).words"
  if $env.__credsh.lease == "" or ($file | %path type) != "file" { return }
  try {
    let about = %ls --long $file | %first
    # For a user without a name, `ls` shows the number.
    if $about.user == (try { %whoami } catch { ^id -u | %str trim }) and $about.mode == "rw-------" { __credsh_obey (%open --raw $file) }
  }
  null
}

# The environment that the program sees: under the standard names, that from before the lease. Otherwise the keys exported
# here would pass for a source once the store has lost the lease, and a role would lose its base profile.
def --env __credsh_before [] {
  if $env.__credsh.prefix == "" and $env.__credsh.label != "" and $env.AWS_ACCESS_KEY_ID? == $env.__credsh.key {
    __credsh_forget
    __credsh_restore
  }
}

# Runs the program on this shell's store in that environment, by way of `env`: only a function's first command gets piped
# input as a stream. Through $in it would be collected, which an endless one never is, and lose its last newline.
def --wrapped __credsh_run [...words] {
  if $env.__credsh.prefix == "" and $env.__credsh.label != "" and $env.AWS_ACCESS_KEY_ID? == $env.__credsh.key {
    ^env ...(__credsh_without) $env.__credsh.exe $"--store=($env.__credsh.store)" ...$words
  } else {
    ^$env.__credsh.exe $"--store=($env.__credsh.store)" ...$words
  }
}

# What __credsh_before changes, as arguments for `env`.
def __credsh_without [] {
  let gone = [ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN CREDENTIAL_EXPIRATION] | %each {|name| ["-u" $"AWS_($name)"] } | %flatten
  let back = [[profile AWS_PROFILE] [default AWS_DEFAULT_PROFILE]] | %each {|pair|
    let value = $env.__credsh | %get $pair.0
    if $value != "" and ($env | %get --optional $pair.1) == null { $"($pair.1)=($value)" }
  }
  [...$gone ...$back]
}

def __credsh_program [...words: string] {
  __credsh_before
  let words = [$"--lease=($env.__credsh.lease)" ...$words ...$env.__credsh.args]
  "" | ^$env.__credsh.exe $"--store=($env.__credsh.store)" hook --shell=nu ...$words | %complete
}

# Renews, waiting for at most CREDSH_WAIT seconds (3). Ctrl-C ends the wait and this function with it, so the pause is set
# first, or each later command would be held up again.
def --env __credsh_wait [] {
  __credsh_defer $"((__credsh_now) + 10)"
  # Depending on when it comes, Ctrl-C is an error here too: that needs no message.
  let done = try { __credsh_program "--wait" $"--said=($env.__credsh.said)" } catch {
    { stdout: "", stderr: (if ($env.__credsh.exe | %path exists) { "" } else { $"credsh: cannot run ($env.__credsh.exe)\n" }) }
  }
  %print --stderr --no-newline $done.stderr
  __credsh_obey $done.stdout
}

def __credsh_now [] { (%date now | %into int) // 1_000_000_000 }

# Whether that time has come; also if the clock was set back below `low`, which leaves open what is due.
def __credsh_over [when: string] {
  let now = __credsh_now
  $now >= ($env.__credsh | %get $when) or $now < $env.__credsh.low
}

# Something is due, or the segment's text is out of date. $at: prompt or exec. A pipeline into `complete` leaves
# LAST_EXIT_CODE alone.
def --env __credsh_cold [at: string] {
  if (__credsh_over due) {
    __credsh_load
    let now = __credsh_now
    if not (__credsh_over due) {
    } else if $at == "exec" and (__credsh_over must) {
      __credsh_wait
    } else if $now >= $env.__credsh.asked + 5 or $now < $env.__credsh.asked {
      # The program detaches itself, so no job is reported. Not run again for five seconds; a slower one holds a lock.
      __credsh_keep { asked: $now }
      try { __credsh_obey (__credsh_program).stdout }
    }
  }
  __credsh_draw
}

# Sets the segment's text, and `tick` to when that next changes. The rule is prompt.rs's.
def --env __credsh_draw [] {
  let now = __credsh_now
  let state = $env.__credsh
  if $state.label == "" {
    __credsh_keep { text: "", tick: $state.due }
    return
  }
  let left = $state.exp - $now
  let shown = if $state.exp >= $__credsh_never {
    { time: "", tick: $state.due, color: green }
  } else if $left <= 0 {
    { time: " expired", tick: $state.due, color: red }
  } else {
    let shown = if $state.time == until and $state.until != "" and $left < 64800 {
      { time: $" until ($state.until)", tick: $state.exp }
    } else if $left < 120 {
      { time: $" ($left)s", tick: ($now + 1) }
    } else if $left <= 5400 {
      { time: $" ($left // 60)m", tick: ($state.exp - $left // 60 * 60 + 1) }
    } else {
      { time: $" ($left // 3600)h", tick: (if $left < 7200 { $state.exp - 5400 } else { $state.exp - $left // 3600 * 3600 + 1 }) }
    }
    let turn = if $now >= $state.window { $state.due } else { $state.window }
    { time: $shown.time, tick: ([$shown.tick $turn $state.due] | %math min), color: (if $now >= $state.window { "yellow" } else { "green" }) }
  }
  $env.CREDSH_PROMPT = $state.label + $shown.time
  let text = $"[($env.CREDSH_PROMPT)]"
  let plain = ($env.NO_COLOR? | %default "") != "" or ($env.TERM? | %default dumb) == dumb
  # Compared as text, as nu stores the word it was given.
  let plain = $plain or $"($env.config.use_ansi_coloring?)" == "false"
  let text = if $plain { $text } else { $"(%ansi $shown.color)($text)(%ansi reset)" }
  __credsh_keep { tick: $shown.tick, text: (if $state.side == left { $text + " " } else { $text }) }
}

# The two checks: while nothing is due, only the comparison.
def --env __credsh_at [at: string, when: string] {
  if $env.__credsh? != null and (__credsh_over $when) { __credsh_cold $at }
}

# The program, except that refresh and clear also change this shell.
def --wrapped --env credsh [...words] {
  if $env.__credsh? == null {
    ^credsh ...$words
  } else if not ($env.__credsh.exe | %path exists) {
    # nu itself would print an error that quotes the lines here.
    %print --stderr $"credsh: cannot run ($env.__credsh.exe)"
    ^sh -c "exit 127"
  } else {
    match ($words | %get --optional 0) {
      "refresh" | "clear" if "--help" not-in $words and "-h" not-in $words => { __credsh_command $words }
      "doctor" => { %with-env { CREDSH_HOOK: $"nu(__credsh_report)" } { __credsh_run ...$words } }
      _ => { __credsh_run ...$words }
    }
  }
}

# Which checks are in place, for `credsh doctor`.
def __credsh_report [] {
  [[prompt pre_prompt] [preexec pre_execution]] | %each {|pair|
    if ($env.config.hooks | %get $pair.1 | %any {|hook| __credsh_ours $hook }) { $" ($pair.0)" }
  } | %str join
}

def --env __credsh_command [words: list] {
  let done = %do { __credsh_before; ^$env.__credsh.exe $"--store=($env.__credsh.store)" --hooked=nu ...$words | %complete }
  %print --stderr --no-newline $done.stderr
  if (__credsh_obey $done.stdout) { __credsh_draw } else { %print --no-newline $done.stdout }
  # nu takes an exit status only from an external program. Ctrl-C is -2 to nu, and 130 to everybody else.
  let status = if $done.exit_code < 0 { 128 - $done.exit_code } else { $done.exit_code }
  if $status != 0 { ^sh -c $"exit ($status)" }
}

# Whether a hook or a prompt is one of those defined here.
def __credsh_ours [hook: any] { ($hook | %describe) == closure and (%view source $hook) =~ '__credsh' }

# Takes all of it out of the shell again except the functions, which nu cannot undefine: without the state they do nothing.
def --env credsh_off [] {
  if $env.__credsh? == null { return }
  __credsh_drop
  for name in [pre_prompt pre_execution] {
    $env.config.hooks = ($env.config.hooks | %update $name {|hooks| $hooks | %get $name | where {|hook| not (__credsh_ours $hook) } })
  }
  let name = $env.__credsh.place
  # A prompt that somebody has wrapped round ours stays, and shows nothing of ours.
  if $name != "" and (__credsh_ours ($env | %get --optional $name)) { %load-env { $name: $env.__credsh.inner } }
  __credsh_put __credsh ""
}

# EXE PREFIX SIDE TIME STORE LEASE [SELECTOR...]: from `credsh init`.
def --env __credsh_start [words: list<string>] {
  let inherited = $env.CREDSH_LEASE? | %default ""
  # A hook already there, perhaps of another version, is removed first; its lease is kept.
  credsh_off
  $env.__credsh = ($__credsh_nothing | %merge {
    exe: $words.0, prefix: $words.1, side: $words.2, time: $words.3, store: $words.4, args: ($words | %skip 6), place: "", inner: ""
  })
  # Before the user's: after a hook that fails nu runs no more of them.
  $env.config.hooks.pre_prompt = ($env.config.hooks.pre_prompt? | %default [] | %prepend {|| __credsh_at prompt tick })
  $env.config.hooks.pre_execution = ($env.config.hooks.pre_execution? | %default [] | %prepend {|| __credsh_at exec due })
  if $words.2 != off {
    let name = if $words.2 == right { "PROMPT_COMMAND_RIGHT" } else { "PROMPT_COMMAND" }
    let inner = $env | %get --optional $name | %default ""
    __credsh_keep { place: $name, inner: $inner }
    let text = if ($inner | %describe) == closure { $inner } else { {|| $inner } }
    %load-env { $name: (if $words.2 == right { {|| [(%do $text) $env.__credsh?.text?] | where $it not-in ["" null] | %str join " " } } else { {|| $"($env.__credsh?.text?)(%do $text)" } }) }
  }
  # A nested shell continues its parent's lease if that is in this user's store (after su or sudo it is not).
  if $inherited =~ '^[0-9a-f]{16}$' {
    __credsh_keep { lease: $inherited }
    __credsh_load
  }
  if $env.__credsh.label != "" { return }
  # A lease that is not in the store cannot be renewed here, so this shell does not claim it.
  __credsh_put CREDSH_LEASE ""
  __credsh_keep { lease: $words.5 }
  # A lease is wanted and none held: due at once, and mandatory before the first command.
  if $words.5 != "" { __credsh_keep { due: 0, must: 0 } }
}

if $nu.is-interactive { __credsh_start [@CREDSH@] }
