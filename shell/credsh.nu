# credsh: keeps temporary AWS credentials fresh in this shell. nushell (0.115).
#
# All policy is the program's; this only compares nu's clock with numbers the program computed. While nothing is due that
# is one comparison at the prompt and one before a command: no process, no file.
# nu can evaluate no code at run time, and sources no file whose name it learns then. So the program's answers, and the
# lease's file, are JSON: the name of one of the functions here and its arguments, read as data.
# The state is a record in $env.__credsh: only strings are handed to children. Without it, in a shell where nobody types
# or after credsh_off, all of this does nothing.

# A time that does not come: eleven nines (time.rs, NEVER).
const __credsh_never = 99999999999
const __credsh_nothing = {
  lease: "", label: "", key: "", profile: "", default: "", said: "", text: "", until: ""
  exp: $__credsh_never, window: $__credsh_never, must: $__credsh_never, due: $__credsh_never, tick: 0, asked: 0, low: 0
}

# Of the state, these fields.
def --env __credsh_keep [fields: record] { $env.__credsh = ($env.__credsh | merge $fields) }

# A variable; none if it is to be empty.
def --env __credsh_put [name: string, value: string] {
  if $value == "" { hide-env --ignore-errors $name } else { load-env { $name: $value } }
}

# The program's answer: adopt ID LABEL KEY SECRET TOKEN EXPIRATION EXPIRES WINDOW MANDATORY DUE MESSAGE
# UNTIL ZONE EARLIEST.
# Times are epoch seconds, and only ever digits.
def --env __credsh_adopt [words: list<string>] {
  let low = $words | get --optional 13 | default "0"
  if not ($words | slice 6..9 | append $low | all {|time| $time =~ '^[0-9]{1,11}$' }) { return }
  let p = $env.__credsh.prefix
  let due = $words.9 | into int
  # What has been read before is no answer to what was asked since.
  let asked = if $due == $env.__credsh.due { $env.__credsh.asked } else { 0 }
  # With new credentials what went wrong before is over, and is told of again.
  if $words.2 != $env.__credsh.key { __credsh_keep { said: "" } }
  __credsh_keep {
    lease: $words.0, label: $words.1, key: $words.2, exp: ($words.6 | into int), window: ($words.7 | into int)
    must: ($words.8 | into int), due: $due, asked: $asked, low: ($low | into int), tick: 0
    # UNTIL is EXPIRES's time of day where TZ is ZONE's.
    until: (if (if "TZ" in $env { $"=($env.TZ)" } else { "" }) == $words.12 { $words.11 } else { "" })
  }
  load-env { $"($p)AWS_ACCESS_KEY_ID": $words.2, $"($p)AWS_SECRET_ACCESS_KEY": $words.3, CREDSH_SOURCE: $words.1, CREDSH_LEASE: $words.0 }
  __credsh_put $"($p)AWS_SESSION_TOKEN" $words.4
  __credsh_put $"($p)AWS_CREDENTIAL_EXPIRATION" $words.5
  if $p == "" {
    # The standard names: botocore reads AWS_SECURITY_TOKEN before AWS_SESSION_TOKEN, other SDKs AWS_PROFILE before keys.
    __credsh_keep { profile: ($env.AWS_PROFILE? | default $env.__credsh.profile), default: ($env.AWS_DEFAULT_PROFILE? | default $env.__credsh.default) }
    hide-env --ignore-errors AWS_SECURITY_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE
  }
  if $words.10 not-in ["", $env.__credsh.said] {
    __credsh_keep { said: $words.10 }
    print --stderr $"credsh: ($words.10)"
  }
}

# Nothing came; ask again at $until, which is ten seconds from now: below that, and five for noise, the clock was set back.
def --env __credsh_defer [until: string] {
  if $until =~ '^[0-9]{1,11}$' { __credsh_keep { tick: 0, due: ($until | into int), low: (($until | into int) - 15) } }
}

# The profile that the standard names have set aside, unless there is another by now.
def --env __credsh_restore [] {
  if $env.__credsh.profile != "" and "AWS_PROFILE" not-in $env { $env.AWS_PROFILE = $env.__credsh.profile }
  if $env.__credsh.default != "" and "AWS_DEFAULT_PROFILE" not-in $env { $env.AWS_DEFAULT_PROFILE = $env.__credsh.default }
}

def --env __credsh_forget [] {
  let p = $env.__credsh.prefix
  for name in [ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN CREDENTIAL_EXPIRATION] { __credsh_put $"($p)AWS_($name)" "" }
}

# Holds no lease any more: `credsh clear`, or the store has lost it.
def --env __credsh_drop [] {
  __credsh_forget
  hide-env --ignore-errors CREDSH_SOURCE CREDSH_LEASE CREDSH_PROMPT
  __credsh_restore
  __credsh_keep $__credsh_nothing
}

# Does what lines of an answer say; whether they are one.
def --env __credsh_obey [answer: string] {
  if $answer !~ '^\["__credsh_' { return false }
  for words in ($answer | lines | each { from json }) {
    match $words.0 {
      "__credsh_adopt" => { __credsh_adopt ($words | skip 1) }
      "__credsh_defer" => { __credsh_defer $words.1 }
      # What was said already, by the program.
      "__credsh_heard" => { __credsh_keep { said: $words.1 } }
      # The store's directory is gone, and this is where it is now.
      "__credsh_move" => { __credsh_keep { store: $words.1 } }
      # What is not stored is asked for again in the same words.
      "__credsh_repeat" => { __credsh_keep { args: ($words | skip 1) } }
      "__credsh_drop" => { __credsh_drop }
    }
  }
  true
}

# Takes over what a renewal, this shell's or another's, left in the store: no process. The file's owner is looked at here
# too, as the store may have been made by somebody else since `init` looked; and a link of theirs could name any file.
def --env __credsh_load [] {
  let file = $env.__credsh.store | path join $"($env.__credsh.lease).words"
  if $env.__credsh.lease == "" or ($file | path type) != "file" { return }
  try {
    let about = ls --long $file | first
    # One whom the system does not know by name has a number.
    if $about.user == (try { whoami } catch { ^id -u | str trim }) and $about.mode == "rw-------" { __credsh_obey (open --raw $file) }
  }
  null
}

# The surroundings as the program shall see them: with the standard names as they were before the lease, or this shell's
# own output would be a source like any other once the store has lost the lease, and a role's base not the profile it was.
def --env __credsh_before [] {
  if $env.__credsh.prefix == "" and $env.__credsh.label != "" and $env.AWS_ACCESS_KEY_ID? == $env.__credsh.key {
    __credsh_forget
    __credsh_restore
  }
}

# For the store that this shell looks into, in those surroundings. What is piped to it goes to the program as it is only in a
# function's first command: as $in it would be collected, to the end of a stream that has none, and lose its last newline.
def --wrapped __credsh_run [...words] {
  if $env.__credsh.prefix == "" and $env.__credsh.label != "" and $env.AWS_ACCESS_KEY_ID? == $env.__credsh.key {
    ^env ...(__credsh_without) $env.__credsh.exe $"--store=($env.__credsh.store)" ...$words
  } else {
    ^$env.__credsh.exe $"--store=($env.__credsh.store)" ...$words
  }
}

# What __credsh_before changes, as words for env.
def __credsh_without [] {
  let gone = [ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN CREDENTIAL_EXPIRATION] | each {|name| ["-u" $"AWS_($name)"] } | flatten
  let back = [[profile AWS_PROFILE] [default AWS_DEFAULT_PROFILE]] | each {|pair|
    let value = $env.__credsh | get $pair.0
    if $value != "" and $pair.1 not-in $env { $"($pair.1)=($value)" }
  }
  [...$gone ...$back]
}

def __credsh_program [...words: string] {
  __credsh_before
  let words = [$"--lease=($env.__credsh.lease)" ...$words ...$env.__credsh.args]
  "" | ^$env.__credsh.exe $"--store=($env.__credsh.store)" hook --shell=nu ...$words | complete
}

# Renews and waits for it: at most CREDSH_WAIT seconds (3), ended by Ctrl-C. That ends this function too, hence the
# pause is set beforehand: or each further command would be held up again.
def --env __credsh_wait [] {
  __credsh_defer $"((__credsh_now) + 10)"
  # A Ctrl-C may end it as an error too, depending on where it comes: that needs no words.
  let done = try { __credsh_program "--wait" $"--said=($env.__credsh.said)" } catch {
    { stdout: "", stderr: (if ($env.__credsh.exe | path exists) { "" } else { $"credsh: cannot run ($env.__credsh.exe)\n" }) }
  }
  print --stderr --no-newline $done.stderr
  __credsh_obey $done.stdout
}

def __credsh_now [] { (date now | into int) // 1_000_000_000 }

# Whether it is that time; or the clock was set back behind `low`, and what is due is not known.
def __credsh_over [when: string] {
  let now = __credsh_now
  $now >= ($env.__credsh | get $when) or $now < $env.__credsh.low
}

# Something is due, or the indicator's text has changed. $at: prompt or exec. What ends in `complete` leaves the last status
# alone.
def --env __credsh_cold [at: string] {
  if (__credsh_over due) {
    __credsh_load
    let now = __credsh_now
    if not (__credsh_over due) {
    } else if $at == "exec" and (__credsh_over must) {
      __credsh_wait
    } else if $now >= $env.__credsh.asked + 5 or $now < $env.__credsh.asked {
      # The program detaches itself, so there is no job to be told of; five seconds is the longest it takes.
      __credsh_keep { asked: $now }
      try { __credsh_obey (__credsh_program).stdout }
    }
  }
  __credsh_draw
}

# The indicator's text, and until when it holds: tick. The rule is prompt.rs's.
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
    { time: $shown.time, tick: ([$shown.tick $turn $state.due] | math min), color: (if $now >= $state.window { "yellow" } else { "green" }) }
  }
  $env.CREDSH_PROMPT = $state.label + $shown.time
  let text = $"[($env.CREDSH_PROMPT)]"
  let plain = ($env.NO_COLOR? | default "") != "" or ($env.TERM? | default dumb) == dumb
  let text = if $plain { $text } else { $"(ansi $shown.color)($text)(ansi reset)" }
  __credsh_keep { tick: $shown.tick, text: (if $state.side == left { $text + " " } else { $text }) }
}

# The two checks. Nothing but the comparison while nothing is due.
def --env __credsh_at [at: string, when: string] {
  if "__credsh" in $env and (__credsh_over $when) { __credsh_cold $at }
}

# The program, but a refresh or clear changes this shell.
def --wrapped --env credsh [...words] {
  if "__credsh" not-in $env {
    ^credsh ...$words
  } else {
    match ($words | get --optional 0) {
      "refresh" | "clear" => { __credsh_command $words }
      "doctor" => { with-env { CREDSH_HOOK: $"nu(__credsh_report)" } { __credsh_run ...$words } }
      _ => { __credsh_run ...$words }
    }
  }
}

# Which checks are in place, for `credsh doctor`.
def __credsh_report [] {
  [[prompt pre_prompt] [preexec pre_execution]] | each {|pair|
    if ($env.config.hooks | get $pair.1 | any {|hook| __credsh_ours $hook }) { $" ($pair.0)" }
  } | str join
}

def --env __credsh_command [words: list<string>] {
  let done = do { __credsh_before; ^$env.__credsh.exe $"--store=($env.__credsh.store)" --hooked=nu ...$words | complete }
  print --stderr --no-newline $done.stderr
  if (__credsh_obey $done.stdout) { __credsh_draw } else { print --no-newline $done.stdout }
  # nu takes a status from programs only.
  # Ctrl-C is to nu -2, and to everybody else 130.
  let status = if $done.exit_code < 0 { 128 - $done.exit_code } else { $done.exit_code }
  if $status != 0 { ^sh -c $"exit ($status)" }
}

# Whether a hook or a prompt is one of those defined here.
def __credsh_ours [hook: any] { ($hook | describe) == closure and (view source $hook) =~ '__credsh' }

# Takes all of it out of the shell again, but for the functions, of which nu forgets none: without the state they do nothing.
def --env credsh_off [] {
  if "__credsh" not-in $env { return }
  __credsh_drop
  for name in [pre_prompt pre_execution] {
    $env.config.hooks = ($env.config.hooks | update $name {|hooks| $hooks | get $name | where {|hook| not (__credsh_ours $hook) } })
  }
  let name = $env.__credsh.place
  # One that somebody has put round ours stays, and shows nothing of it.
  if $name != "" and (__credsh_ours ($env | get --optional $name)) { load-env { $name: $env.__credsh.inner } }
  hide-env __credsh
}

# EXE PREFIX SIDE TIME STORE LEASE [SELECTOR...]: from `credsh init`.
def --env __credsh_start [words: list<string>] {
  let inherited = $env.CREDSH_LEASE? | default ""
  # What was there before, perhaps of another version, makes room; its lease is gone on with.
  credsh_off
  $env.__credsh = ($__credsh_nothing | merge {
    exe: $words.0, prefix: $words.1, side: $words.2, time: $words.3, store: $words.4, args: ($words | skip 6), place: "", inner: ""
  })
  $env.config.hooks.pre_prompt = ($env.config.hooks.pre_prompt? | default [] | append {|| __credsh_at prompt tick })
  $env.config.hooks.pre_execution = ($env.config.hooks.pre_execution? | default [] | append {|| __credsh_at exec due })
  if $words.2 != off {
    let name = if $words.2 == right { "PROMPT_COMMAND_RIGHT" } else { "PROMPT_COMMAND" }
    let inner = $env | get --optional $name | default ""
    __credsh_keep { place: $name, inner: $inner }
    let text = if ($inner | describe) == closure { $inner } else { {|| $inner } }
    load-env { $name: (if $words.2 == right { {|| [(do $text) $env.__credsh?.text?] | where $it not-in ["" null] | str join " " } } else { {|| $"($env.__credsh?.text?)(do $text)" } }) }
  }
  # A nested shell goes on with its parent's lease, if it is in this user's store (after su or sudo it is not).
  if $inherited =~ '^[0-9a-f]{16}$' {
    __credsh_keep { lease: $inherited }
    __credsh_load
  }
  if $env.__credsh.label != "" { return }
  # What nobody here can renew is no lease of this shell's.
  hide-env --ignore-errors CREDSH_LEASE
  __credsh_keep { lease: $words.5 }
  # Nothing held and something wanted: due at once, and before the first command mandatory.
  if $words.5 != "" { __credsh_keep { due: 0, must: 0 } }
}

if $nu.is-interactive { __credsh_start [@CREDSH@] }
