# shellcheck shell=bash
# credsh: keeps temporary AWS credentials fresh in this shell. bash 3.2 to 5.3.
#
# All policy lives in the program; this only compares a builtin clock with numbers it computed. While nothing is due, that is
# one comparison in PROMPT_COMMAND and one in PS0, before a command: no fork, no file.
# `\builtin` throughout, as the user's functions and aliases may shadow builtins. Against a function named `builtin` nothing
# helps: then the hook is not set up.
# Does nothing, silently, in a shell that is not interactive or is restricted.
# shellcheck disable=SC2016
if [[ $- == *i* && $- != *r* ]] && { [[ -n ${BASH_VERSION-} ]] || ! \printf '%s\n' 'credsh: not set up: this hook is for bash; for zsh, use `eval "$(credsh init zsh)"`' >&2; } && { ! \declare -F builtin >/dev/null || ! \printf '%s\n' 'credsh: not set up: this shell has a function named `builtin`' >&2; }; then

# A hook of another version is removed by its own credsh_off, which knows what it put where; its lease is kept.
__credsh_replace() {
  \builtin local _credsh_lease="${CREDSH_LEASE-}"
  credsh_off
  if [[ -n $_credsh_lease ]]; then \builtin export "CREDSH_LEASE=$_credsh_lease"; fi
}
if [[ ${__credsh_installed[1]-} == 1 && ${__credsh_version-} != @VERSION@ ]]; then __credsh_replace; fi
__credsh_version=@VERSION@

# Eleven nines: a time that never comes (NEVER in time.rs).
__credsh_never=99999999999

# Runs "$@" with set -x and set -v off, as a trace would show the secrets. Ctrl-C ends this function before it restores them:
# then __credsh_tick=0 makes the next prompt call it again, and that does, from __credsh_traced. A nested call, as from a
# signal's trap, leaves all of that to the outer one.
__credsh_untraced() {
  { \builtin local _credsh_outer="${__credsh_quiet-}" __credsh_quiet=1 _credsh_opts="${__credsh_traced:-$-}" _credsh_code=0; \builtin set +vx; } 2>/dev/null
  if [[ -z $_credsh_outer && $_credsh_opts == *[vx]* ]]; then __credsh_traced=$_credsh_opts __credsh_tick=0; fi
  "$@" || _credsh_code=$?
  if [[ -n $_credsh_outer ]]; then \builtin return "$_credsh_code"; fi
  { __credsh_traced=''; [[ $_credsh_opts != *v* ]] || \builtin set -v; [[ $_credsh_opts != *x* ]] || \builtin set -x; \builtin return "$_credsh_code"; } 2>/dev/null
}

# Leaves PS0's text $1 without the gate, and without the backslash that keeps one of the user's from quoting it, in
# _credsh_theirs of the caller. One backslash in what is printed is two in PS0.
__credsh_without_gate() {
  \builtin local _credsh_one=\\\\
  _credsh_theirs=${1//"$_credsh_one$_credsh_one$__credsh_ps0"/"$_credsh_one"}
  _credsh_theirs=${_credsh_theirs//"$__credsh_ps0"/}
}

# Keeps the gate last in PS0: if its SIGURG arrives while bash 5.2 parses a command substitution after it, trap and
# substitution both fail ("unexpected EOF"), and the shell may die of it. A backslash at the end of the user's PS0, as of an OSC
# sequence that ends in `\e\\`, would quote it, so it gets a backslash of its own; behind more of them than that the gate goes
# first. Checked at every redraw, as other tools prepend to PS0, append to it and assign it outright. Whoever has
# appended a substitution once may do so at each prompt: then each is a redraw. Without `promptvars` bash would print the
# gate's text.
__credsh_gate_last() {
  \builtin local _credsh_was="${PS0-}" _credsh_theirs
  if [[ -z $__credsh_ps0 ]]; then \builtin return 0; fi
  __credsh_without_gate "$_credsh_was"
  if ! \builtin shopt -q promptvars; then
    \builtin :
  elif [[ $_credsh_theirs == *[!\\]\\\\ ]]; then
    _credsh_theirs+=\\\\$__credsh_ps0
  elif [[ $_credsh_theirs == *\\ ]]; then
    _credsh_theirs=$__credsh_ps0$_credsh_theirs
  else
    _credsh_theirs+=$__credsh_ps0
  fi
  if [[ $_credsh_theirs != "$_credsh_was" ]]; then
    PS0=$_credsh_theirs
    if [[ $__credsh_ps0 == *__credsh_signal* && $_credsh_was == *"$__credsh_ps0"*\$\(* ]]; then
      __credsh_pushed=1
      __credsh_last
    fi
  fi
  if [[ -n $__credsh_pushed ]]; then __credsh_tick=0; fi
}

# PS1 without the segment $1, and without VS Code's marks: its script wraps any PS1 but the one it set last, so each change of
# ours would nest another pair of marks.
__credsh_bare() {
  if [[ -n ${__vsc_custom_PS1-} && ${PS1-} == "$__vsc_custom_PS1" ]]; then PS1=${__vsc_original_PS1-}; fi
  if [[ -n $1 && ${PS1-} == *"$1"* ]]; then PS1=${PS1//"$1"/}; fi
}

# Puts the segment into PS1 and the gate into PS0. PS1 names variables instead of holding the text, so it may be copied,
# saved and restored (virtualenv does) without the segment going stale or doubling. If PS1 is assigned outright, the segment
# is back at the next prompt.
__credsh_put() {
  if ! \builtin shopt -q promptvars; then
    if [[ -n $__credsh_ps1 && ${PS1-} == *"$__credsh_ps1"* ]]; then __credsh_bare "$__credsh_ps1"; fi
  elif [[ ${PS1-} != *"$__credsh_mark"* ]]; then
    __credsh_bare "$__credsh_ps1"
    PS1=$__credsh_ps1${PS1-}
    if [[ -n $__credsh_shown ]]; then __credsh_last; fi
    __credsh_shown=1
  fi
  # A later PROMPT_COMMAND=... replaces only element 0: an element of our own survives it, a part of a string does not.
  if [[ ${__credsh_single-} == 1 && "${PROMPT_COMMAND[*]-} ${__vsc_original_prompt_command[*]-}" != *"$__credsh_check"* ]]; then __credsh_settle; fi
  __credsh_gate_last
  # The length of PS1 that the check in PROMPT_COMMAND compares with; 0, no comparison, while PS1 has no segment.
  __credsh_len=0
  if [[ -n $__credsh_mark && ${PS1-} == *"$__credsh_mark"* ]]; then __credsh_len=${#PS1}; fi
}

# A prompt tool installed later that rebuilds PS1 each time must run before the check, so the check moves behind it. Not with
# bash-preexec, which breaks if anything follows it in PROMPT_COMMAND.
__credsh_last() {
  \builtin local _credsh_i _credsh_last=0
  if [[ ${__credsh_single-} == 1 ]]; then
    # Replaced by `:`, as a separator left with nothing to separate is a syntax error.
    if [[ ${PROMPT_COMMAND-} == *"$__credsh_check"?* && -z ${bash_preexec_imported-}${__bp_imported-} ]]; then
      PROMPT_COMMAND=${PROMPT_COMMAND/"$__credsh_check"/:}
      __credsh_settle
    fi
    \builtin return 0
  fi
  for _credsh_i in ${PROMPT_COMMAND[@]+"${!PROMPT_COMMAND[@]}"}; do _credsh_last=$_credsh_i; done
  if ((_credsh_last > __credsh_place)) && [[ ${PROMPT_COMMAND[__credsh_place]-} == "$__credsh_check" && -z ${bash_preexec_imported-}${__bp_imported-} ]]; then
    \builtin unset -v "PROMPT_COMMAND[$__credsh_place]"
    __credsh_settle
  fi
}

# Puts the check at the end of PROMPT_COMMAND, to see the PS1 that the others have set. From bash 5.1 on in an array element
# of its own: each element gets `$?`, PIPESTATUS and `$_` untouched, and one at an index far past the rest survives a later
# PROMPT_COMMAND=... But VS Code's DEBUG trap would take a check after its own command for the next command typed: so into
# its list, or, before its script has run, into the string that it will run first. And an exported PROMPT_COMMAND stays a
# string, as arrays are not exported; a child may have inherited the check in it.
__credsh_settle() {
  \builtin local _credsh_i _credsh_last=-1
  if [[ ${PROMPT_COMMAND[0]-} == __vsc_prompt_cmd* ]]; then
    __vsc_original_prompt_command+=("$__credsh_check")
    PROMPT_COMMAND[0]=__vsc_prompt_cmd_original
  elif [[ -z ${__credsh_single-} ]]; then
    for _credsh_i in ${PROMPT_COMMAND[@]+"${!PROMPT_COMMAND[@]}"}; do _credsh_last=$_credsh_i; done
    __credsh_place=$((_credsh_last + 8))
    PROMPT_COMMAND[__credsh_place]=$__credsh_check
  elif [[ ${PROMPT_COMMAND-} != *"$__credsh_check"* ]]; then
    # shellcheck disable=SC2128,SC2178
    PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}$__credsh_check
  fi
}

# The slow path, when a check has found more to do. $1: prompt or exec. With no lease and nothing due, that is only to put
# segment and gate back in place.
__credsh_cold() {
  # kitty's script appends to PS0 at each prompt, and still does so after the first check, whose gate cannot fire then: so
  # this one does that work.
  if [[ -z $__credsh_pushed && $1 == prompt && $__credsh_ps0 == *__credsh_signal* && -n ${_ksi_prompt[*]+set} ]]; then
    __credsh_pushed=1
    __credsh_last
    \builtin set -- exec
  fi
  if [[ -n $__credsh_label ]] || ((__credsh_clock >= __credsh_due || __credsh_clock < __credsh_low)); then
    __credsh_look "$1"
  else
    __credsh_text='' __credsh_color='' __credsh_reset='' __credsh_tick=$__credsh_due
    __credsh_put
  fi
}

# The two checks as functions, for where an expansion will not do (see __credsh_install). While nothing is due, only the
# comparison, with stderr closed, or set -x would show it at every prompt. (A user's trap that fires just then loses its
# stderr too; but a trace at each prompt is what people would notice.)
__credsh_prompt() {
  { ((__credsh_clock < __credsh_tick && __credsh_clock >= __credsh_low)) && [[ ${PS1-} == *"$__credsh_mark"* ]]; } 2>&- || __credsh_untraced __credsh_cold prompt
}
__credsh_preexec() {
  if [[ $__credsh_clock != EPOCHSECONDS ]]; then __credsh_read_clock; fi
  if ((__credsh_clock >= __credsh_due || __credsh_clock < __credsh_low)); then __credsh_untraced __credsh_cold exec; fi
  \builtin : "${1-}"
}

# What the check in PROMPT_COMMAND calls.
__credsh_stale() { __credsh_untraced __credsh_cold prompt; }

# The program, except that refresh and clear also change this shell. `function`, as an alias of that name would break
# `credsh()`. Not in the rest, which is evaluated late and would overwrite a user's function wrapped round this one.
function credsh { __credsh_typed "$@"; }

# rest: __credsh_look __credsh_load __credsh_older __credsh_adopt __credsh_drop __credsh_restore __credsh_typed credsh_off
# Up to the end marker: what a newer bash without a lease seldom calls. `init` hands it to such a shell as one string, which
# is evaluated when one of the functions named above is first called: a shell reads a string in a third of the time that it
# takes to parse code (src/shell/mod.rs).

# The program's answer, as code: adopt ID LABEL KEY SECRET TOKEN EXPIRATION EXPIRES WINDOW MANDATORY DUE MESSAGE UNTIL ZONE
# EARLIEST.
# Times are epoch seconds. Anything but digits is refused: bash would execute `a[$(cmd)]` in (( )).
__credsh_adopt() {
  if [[ $7$8$9${10}${14-} == *[!0-9]* ]]; then \builtin return 0; fi
  \builtin local _credsh_p="$__credsh_prefix"
  # The same DUE is the same lease read again: the renewal asked for is still under way.
  if [[ ${10} != "$__credsh_due" ]]; then __credsh_asked=0; fi
  # New credentials end the failure last reported: if it recurs, it is reported again.
  if [[ $3 != "${__credsh_key-}" ]]; then __credsh_said=''; fi
  __credsh_lease=$1 __credsh_label=$2 __credsh_key=$3 __credsh_exp=$7 __credsh_window=$8 __credsh_must=$9 __credsh_due=${10} __credsh_low=${14:-0}
  \builtin export "${_credsh_p}AWS_ACCESS_KEY_ID=$3" "${_credsh_p}AWS_SECRET_ACCESS_KEY=$4" "CREDSH_SOURCE=$2" "CREDSH_LEASE=$1"
  if [[ -n $5 ]]; then \builtin export "${_credsh_p}AWS_SESSION_TOKEN=$5"; else \builtin unset -v "${_credsh_p}AWS_SESSION_TOKEN"; fi
  if [[ -n $6 ]]; then \builtin export "${_credsh_p}AWS_CREDENTIAL_EXPIRATION=$6"; else \builtin unset -v "${_credsh_p}AWS_CREDENTIAL_EXPIRATION"; fi
  if [[ -z $_credsh_p ]]; then
    # Standard names: botocore prefers AWS_SECURITY_TOKEN to AWS_SESSION_TOKEN, other SDKs AWS_PROFILE to keys.
    __credsh_profile=${AWS_PROFILE-${__credsh_profile-}} __credsh_default=${AWS_DEFAULT_PROFILE-${__credsh_default-}}
    \builtin unset -v AWS_SECURITY_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE
  fi
  __credsh_until=${12-} __credsh_zone=${13-}
  __credsh_tick=0
  if [[ -n ${11} && ${11} != "${__credsh_said-}" ]]; then
    __credsh_said=${11}
    \builtin printf 'credsh: %s\n' "${11}" >&2
  fi
}

# No answer: ask again at $1, ten seconds from now. A clock more than 15 s before that (5 s are slack) was set back.
__credsh_defer() {
  __credsh_tick=0
  if [[ $1 != *[!0-9]* ]]; then __credsh_due=$1 __credsh_low=$(($1 - 15)); fi
}

# The program has printed this message itself; the lease's file may repeat it.
__credsh_heard() { __credsh_said=$1; }

# The old store is gone or refused; this is the one to use now.
__credsh_move() { __credsh_store=$1; }

# With --no-store only the shell remembers what to ask for again.
__credsh_repeat() { __credsh_args=("$@"); }

# The profile set aside for the standard names comes back, unless another was set since.
__credsh_restore() {
  if [[ -n ${__credsh_profile-} && -z ${AWS_PROFILE+set} ]]; then \builtin export "AWS_PROFILE=$__credsh_profile"; fi
  if [[ -n ${__credsh_default-} && -z ${AWS_DEFAULT_PROFILE+set} ]]; then \builtin export "AWS_DEFAULT_PROFILE=$__credsh_default"; fi
}

# No lease any more: after `credsh clear`, or because the store lost it.
__credsh_drop() {
  \builtin local _credsh_p="$__credsh_prefix"
  \builtin unset -v "${_credsh_p}AWS_ACCESS_KEY_ID" "${_credsh_p}AWS_SECRET_ACCESS_KEY" "${_credsh_p}AWS_SESSION_TOKEN" \
    "${_credsh_p}AWS_CREDENTIAL_EXPIRATION" CREDSH_SOURCE CREDSH_LEASE CREDSH_PROMPT
  __credsh_restore
  __credsh_lease='' __credsh_label='' __credsh_profile='' __credsh_default='' __credsh_said=''
  __credsh_exp=$__credsh_never __credsh_window=$__credsh_never __credsh_must=$__credsh_never __credsh_due=$__credsh_never __credsh_tick=0 __credsh_low=0
}

# Adopts what a renewal by this shell or another left in the store, without a fork. The owner is checked again, as somebody
# else may have created the store since `init` checked, and a symlink of theirs could name any file of the user's.
__credsh_load() {
  \builtin local _credsh_file="$__credsh_store/$__credsh_lease.sh"
  if [[ -n $__credsh_lease && -f $_credsh_file && -O $_credsh_file && ! -L $_credsh_file ]]; then \builtin . "$_credsh_file"; fi
}

# Runs the program on this shell's store. Under the standard names it sees the environment from before the lease: otherwise
# the keys exported here would pass for a source once the store has lost the lease, and a role would lose its base profile.
__credsh_run() {
  if [[ -n $__credsh_prefix || -z $__credsh_label || ${AWS_ACCESS_KEY_ID-} != "$__credsh_key" ]]; then
    "$__credsh_exe" --store="$__credsh_store" "$@"
  else
    (
      \builtin unset -v AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION
      __credsh_restore
      \builtin exec "$__credsh_exe" --store="$__credsh_store" "$@"
    )
  fi
}

__credsh_program() {
  __credsh_run hook --shell=bash --lease="$__credsh_lease" "$@" ${__credsh_args[@]+"${__credsh_args[@]}"} </dev/null
}

# Renews, waiting for at most CREDSH_WAIT seconds (3). Ctrl-C ends the wait and this function with it, so the pause is set
# first, or each later command would be held up again.
__credsh_wait() {
  \builtin local _credsh_code=''
  __credsh_defer "$(($1 + 10))"
  _credsh_code=$({ \builtin trap - DEBUG RETURN ERR; } >&2; CREDSH_WAIT=${CREDSH_WAIT-} __credsh_program --wait --said="${__credsh_said-}") || \builtin :
  __credsh_obey "$_credsh_code" || \builtin :
}

# Evaluates an answer of the program's, whatever that returns; false if $1 is not one. The substitutions that read an answer
# reset the user's traps first, as under set -T those would print into it; `>&2`, as DEBUG still fires for that `trap`.
__credsh_obey() {
  if [[ $1 != __credsh_* ]]; then \builtin return 1; fi
  \builtin eval "$1"
  \builtin return 0
}

# Something is due, the segment's text is out of date, or the clock was set back below __credsh_low, which leaves open what
# is due. $1: prompt or exec.
__credsh_look() {
  \builtin local _credsh_now="$((__credsh_clock))" _credsh_code=''
  if ((_credsh_now >= __credsh_due || _credsh_now < __credsh_low)); then
    __credsh_load
    if ((_credsh_now < __credsh_due && _credsh_now >= __credsh_low)); then
      \builtin :
    elif [[ $1 == exec ]] && ((_credsh_now >= __credsh_must || _credsh_now < __credsh_low)); then
      __credsh_wait "$_credsh_now"
    elif ((_credsh_now >= __credsh_asked + 5 || _credsh_now < __credsh_asked)); then
      # The program detaches itself, so no job is reported. Not run again for five seconds; a slower one holds a lock. In a
      # substitution, as a plain command run by PS0's trap would show as a finished job in a `jobs` typed just then.
      __credsh_asked=$_credsh_now
      _credsh_code=$({ \builtin trap - DEBUG RETURN ERR; } >&2; __credsh_program 2>/dev/null) || \builtin :
      __credsh_obey "$_credsh_code" || \builtin :
    fi
  fi
  __credsh_draw "$((__credsh_clock))"
}

# Sets the segment's text as of $1, and __credsh_tick to when that next changes. The rule is prompt.rs's.
__credsh_draw() {
  \builtin local _credsh_now="$1" _credsh_left="$((__credsh_exp - $1))" _credsh_time='' _credsh_color=32 _credsh_tick="$__credsh_due"
  if [[ -z $__credsh_label ]]; then
    __credsh_text='' __credsh_color='' __credsh_reset='' __credsh_tick=$__credsh_due
  else
    if ((__credsh_exp >= __credsh_never)); then
      \builtin :
    elif ((_credsh_left <= 0)); then
      _credsh_time=' expired' _credsh_color=31
    else
      # UNTIL is EXPIRES as a time of day in ZONE: of no use under another TZ.
      if [[ $__credsh_time == until && -n $__credsh_until && $__credsh_zone == "${TZ+=$TZ}" ]] && ((_credsh_left < 64800)); then
        _credsh_time=" until $__credsh_until" _credsh_tick=$__credsh_exp
      elif ((_credsh_left < 120)); then
        _credsh_time=" ${_credsh_left}s" _credsh_tick=$((_credsh_now + 1))
      elif ((_credsh_left <= 5400)); then
        _credsh_time=" $((_credsh_left / 60))m" _credsh_tick=$((__credsh_exp - _credsh_left / 60 * 60 + 1))
      else
        _credsh_time=" $((_credsh_left / 3600))h" _credsh_tick=$((_credsh_left < 7200 ? __credsh_exp - 5400 : __credsh_exp - _credsh_left / 3600 * 3600 + 1))
      fi
      if ((_credsh_now >= __credsh_window)); then _credsh_color=33; elif ((_credsh_tick > __credsh_window)); then _credsh_tick=$__credsh_window; fi
      if ((_credsh_tick > __credsh_due)); then _credsh_tick=$__credsh_due; fi
    fi
    __credsh_tick=$_credsh_tick
    \builtin export "CREDSH_PROMPT=$__credsh_label$_credsh_time"
    __credsh_text="[$__credsh_label$_credsh_time]"
    if [[ $__credsh_side == left ]]; then __credsh_text+=' '; fi
    if [[ -z ${NO_COLOR-} && ${TERM-dumb} != dumb ]]; then __credsh_color=$'\e['${_credsh_color}m __credsh_reset=$'\e[0m'; fi
  fi
  __credsh_put
}

__credsh_typed() {
  case ${1-} in
    refresh | clear) __credsh_untraced __credsh_command "$@" ;;
    doctor) CREDSH_HOOK="bash$(__credsh_report)" __credsh_run "$@" ;;
    *) __credsh_run "$@" ;;
  esac
}
# Which checks are in place, for `credsh doctor`.
__credsh_report() {
  \builtin local _credsh_all _credsh_last
  # An array in any case: of a string, `: -1` would be the last character.
  _credsh_all=(${PROMPT_COMMAND[@]+"${PROMPT_COMMAND[@]}"})
  if [[ ${PROMPT_COMMAND[0]-} == __vsc_prompt_cmd_original ]]; then _credsh_all+=(${__vsc_original_prompt_command[@]+"${__vsc_original_prompt_command[@]}"}); fi
  _credsh_last="${_credsh_all[*]+"${_credsh_all[*]: -1}"} ${precmd_functions[*]+"${precmd_functions[*]: -1}"}"
  _credsh_last=${_credsh_last/"$__credsh_check"/__credsh_prompt}
  if [[ "${_credsh_all[*]-} ${precmd_functions[*]-}" == *__credsh_* ]]; then
    \builtin printf ' prompt'
    if [[ $_credsh_last' ' != *__credsh_prompt' '* ]]; then \builtin printf ' not-last'; fi
  fi
  if [[ "${PS0-} ${preexec_functions[*]-} $(\builtin trap -p DEBUG)" == *__credsh_* ]]; then \builtin printf ' preexec'; fi
}
__credsh_command() {
  \builtin local _credsh_code='' _credsh_status=0
  _credsh_code=$({ \builtin trap - DEBUG RETURN ERR; } >&2; __credsh_run --hooked=bash "$@") || _credsh_status=$?
  if __credsh_obey "$_credsh_code"; then
    __credsh_draw "$((__credsh_clock))"
  elif [[ -n $_credsh_code ]]; then
    \builtin printf '%s\n' "$_credsh_code"
  fi
  \builtin return "$_credsh_status"
}

# Takes all of it out of the shell again.
function credsh_off {
  \builtin local _credsh_i _credsh_name _credsh_first=''
  # compgen prints a name a line. Where IFS is readonly, this fails, and the default is assumed.
  { \builtin local IFS=$'\n'; } 2>/dev/null
  if [[ ${__credsh_installed[1]-} != 1 ]]; then \builtin return 0; fi
  __credsh_drop
  # The segment goes from PS1, and from the copy that virtualenv restores later.
  if [[ -n $__credsh_ps1 ]]; then
    # PS1 may be readonly by now, and in posix mode a failed `unset` ends more than itself: so in a subshell.
    if [[ -n ${PS1-} ]] && (\builtin unset -v PS1) 2>/dev/null; then __credsh_bare "$__credsh_ps1"; fi
    if [[ -n ${_OLD_VIRTUAL_PS1-} ]]; then _OLD_VIRTUAL_PS1=${_OLD_VIRTUAL_PS1//"$__credsh_ps1"/}; fi
  fi
  if [[ -n $__credsh_ps0 ]]; then
    if (\builtin unset -v PS0) 2>/dev/null; then
      \builtin local _credsh_theirs
      __credsh_without_gate "${PS0-}"
      PS0=$_credsh_theirs
      if [[ -z $PS0 ]]; then \builtin unset -v PS0; fi
    fi
    if [[ $(\builtin trap -p URG) == *__credsh_preexec* ]]; then \builtin trap - URG; fi
  elif [[ $(\builtin trap -p DEBUG) == *__credsh_preexec* ]]; then
    \builtin trap - DEBUG
  fi
  for _credsh_i in ${precmd_functions[@]+"${!precmd_functions[@]}"}; do
    if [[ ${precmd_functions[_credsh_i]} == __credsh_prompt ]]; then \builtin unset -v "precmd_functions[$_credsh_i]"; fi
  done
  for _credsh_i in ${preexec_functions[@]+"${!preexec_functions[@]}"}; do
    if [[ ${preexec_functions[_credsh_i]} == __credsh_preexec ]]; then \builtin unset -v "preexec_functions[$_credsh_i]"; fi
  done
  # `others`: bash-preexec runs the check, or PROMPT_COMMAND is readonly.
  if [[ $__credsh_commands != others ]]; then
    for _credsh_i in ${PROMPT_COMMAND[@]+"${!PROMPT_COMMAND[@]}"}; do
      if [[ ${PROMPT_COMMAND[_credsh_i]} == "$__credsh_check" ]]; then
        if ((_credsh_i == 0)); then _credsh_first=1; fi
        \builtin unset -v "PROMPT_COMMAND[$_credsh_i]"
      else
        PROMPT_COMMAND[_credsh_i]=${PROMPT_COMMAND[_credsh_i]/$'\n'"$__credsh_check"/}
        PROMPT_COMMAND[_credsh_i]=${PROMPT_COMMAND[_credsh_i]#"$__credsh_check"$'\n'}
      fi
    done
    for _credsh_i in ${__vsc_original_prompt_command[@]+"${!__vsc_original_prompt_command[@]}"}; do
      __vsc_original_prompt_command[_credsh_i]=${__vsc_original_prompt_command[_credsh_i]/"$__credsh_check"/}
    done
  fi
  # The check at [0] had moved the rest up by one: close the gap.
  if [[ -n $_credsh_first && -n ${__credsh_shifted-} && -n ${PROMPT_COMMAND[*]+set} ]]; then PROMPT_COMMAND=("${PROMPT_COMMAND[@]}"); fi
  # ble.sh restores its copy of PROMPT_COMMAND after each command, and would not notice that an array is one no longer.
  if [[ -n ${BLE_ATTACHED-} ]]; then __credsh_commands=array; fi
  # We made it an array: it becomes what it was, unless others have added to it.
  case $__credsh_commands in
    none) if [[ -z ${PROMPT_COMMAND[*]+set} ]]; then \builtin unset -v PROMPT_COMMAND; fi ;;
    string | exported) if [[ -n ${PROMPT_COMMAND[*]+set} ]] && ((${#PROMPT_COMMAND[@]} == 1)); then _credsh_name=${PROMPT_COMMAND[0]-}; \builtin unset -v PROMPT_COMMAND; \builtin printf -v PROMPT_COMMAND %s "$_credsh_name"; fi ;;
  esac
  if [[ $__credsh_commands == exported ]]; then \builtin export PROMPT_COMMAND; fi
  \builtin unset -f credsh credsh_off
  for _credsh_name in $(\builtin compgen -A function __credsh_); do \builtin unset -f "$_credsh_name"; done
  for _credsh_name in $(\builtin compgen -v __credsh_); do \builtin unset -v "$_credsh_name"; done
}
# Below 4.4 the check may be a DEBUG trap, which only functions with the trace attribute inherit: without it, this one would
# not see the trap, and bash would restore it on return.
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then \builtin declare -ft credsh_off; fi

# What bash needs instead before 5.1 (survey, prompt), 5.0 (clock) and 4.4 (preexec). Uses its callers' locals.
__credsh_older() {
  case $1 in
    survey)
      \builtin local _credsh_facts _credsh_line
      _credsh_facts=$(\builtin readonly -p; \builtin echo "@COMMANDS"; \builtin declare -p PROMPT_COMMAND 2>/dev/null || \builtin :)
      _credsh_locked=${_credsh_facts%%@COMMANDS*} _credsh_commands=${_credsh_facts#*@COMMANDS}
      case $_credsh_commands in *'declare -a'*) _credsh_commands=array ;; *'declare -x'*) _credsh_commands=exported ;; ?*) _credsh_commands=string ;; esac
      for _credsh_line in PS0 PS1 PROMPT_COMMAND; do
        if [[ $_credsh_locked == *[[:space:]]"$_credsh_line"[=[:space:]]* ]]; then _credsh_locked+=" @$_credsh_line "; fi
      done
      ;;
    clock)
      if ((_credsh_version >= 402)); then
        __credsh_clock=__credsh_t0
        __credsh_read_clock() { \builtin printf -v __credsh_t0 '%(%s)T' -1; }
        __credsh_read_clock
      else
        __credsh_clock=__credsh_t0+SECONDS __credsh_seconds=$((SECONDS + 1))
        __credsh_read_clock() {
          if ((SECONDS < __credsh_seconds)); then __credsh_t0=$(($(\command date +%s) - SECONDS)); fi
          __credsh_seconds=$SECONDS
        }
        __credsh_read_clock
      fi
      ;;
    preexec)
      if [[ -n ${BLE_VERSION-}${bash_preexec_imported-}${__bp_imported-} ]]; then
        preexec_functions+=(__credsh_preexec)
      elif [[ -z ${__credsh_trap##trap -- - *} ]]; then
        \builtin trap '__credsh_preexec "$_"' DEBUG
        # The stub that stands in for credsh_off needs the trace attribute as well (see there).
        \builtin declare -ft credsh_off
      fi
      ;;
    prompt)
      # PROMPT_COMMAND is one string, and what follows the check in it expects the user's status: so return that. Not under
      # set -e, where a failure here would end the shell.
      __credsh_prompt() {
        \builtin local _credsh_last="$?"
        if [[ $__credsh_clock != EPOCHSECONDS ]]; then __credsh_read_clock; fi
        { ((__credsh_clock < __credsh_tick && __credsh_clock >= __credsh_low)) && [[ ${PS1-} == *"$__credsh_mark"* ]]; } 2>&- || __credsh_untraced __credsh_cold prompt
        if [[ $- == *e* ]]; then _credsh_last=0; fi
        \builtin return "$_credsh_last"
      }
      ;;
  esac
}

# end of the rest

# Finds what is in the way of the checks: which variables are readonly (to assign one would abort the eval of this text),
# what PROMPT_COMMAND is, and whether the user traps SIGURG. From 5.1 on without a fork, as every new shell does this.
__credsh_survey() {
  \builtin local -a _credsh_status
  if (($1 < 501)); then
    __credsh_older survey
  else
    # Under set -u, `@a` of an unset variable is an error. One declared without a value is rare enough for a fork.
    if [[ ${PS0+${PS0@a}} == *r* ]] || { [[ -z ${PS0+set} ]] && \builtin declare -p PS0 && ! (\builtin unset -v PS0); } >/dev/null 2>&1; then _credsh_locked+=' @PS0 '; fi
    if [[ ${PS1+${PS1@a}} == *r* ]]; then _credsh_locked+=' @PS1 '; fi
    # `@a` yields the array's attributes once per element. Only the first counts: IFS might join them with a letter.
    _credsh_status=(${PROMPT_COMMAND[*]+"${PROMPT_COMMAND[@]@a}"})
    _credsh_commands=${PROMPT_COMMAND[*]+-${_credsh_status[0]-}}
    if [[ -z $_credsh_commands ]] && \builtin declare -p PROMPT_COMMAND >/dev/null 2>&1; then
      _credsh_commands=-a
      (\builtin unset -v PROMPT_COMMAND) 2>/dev/null || _credsh_commands=-ar
    fi
    if [[ $_credsh_commands == *r* ]]; then _credsh_locked+=' @PROMPT_COMMAND '; fi
    case $_credsh_commands in *a*) _credsh_commands=array ;; *x*) _credsh_commands=exported ;; ?*) _credsh_commands=string ;; esac
  fi
  if (($1 < 404 || $1 >= 503)); then \builtin return 0; fi
  # To read `trap -p` takes a fork, but Linux lists in /proc what is ignored or caught: SIGURG is 23, the third bit of the
  # sixth hex digit from the end. In posix mode bash lists the default as a trap too, of `-`.
  \builtin mapfile -d '' _credsh_status 2>/dev/null </proc/self/status || \builtin :
  if [[ ${_credsh_status[0]-} == *$'\nSigCgt:'* ]]; then
    if [[ ${_credsh_status[0]} == *$'\nSig'[IC]g[nt]:$'\t'??????????[4-7c-f]?????$'\n'* ]]; then _credsh_urg=taken; fi
    \builtin return 0
  fi
  _credsh_urg=$(\builtin trap -p URG)
  _credsh_urg=${_credsh_urg##trap -- - *}
}

# Puts the checks where this bash has a place for them.
__credsh_install() {
  \builtin local _credsh_version="$((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]))" _credsh_locked='' _credsh_commands='' _credsh_urg='' _credsh_kitty=''
  __credsh_survey "$_credsh_version"
  # By version, never by "is it set": before 5.0 an inherited EPOCHSECONDS is a plain variable. Below 4.2 the clock is
  # t0+SECONDS, which follows the wall clock, through a suspend too; people set SECONDS to 0 to time a command: then t0 is
  # reset.
  if ((_credsh_version >= 500)); then
    __credsh_clock=EPOCHSECONDS
  else
    __credsh_older clock
  fi
  # PS0 is expanded before every command, whatever its form, but below 5.3 cannot run code in this shell: there the gate
  # sends the shell a SIGURG, ignored by default, whose trap runs before the command does. (A DEBUG trap misses subshells,
  # costs at every simple command, and may be the user's.) A subscript is arithmetic, and as __credsh_gate has only an
  # element 1, `:+` yields something only if the comparison in it is true. (4.4 has no EPOCHSECONDS, but decodes `\D{%s}` in
  # PS0.) In 5.0 to 5.2 the comparison is an offset into an empty string instead, and `?:` evaluates __credsh_signal, and the
  # substitution in its text, only if it is true: in PS0 itself that would be parsed before every command, which takes longer
  # than all the rest. It sends nothing while a substitution follows (see __credsh_gate_last).
  # shellcheck disable=SC2034,SC2016
  __credsh_gate=([1]=1) __credsh_nil='' __credsh_signal='__credsh_gate[$([[ ${PS0##*"$__credsh_ps0"} == *\$\(* ]] || \builtin kill -URG "$$")1]' __credsh_ps0='' __credsh_pushed=''
  # shellcheck disable=SC2016
  if ((_credsh_version >= 503)); then
    __credsh_ps0='${__credsh_gate[EPOCHSECONDS>=__credsh_due||EPOCHSECONDS<__credsh_low]:+${ __credsh_preexec "$_" >&2; }}'
  elif ((_credsh_version >= 500)); then
    __credsh_ps0='${__credsh_nil:EPOCHSECONDS>=__credsh_due||EPOCHSECONDS<__credsh_low?__credsh_signal:0}'
  elif ((_credsh_version >= 404)); then
    __credsh_ps0='${__credsh_gate[\D{%s}>=__credsh_due||\D{%s}<__credsh_low]:+$(\builtin kill -URG "$$")}'
  fi
  if [[ -n $__credsh_ps0 ]] && [[ $_credsh_locked != *' @PS0 '* ]] && { ((_credsh_version >= 503)) || [[ -z $_credsh_urg ]]; }; then
    __credsh_gate_last
    if ((_credsh_version < 503)); then \builtin trap '__credsh_preexec "$_"' URG; fi
  else
    __credsh_ps0=
    if ((_credsh_version < 404)); then __credsh_older preexec; fi
  fi
  # bash-preexec gets the check in its own list: an element after its own in PROMPT_COMMAND breaks it (0.5, 0.6).
  if [[ -n ${bash_preexec_imported-}${__bp_imported-} ]]; then
    __credsh_commands=others
    precmd_functions+=(__credsh_prompt)
  elif [[ $_credsh_locked == *' @PROMPT_COMMAND '* ]]; then
    __credsh_commands=others
  else
    __credsh_commands=${_credsh_commands:-none}
    if ((_credsh_version >= 501)); then
      # An expansion, not a call: gated as in PS0, it comes to no command while nothing is due, so set -x shows nothing, and
      # it is cheaper. (Quoted, as IFS may hold a letter of the name.) A changed PS1 is recognized by its length, which is
      # cheaper than to search it for the segment; one of the same length is caught when the text next changes. `${PS1+`:
      # under set -u the length of an unset PS1 is an error.
      __credsh_past='EPOCHSECONDS>=__credsh_tick||EPOCHSECONDS<__credsh_low'
      # shellcheck disable=SC2016
      __credsh_check='${PS1+${__credsh_gate[${#PS1}-__credsh_len&&__credsh_len||__credsh_past]:+"__credsh_stale"}}'
      __credsh_shifted=
      if [[ ${VSCODE_INJECTION-} == 1 || ${PROMPT_COMMAND[0]-} == __vsc_prompt_cmd* || $__credsh_commands == exported ]]; then __credsh_single=1; fi
      if [[ -z ${PROMPT_COMMAND[0]-} ]]; then _credsh_kitty=${ksi_val-}${KITTY_SHELL_INTEGRATION-}${KITTY_INSTALLATION_DIR-}; fi
      if [[ $__credsh_side == off || -n $__credsh_single$_credsh_kitty ]]; then
        # Expands to nothing where credsh is not loaded: starship and VS Code copy the first element's text and go on running
        # it, and a child inherits an exported one.
        # shellcheck disable=SC2016
        __credsh_check='${__credsh_exe:+'$__credsh_check'}'
      fi
      # Without a segment the check need not be last, but CREDSH_PROMPT must be up to date before a prompt tool reads it: so
      # it goes first as well. Also if kitty's script is still to run, as that assigns an array without a first element anew.
      if [[ -z $__credsh_single && ($__credsh_side == off || -n $_credsh_kitty) ]]; then
        if [[ -n ${PROMPT_COMMAND[0]+set} ]]; then __credsh_shifted=1 PROMPT_COMMAND=('' "${PROMPT_COMMAND[@]}"); fi
        PROMPT_COMMAND[0]=$__credsh_check
      fi
    else
      __credsh_single=older
      # shellcheck disable=SC2016
      __credsh_check='${__credsh_exe:+"__credsh_prompt"}'
      __credsh_older prompt
    fi
    __credsh_settle
  fi
  __credsh_fixed=''
  if [[ $_credsh_locked == *' @PS1 '* ]]; then __credsh_fixed=1; fi
}

# EXE PREFIX SIDE TIME STORE LEASE [SELECTOR...]: from `credsh init`.
__credsh_start() {
  \builtin local _credsh_inherited="${CREDSH_LEASE-}" _credsh_was="${__credsh_ps1-}"
  # The prefix has changed: the variables under the old one go.
  if [[ ${__credsh_installed[1]-} == 1 && -n $__credsh_label && $__credsh_prefix != "$2" ]]; then __credsh_drop; fi
  __credsh_exe=$1 __credsh_prefix=$2 __credsh_side=$3 __credsh_time=$4 __credsh_tick=0
  # A lease already held stays in the store it came from.
  if [[ -z ${__credsh_label-} || ${__credsh_installed[1]-} != 1 ]]; then __credsh_store=$5; fi
  # A dumb terminal cannot save and restore its cursor.
  if [[ $__credsh_side == right && ${TERM-dumb} == dumb ]]; then __credsh_side=left; fi
  # An array, as arrays are not exported: what a parent under `set -a` exports, functions too, is not installed here.
  if [[ ${__credsh_installed[1]-} != 1 ]]; then
    __credsh_installed=([1]=1) __credsh_traced='' __credsh_asked=0 __credsh_said='' __credsh_profile='' __credsh_default='' __credsh_text='' __credsh_color='' __credsh_reset=''
    __credsh_lease='' __credsh_label='' __credsh_until='' __credsh_zone='' __credsh_low=0 __credsh_exp=$__credsh_never __credsh_window=$__credsh_never __credsh_must=$__credsh_never
    __credsh_due=$__credsh_never __credsh_ps1='' __credsh_mark='' __credsh_place=0 __credsh_shown='' __credsh_len=0 __credsh_single='' __credsh_check=__credsh_prompt
    __credsh_install
  elif [[ $__credsh_commands != others && "${PROMPT_COMMAND[*]-} ${__vsc_original_prompt_command[*]-}" != *"$__credsh_check"* ]]; then
    # A start-up file that resets PROMPT_COMMAND was sourced again.
    __credsh_settle
  fi
  if [[ -n $__credsh_fixed ]]; then __credsh_side=off; fi
  __credsh_mark='' __credsh_ps1=''
  # shellcheck disable=SC2016
  case $__credsh_side in
    left) __credsh_mark='${__credsh_text-}' __credsh_ps1='\[${__credsh_color-}\]${__credsh_text-}\[${__credsh_reset-}\]' ;;
    # bash has no right prompt: save the cursor, go there, print, come back, all of it counted as zero wide.
    right) __credsh_mark='${__credsh_text-}' __credsh_ps1='\[${__credsh_text:+\e7\e[${COLUMNS:-80}C\e[${#__credsh_text}D\e[C}${__credsh_color-}${__credsh_text-}${__credsh_reset-}${__credsh_text:+\e8}\]' ;;
  esac
  # The segment has moved, or is off now.
  if [[ -n $_credsh_was && $_credsh_was != "$__credsh_ps1" && -n ${PS1-} ]]; then __credsh_bare "$_credsh_was"; fi
  if [[ -n $__credsh_label ]]; then \builtin return 0; fi
  # A nested shell continues its parent's lease if that is in this user's store (after su or sudo it is not).
  if [[ ${#_credsh_inherited} == 16 && $_credsh_inherited != *[!0-9a-f]* ]]; then
    __credsh_lease=$_credsh_inherited
    # Its message waits for the first prompt: a start-up file should print nothing.
    __credsh_untraced __credsh_load 2>/dev/null
    __credsh_said=''
  fi
  # A lease that is not in the store cannot be renewed here, so this shell does not claim it.
  if [[ -z $__credsh_label ]]; then __credsh_lease=$6; \builtin unset -v CREDSH_LEASE; fi
  \builtin shift 6
  __credsh_args=("$@")
  # A lease is wanted and none held: due at once, and mandatory before the first command.
  if [[ -z $__credsh_label && -n $__credsh_lease ]]; then __credsh_due=0 __credsh_must=0; fi
}

# Below 4.4 there is no PS0, and a DEBUG trap is the next best; the user's is only visible outside a function.
__credsh_trap=
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then __credsh_trap=$(\builtin trap -p DEBUG); fi
__credsh_start @CREDSH@
fi
