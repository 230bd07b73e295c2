# credsh: keeps temporary AWS credentials fresh in this shell. elvish (0.19).
#
# All policy is the program's; this only compares a clock with numbers the program computed. elvish has no clock: what the
# kernel says of its uptime is read instead (Linux), at the prompt and before a command, and added to what `date` said at
# the start; elsewhere `date` itself is run. While nothing is due there is nothing else: no process, no other file.
# The program's answers, and the lease's file, are JSON: the name of a function and its arguments, read as data.
# `eval` has a namespace of its own for this, which only these functions see.

use path
use re
use str

# A time that does not come: eleven nines (time.rs, NEVER).
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

# Anew whenever a program is run anyway: the clock may have been set. Until then it is told as it was, so nothing comes late
# that was due by that one. $base is in hundredths of a second too: the second changes at another moment in the uptime than
# on the clock, and whole ones would be up to a second behind it. Two are added for what the three readings cut off, and
# where `date` has no %N the whole second that it may cut off: ahead does no harm.
fn sync {
  if (not $has-uptime) { return }
  var up = (uptime)
  var date = ''
  try { set date = (e:date +%s.%N 2>/dev/null) } catch _ { nop }
  if (re:match '^[0-9]+\.[0-9]{9}$' $date) {
    set base = (- (+ (num (str:replace . '' $date[..-7])) 2) $up)
  } else {
    set base = (- (+ (* (num (e:date +%s)) 100) 101) $up)
  }
}
fn now {
  if (not $has-uptime) { num (e:date +%s); return }
  var time = (+ $base (uptime))
  / (- $time (% $time 100)) 100
}

# A variable; none if it is to be empty.
fn put-env {|name value| if (eq $value '') { unset-env $name } else { set-env $name $value } }

# The program's answer: adopt ID LABEL KEY SECRET TOKEN EXPIRATION EXPIRES WINDOW MANDATORY DUE MESSAGE
# UNTIL ZONE EARLIEST.
# Times are epoch seconds, and only ever digits.
fn adopt {|id new-label new-key secret token expiration @rest|
  var times = [(all $rest[..4]) (if (> (count $rest) 7) { put $rest[7] } else { put 0 })]
  if (not (re:match '^([0-9]{1,11} ){5}$' (str:join ' ' $times)' ')) { return }
  # With new credentials what went wrong before is over, and is told of again.
  if (not-eq $key $new-key) { set said = '' }
  set lease label key = $id $new-label $new-key
  # What has been read before is no answer to what was asked since.
  if (not (== $due $rest[3])) { set asked = (num 0) }
  set exp window must due low = (each $num~ $times)
  # UNTIL is EXPIRES's time of day where TZ is ZONE's.
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
    # The standard names: botocore reads AWS_SECURITY_TOKEN before AWS_SESSION_TOKEN, other SDKs AWS_PROFILE before keys.
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

# Nothing came; ask again at $until, which is ten seconds from now: below that, and five for noise, the clock was set back.
fn defer {|until|
  set tick = (num 0)
  if (re:match '^[0-9]{1,11}$' $until) { set due low = (num $until) (- $until 15) }
}

# The profile that the standard names have set aside, unless there is another by now.
fn restore { for name [(keys $aside)] { if (not (has-env $name)) { set-env $name $aside[$name] } } }

# Holds no lease any more: `credsh clear`, or the store has lost it.
fn drop-lease {
  for name [ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN CREDENTIAL_EXPIRATION] { unset-env $prefix'AWS_'$name }
  for name [SOURCE LEASE PROMPT] { unset-env CREDSH_$name }
  restore
  set lease label key said aside = '' '' '' '' [&]
  set exp window must due = $never $never $never $never
  set tick low = (num 0) (num 0)
}

# Does what the lines of an answer say, if it is one.
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
      # What was said already, by the program.
      set said = $words[1]
    } elif (eq $name __credsh_move) {
      # The store's directory is gone, and this is where it is now.
      set store = $words[1]
    } elif (eq $name __credsh_repeat) {
      # What is not stored is asked for again in the same words.
      set args = $words[1..]
    } elif (eq $name __credsh_drop) {
      drop-lease
    }
  }
}

# Takes over what a renewal, this shell's or another's, left in the store: no process. elvish cannot tell whose a file is;
# a link is not followed, and what is in it is data.
fn load {
  var file = $store/$lease.words
  if (and (not-eq $lease '') (path:is-regular $file)) { obey (slurp < $file) }
}

# The program, for the store that this shell looks into. With the standard names it sees the surroundings as they were
# before the lease: this shell's own output would else be a source like any other once the store has lost the lease,
# and a role's base not the profile it was.
fn run {|@words|
  if (or (not-eq $prefix '') (eq $label '') (not (has-env AWS_ACCESS_KEY_ID)) (not-eq (get-env AWS_ACCESS_KEY_ID) $key)) {
    (external $exe) --store=$store $@words
    return
  }
  var with = [(for name [(keys $aside)] { if (not (has-env $name)) { put $name'='$aside[$name] } })]
  e:env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN -u AWS_CREDENTIAL_EXPIRATION $@with $exe --store=$store $@words
}

fn program {|@words| run hook --shell=elvish --lease=$lease $@words $@args < /dev/null }

# Renews and waits for it: at most CREDSH_WAIT seconds (3), ended by Ctrl-C. Hence the pause is set beforehand: or each
# further command would be held up again.
fn wait {
  defer (to-string (+ (now) 10))
  if (not (has-external $exe)) { echo 'credsh: cannot run '$exe >&2; return }
  obey ({ try { program --wait --said=$said } catch _ { nop } } | slurp)
}

# The indicator's text, and until when it holds: $tick. The rule is prompt.rs's.
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

# Whether it is $time; or the clock was set back behind $low, and what is due is not known.
fn over {|time| var now = (now); or (>= $now $time) (< $now $low) }

# Something is due, or the indicator's text has changed. $at: prompt or exec.
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
          # The program detaches itself, so there is no job to be told of; five seconds is the longest it takes.
          set asked = $now
          obey ({ try { program 2>/dev/null } catch _ { nop } } | slurp)
        }
      }
    }
    draw
  } catch _ { nop }
}

fn paint { if (eq $text '') { return } elif (and (eq $E:NO_COLOR '') (not (has-value ['' dumb] $E:TERM))) { styled $text $color } else { put $text } }

# The two checks. Nothing but the comparison while nothing is due. Told `off`, the first takes all of it out again: that is
# how another evaluation of this, perhaps of another version, reaches into this one.
var off~ = $nop~
fn prompt-check {|&__credsh=''| if (eq $__credsh off) { off } elif (and $on (over $tick)) { cold prompt } }
fn exec-check {|_ &__credsh=''| if (and $on (over $due)) { cold exec } }

# A hook of credsh's, of this evaluation or another.
fn ours {|hook| try { has-value $hook[opt-names] __credsh } catch _ { put $false } }

# The program, but a refresh or clear changes this shell.
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
fn right-prompt { $inner; paint }

# Takes all of it out of the shell again.
fn credsh_off {
  if (not $on) { return }
  drop-lease
  set on text = $false ''
  set edit:before-readline = [(for hook $edit:before-readline { if (not (ours $hook)) { put $hook } })]
  set edit:after-readline = [(for hook $edit:after-readline { if (not (ours $hook)) { put $hook } })]
  # One that somebody has put round ours stays, and shows nothing of it.
  if (eq $edit:prompt $left-prompt~) { set edit:prompt = $inner }
  if (eq $edit:rprompt $right-prompt~) { set edit:rprompt = $inner }
  edit:del-var credsh~
  edit:del-var credsh_off~
}
set off~ = $credsh_off~

# EXE PREFIX SIDE TIME STORE LEASE [SELECTOR...]: from `credsh init`.
fn start {|new-exe new-prefix new-side new-when new-store wanted @selectors|
  var inherited = $E:CREDSH_LEASE
  # What was there before makes room; its lease is gone on with.
  for hook $edit:before-readline { if (ours $hook) { $hook &__credsh=off } }
  set exe prefix side when store on = $new-exe $new-prefix $new-side $new-when $new-store $true
  sync
  set edit:before-readline = (conj $edit:before-readline $prompt-check~)
  set edit:after-readline = (conj $edit:after-readline $exec-check~)
  if (eq $side left) { set inner = $edit:prompt; set edit:prompt = $left-prompt~ }
  if (eq $side right) { set inner = $edit:rprompt; set edit:rprompt = $right-prompt~ }
  edit:add-var credsh~ $credsh~
  edit:add-var credsh_off~ $credsh_off~
  # A nested shell goes on with its parent's lease, if it is in this user's store (after su or sudo it is not).
  if (re:match '^[0-9a-f]{16}$' $inherited) {
    set lease = $inherited
    try { load } catch _ { nop }
  }
  if (not-eq $label '') { return }
  # What nobody here can renew is no lease of this shell's.
  unset-env CREDSH_LEASE
  set lease args = $wanted $selectors
  # Nothing held and something wanted: due at once, and before the first command mandatory.
  if (not-eq $lease '') { set due must = (num 0) (num 0) }
}

start @CREDSH@
