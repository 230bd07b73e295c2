# credsh: keeps temporary AWS credentials fresh in this shell. elvish (0.19).
#
# All policy lives in the program; this only compares a clock with numbers it computed. elvish has no clock: on Linux
# /proc/uptime is read, at the prompt and before a command, and added to the boot time worked out from `date`; elsewhere
# `date` itself is run. While nothing is due, that is all: no process, no other file.
# The program's answers and the lease's file are JSON: the name of a function and its arguments, read as data.
# `eval` gives this script a namespace of its own, which only these functions see.

use path
use re
use str

# Eleven nines: a time that never comes (NEVER in time.rs).
var never = (num 99999999999)
var exe prefix side when store = '' '' '' '' ''
var args = []
var lease label key said = '' '' '' ''
var aside = [&]
var exp window must due = $never $never $never $never
var tick asked low base = (num 0) (num 0) (num 0) (num 0)
var text color until = '' '' ''
var on = $false
var place = $nil

# In hundredths of a second, as the kernel gives it.
fn uptime {
  var up = (slurp < /proc/uptime)
  num (str:replace . '' $up[..(str:index $up ' ')])
}
var has-uptime = (path:is-regular /proc/uptime)

# Repeated whenever a program is run anyway, as the clock may have been set. Until then time goes on by the old setting, so
# nothing due by that is late. $base is in hundredths of a second like the uptime: the two clocks change their second at
# different moments, so in whole seconds the sum would be up to one behind. 2 is added for what the readings truncate, and
# where `date` has no %N, or is not there, 99 to the time of boot that the kernel gives in whole seconds: being ahead does no
# harm.
fn sync {
  if (not $has-uptime) { return }
  var up = (uptime)
  var date = ''
  try { set date = (e:date +%s.%N 2>/dev/null) } catch _ { nop }
  if (re:match '^[0-9]+\.[0-9]{9}$' $date) {
    set base = (- (+ (num (str:replace . '' $date[..-7])) 2) $up)
  } else {
    set base = (+ (* (num (re:find '(?m)^btime (\d+)' (slurp < /proc/stat))[groups][1][text]) 100) 101)
  }
}
fn now {
  if (not $has-uptime) { num (e:date +%s); return }
  var time = (+ $base (uptime))
  / (- $time (% $time 100)) 100
}

fn put-env {|name value| if (eq $value '') { unset-env $name } else { set-env $name $value } }

# The program's answer: adopt ID LABEL KEY SECRET TOKEN EXPIRATION EXPIRES WINDOW MANDATORY DUE MESSAGE
# UNTIL ZONE EARLIEST.
# Times are epoch seconds; anything but digits is refused.
fn adopt {|id new-label new-key secret token expiration @rest|
  var times = [(all $rest[..4]) (if (> (count $rest) 7) { put $rest[7] } else { put 0 })]
  if (not (re:match '^([0-9]{1,11} ){5}$' (str:join ' ' $times)' ')) { return }
  # New credentials end the failure last reported: if it recurs, it is reported again.
  if (not-eq $key $new-key) { set said = '' }
  set lease label key = $id $new-label $new-key
  # The same DUE is the same lease read again: the renewal asked for is still under way.
  if (not (== $due $rest[3])) { set asked = (num 0) }
  set exp window must due low = (each $num~ $times)
  # UNTIL is EXPIRES as a time of day in ZONE: of no use under another TZ.
  var zone = ''
  if (has-env TZ) { set zone = '='$E:TZ }
  set until = ''
  if (eq $zone $rest[6]) { set until = $rest[5] }
  set tick = (num 0)
  set-env $prefix'AWS_ACCESS_KEY_ID' $key
  set-env $prefix'AWS_SECRET_ACCESS_KEY' $secret
  set-env CREDSH_SOURCE $label
  set-env CREDSH_LEASE $lease
  put-env $prefix'AWS_SESSION_TOKEN' $token
  put-env $prefix'AWS_CREDENTIAL_EXPIRATION' $expiration
  if (eq $prefix '') {
    # Standard names: botocore prefers AWS_SECURITY_TOKEN to AWS_SESSION_TOKEN, other SDKs AWS_PROFILE to keys.
    unset-env AWS_SECURITY_TOKEN
    for name [AWS_PROFILE AWS_DEFAULT_PROFILE] {
      if (has-env $name) { set aside[$name] = (get-env $name); unset-env $name }
    }
  }
  if (not (has-value ['' $said] $rest[4])) {
    set said = $rest[4]
    echo 'credsh: '$said >&2
  }
}

# No answer: ask again at $until, ten seconds from now. A clock more than 15 s before that (5 s are slack) was set back.
fn defer {|until|
  set tick = (num 0)
  if (re:match '^[0-9]{1,11}$' $until) { set due low = (num $until) (- $until 15) }
}

# The profile set aside for the standard names comes back, unless another was set since.
fn restore { for name [(keys $aside)] { if (not (has-env $name)) { set-env $name $aside[$name] } } }

# No lease any more: after `credsh clear`, or because the store lost it.
fn drop-lease {
  for name [ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN CREDENTIAL_EXPIRATION] { unset-env $prefix'AWS_'$name }
  for name [SOURCE LEASE PROMPT] { unset-env CREDSH_$name }
  restore
  set lease label key said aside = '' '' '' '' [&]
  set exp window must due = $never $never $never $never
  set tick low = (num 0) (num 0)
}

# Carries out the lines of an answer, if this is one.
fn is-answer {|text| str:has-prefix $text '["__credsh_' }
fn obey {|answer|
  if (not (is-answer $answer)) { return }
  print $answer | from-json | each {|words|
    var name = $words[0]
    if (eq $name __credsh_adopt) {
      adopt (all $words[1..])
    } elif (eq $name __credsh_defer) {
      defer $words[1]
    } elif (eq $name __credsh_heard) {
      # The program has printed this message itself; the lease's file may repeat it.
      set said = $words[1]
    } elif (eq $name __credsh_move) {
      # The old store is gone or refused; this is the one to use now.
      set store = $words[1]
    } elif (eq $name __credsh_repeat) {
      # With --no-store only the shell remembers what to ask for again.
      set args = $words[1..]
    } elif (eq $name __credsh_drop) {
      drop-lease
    }
  }
}

# Adopts what a renewal by this shell or another left in the store, without a process. elvish cannot tell a file's owner, but
# follows no symlink here, and the contents are only data.
fn load {
  var file = $store/$lease.words
  if (and (not-eq $lease '') (path:is-regular $file)) { obey (slurp < $file) }
}

# Runs the program on this shell's store. Under the standard names it sees the environment from before the lease: otherwise
# the keys exported here would pass for a source once the store has lost the lease, and a role would lose its base profile.
fn run {|@words|
  if (or (not-eq $prefix '') (eq $label '') (not (has-env AWS_ACCESS_KEY_ID)) (not-eq (get-env AWS_ACCESS_KEY_ID) $key)) {
    (external $exe) --store=$store $@words
    return
  }
  var with = [(for name [(keys $aside)] { if (not (has-env $name)) { put $name'='$aside[$name] } })]
  e:env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN -u AWS_CREDENTIAL_EXPIRATION $@with $exe --store=$store $@words
}

fn program {|@words| run hook --shell=elvish --lease=$lease $@words $@args < /dev/null }

# Renews, waiting for at most CREDSH_WAIT seconds (3) or until Ctrl-C. The pause is set first, or each later command would be
# held up again.
fn wait {
  defer (to-string (+ (now) 10))
  if (not (has-external $exe)) { echo 'credsh: cannot run '$exe >&2; return }
  obey ({ try { program --wait --said=$said } catch _ { nop } } | slurp)
}

# Sets the segment's text, and $tick to when that next changes. The rule is prompt.rs's.
fn draw {
  if (eq $label '') { set text tick = '' $due; return }
  var now = (now)
  var left = (- $exp $now)
  var time = ''
  set tick color = $due green
  if (>= $exp $never) {
    nop
  } elif (<= $left 0) {
    set time color = ' expired' red
  } else {
    if (and (eq $when until) (not-eq $until '') (< $left 64800)) {
      set time tick = ' until '$until $exp
    } elif (< $left 120) {
      set time tick = ' '$left's' (+ $now 1)
    } elif (<= $left 5400) {
      set time = ' '(/ (- $left (% $left 60)) 60)'m'
      set tick = (+ (- $exp $left) (% $left 60) 1)
    } else {
      set time = ' '(/ (- $left (% $left 3600)) 3600)'h'
      set tick = (+ (- $exp $left) (% $left 3600) 1)
      if (< $left 7200) { set tick = (- $exp 5400) }
    }
    if (>= $now $window) { set color = yellow } elif (> $tick $window) { set tick = $window }
    if (> $tick $due) { set tick = $due }
  }
  set-env CREDSH_PROMPT $label$time
  set text = '['$label$time']'
}

# Whether $time has come; also if the clock was set back below $low, which leaves open what is due.
fn over {|time| var now = (now); or (>= $now $time) (< $now $low) }

# Something is due, or the segment's text is out of date. $at: prompt or exec.
fn cold {|at|
  try {
    if (over $due) {
      load
      if (over $due) {
        sync
        var now = (now)
        if (not (over $due)) {
          nop
        } elif (and (eq $at exec) (over $must)) {
          wait
        } elif (or (>= $now (+ $asked 5)) (< $now $asked)) {
          # The program detaches itself, so no job is reported. Not run again for five seconds; a slower one holds a lock.
          set asked = $now
          obey ({ try { program 2>/dev/null } catch _ { nop } } | slurp)
        }
      }
    }
    draw
  } catch _ { nop }
}

fn paint { if (eq $text '') { return } elif (and (eq $E:NO_COLOR '') (not (has-value ['' dumb] $E:TERM))) { styled $text $color } else { put $text } }

# The two checks: while nothing is due, only the comparison. Called with &__credsh=off, the first takes all of it out again:
# that is how another evaluation of this, perhaps of another version, reaches into this namespace.
var off~ = $nop~
fn prompt-check {|&__credsh=''| if (eq $__credsh off) { off } elif (and $on (over $tick)) { cold prompt } }
fn exec-check {|_ &__credsh=''| if (and $on (over $due)) { cold exec } }

# Whether a hook is credsh's, of this evaluation or another.
fn ours {|hook| try { has-value $hook[opt-names] __credsh } catch _ { put $false } }

# The program for refresh and clear, whose answers change this shell.
fn command {|@words|
  var failed = $nil
  var out = ({ try { run --hooked=elvish $@words } catch e { set failed = $e } } | slurp)
  sync
  if (is-answer $out) { obey $out; draw } else { print $out }
  if (not-eq $failed $nil) { fail $failed }
}
fn report {
  print elvish
  for hook $edit:before-readline { if (ours $hook) { print ' prompt' } }
  for hook $edit:after-readline { if (ours $hook) { print ' preexec' } }
}
fn credsh {|@words|
  if (and (> (count $words) 0) (has-value [refresh clear] $words[0])) {
    command $@words
  } elif (and (> (count $words) 0) (eq $words[0] doctor)) {
    tmp E:CREDSH_HOOK = (report)
    run $@words
  } else {
    run $@words
  }
}

var inner = $nop~
fn left-prompt { var seen = [(paint)]; if (not-eq $seen []) { put $seen[0] ' ' }; $inner }
fn right-prompt { $inner; var seen = [(paint)]; if (not-eq $seen []) { put ' ' $seen[0] } }

# Takes all of it out of the shell again.
fn credsh_off {
  if (not $on) { return }
  drop-lease
  set on text = $false ''
  set edit:before-readline = [(for hook $edit:before-readline { if (not (ours $hook)) { put $hook } })]
  set edit:after-readline = [(for hook $edit:after-readline { if (not (ours $hook)) { put $hook } })]
  # A prompt that somebody has wrapped round ours stays, and shows nothing of ours.
  if (eq $edit:prompt $left-prompt~) { set edit:prompt = $inner }
  if (eq $edit:rprompt $right-prompt~) { set edit:rprompt = $inner }
  edit:del-var credsh~
  edit:del-var credsh_off~
}
set off~ = $credsh_off~

# EXE PREFIX SIDE TIME STORE LEASE [SELECTOR...]: from `credsh init`.
fn start {|new-exe new-prefix new-side new-when new-store wanted @selectors|
  var inherited = $E:CREDSH_LEASE
  # A hook already there is removed first; its lease is kept.
  for hook $edit:before-readline { if (ours $hook) { $hook &__credsh=off } }
  set exe prefix side when store on = $new-exe $new-prefix $new-side $new-when $new-store $true
  sync
  set edit:before-readline = (conj $edit:before-readline $prompt-check~)
  set edit:after-readline = (conj $edit:after-readline $exec-check~)
  if (eq $side left) { set inner = $edit:prompt; set edit:prompt = $left-prompt~ }
  if (eq $side right) { set inner = $edit:rprompt; set edit:rprompt = $right-prompt~ }
  edit:add-var credsh~ $credsh~
  edit:add-var credsh_off~ $credsh_off~
  # A nested shell continues its parent's lease if that is in this user's store (after su or sudo it is not).
  if (re:match '^[0-9a-f]{16}$' $inherited) {
    set lease = $inherited
    try { load } catch _ { nop }
  }
  if (not-eq $label '') { return }
  # A lease that is not in the store cannot be renewed here, so this shell does not claim it.
  unset-env CREDSH_LEASE
  set lease args = $wanted $selectors
  # A lease is wanted and none held: due at once, and mandatory before the first command.
  if (not-eq $lease '') { set due must = (num 0) (num 0) }
}

start @CREDSH@
