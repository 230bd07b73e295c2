# shellcheck shell=bash
# credsh: keeps temporary AWS credentials fresh in this shell. bash 3.2 to 5.3.
#
# All policy is the program's; this only compares a builtin clock with numbers the program computed. While
# nothing is due that is a comparison in PROMPT_COMMAND, and one in PS0 before a command: no fork, no file.
# `\builtin` throughout, as functions and aliases of the user's may have the names of builtins; a function of that very
# name leaves no way round it.
# Does nothing, and says nothing, where nobody types (not interactive) or where it may not run (restricted).
# shellcheck disable=SC2016
if [[ $- == *i* && $- != *r* ]] && { [[ -n ${BASH_VERSION-} ]] || ! \printf '%s\n' 'credsh: not set up: this is for bash; zsh wants `eval "$(credsh init zsh)"`' >&2; } && { ! \declare -F builtin >/dev/null || ! \printf '%s\n' 'credsh: not set up: `builtin` is a function here' >&2; }; then

# Another version of this goes first, in its own words; the lease is gone on with.
__credsh_replace() {
  \builtin local _credsh_lease="${CREDSH_LEASE-}"
  credsh_off
  if [[ -n $_credsh_lease ]]; then \builtin export "CREDSH_LEASE=$_credsh_lease"; fi
}
if [[ ${__credsh_installed[1]-} == 1 && ${__credsh_version-} != @VERSION@ ]]; then __credsh_replace; fi
__credsh_version=@VERSION@

# Eleven nines: a time that does not come (time.rs, NEVER).
__credsh_never=99999999999

# Runs "$@" untraced: a trace (set -x, set -v) of what follows would show the secrets. A Ctrl-C ends this function too:
# then the next prompt, which for that is not a fresh one, sets the trace as it was. One within another, as when a signal
# comes, leaves all of that to the other.
__credsh_untraced() {
  { \builtin local _credsh_outer="${__credsh_quiet-}" __credsh_quiet=1 _credsh_opts="${__credsh_traced:-$-}" _credsh_code=0; \builtin set +vx; } 2>/dev/null
  if [[ -z $_credsh_outer && $_credsh_opts == *[vx]* ]]; then __credsh_traced=$_credsh_opts __credsh_tick=0; fi
  "$@" || _credsh_code=$?
  if [[ -n $_credsh_outer ]]; then \builtin return "$_credsh_code"; fi
  { __credsh_traced=''; [[ $_credsh_opts != *v* ]] || \builtin set -v; [[ $_credsh_opts != *x* ]] || \builtin set -x; \builtin return "$_credsh_code"; } 2>/dev/null
}

# At the end of PS0, as a trap that is due while bash (5.2) parses a command substitution behind it makes both of them fail
# ("unexpected EOF"). Looked at with each drawing: there are tools that prepend, that append, and that assign outright.
# Without `promptvars` it would be printed.
__credsh_gate_last() {
  \builtin local _credsh_theirs="${PS0-}"
  if [[ -z $__credsh_ps0 ]]; then \builtin return 0; fi
  if ! \builtin shopt -q promptvars; then
    if [[ $_credsh_theirs == *"$__credsh_ps0"* ]]; then PS0=${_credsh_theirs//"$__credsh_ps0"/}; fi
  elif [[ $_credsh_theirs != *"$__credsh_ps0" ]]; then
    PS0=${_credsh_theirs//"$__credsh_ps0"/}$__credsh_ps0
  fi
}

# PS1 without the segment $1, and without the marks that VS Code puts round a PS1: it does so with any that is not the one it
# made last, and each change of ours would leave a pair of them within the next.
__credsh_bare() {
  if [[ -n ${__vsc_custom_PS1-} && ${PS1-} == "$__vsc_custom_PS1" ]]; then PS1=${__vsc_original_PS1-}; fi
  if [[ -n $1 && ${PS1-} == *"$1"* ]]; then PS1=${PS1//"$1"/}; fi
}

# Puts the segment and the gate where they belong. PS1 names the variables instead of holding the text: it may be copied,
# saved and put back (virtualenv does) without the segment growing stale or growing twice. Whoever assigns PS1 outright is
# followed at the next prompt.
__credsh_put() {
  if ! \builtin shopt -q promptvars; then
    if [[ -n $__credsh_ps1 && ${PS1-} == *"$__credsh_ps1"* ]]; then __credsh_bare "$__credsh_ps1"; fi
  elif [[ ${PS1-} != *"$__credsh_mark"* ]]; then
    __credsh_bare "$__credsh_ps1"
    PS1=$__credsh_ps1${PS1-}
    if [[ -n $__credsh_shown ]]; then __credsh_last; fi
    __credsh_shown=1
  fi
  # A later PROMPT_COMMAND=... spares an element of its own, but not a part of a string.
  if [[ ${__credsh_single-} == 1 && "${PROMPT_COMMAND[*]-} ${__vsc_original_prompt_command[*]-}" != *"$__credsh_check"* ]]; then __credsh_settle; fi
  __credsh_gate_last
  # The length that the check in PROMPT_COMMAND goes by: none where there is nothing to look for.
  __credsh_len=0
  if [[ -n $__credsh_mark && ${PS1-} == *"$__credsh_mark"* ]]; then __credsh_len=${#PS1}; fi
}

# A prompt tool that came later and sets PS1 anew each time goes first from now on. bash-preexec bears nobody behind it.
__credsh_last() {
  \builtin local _credsh_i _credsh_last=0
  if [[ ${__credsh_single-} == 1 ]]; then
    # Whatever separates it from the others goes on to separate something.
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

# Puts the check at the end of PROMPT_COMMAND, in an element of its own where bash knows of more than one (5.1): each of them
# sees `$?`, PIPESTATUS and `$_` untouched, a place far behind survives a later PROMPT_COMMAND=..., and who is last sees the
# PS1 that others have set. But not behind VS Code's, whose DEBUG trap takes that for the command that is typed next: into its own
# list; or where it is yet to come, into the string that it will run first. An exported one stays a string, too: no array is
# exported, and a child may have it from there already.
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

# More than the comparison is wanted. $1: prompt or exec. While nothing is held and nothing due, only of where things are.
__credsh_cold() {
  if [[ -n $__credsh_label ]] || ((__credsh_clock >= __credsh_due || __credsh_clock < __credsh_low)); then
    __credsh_look "$1"
  else
    __credsh_text='' __credsh_color='' __credsh_reset='' __credsh_tick=$__credsh_due
    __credsh_put
  fi
}

# The two checks where no expansion can stand for them (__credsh_install). Nothing but the comparison while nothing is due;
# with stderr closed, or a trace (set -x) would show it at every prompt. (A trap of the user's that comes just then has no
# stderr either; the trace at each prompt is what people see.)
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

# The program, but a refresh or clear changes this shell. `function`, as an alias may have the name. In front of the rest, as
# people put functions of their own round it, and what is defined later would take their place.
function credsh { __credsh_typed "$@"; }

# rest: __credsh_look __credsh_load __credsh_older __credsh_adopt __credsh_drop __credsh_restore __credsh_typed credsh_off
# What a newer bash that holds no lease seldom calls, up to the end of this part: `init` hands it to such a shell as one
# string, which is evaluated when one of the functions named above is first called. A shell reads that in a third of the
# time that it takes to read code (src/shell.rs).

# The program's answer, as code: adopt ID LABEL KEY SECRET TOKEN EXPIRATION EXPIRES WINDOW MANDATORY DUE MESSAGE UNTIL ZONE
# EARLIEST.
# Times are epoch seconds; they are only ever digits, as bash would execute `a[$(cmd)]` in (( )).
__credsh_adopt() {
  if [[ $7$8$9${10}${14-} == *[!0-9]* ]]; then \builtin return 0; fi
  \builtin local _credsh_p="$__credsh_prefix"
  # What is adopted again while a renewal is under way is no reason to start another.
  if [[ ${10} != "$__credsh_due" ]]; then __credsh_asked=0; fi
  # With new credentials what went wrong before is over, and is told of again.
  if [[ $3 != "${__credsh_key-}" ]]; then __credsh_said=''; fi
  __credsh_lease=$1 __credsh_label=$2 __credsh_key=$3 __credsh_exp=$7 __credsh_window=$8 __credsh_must=$9 __credsh_due=${10} __credsh_low=${14:-0}
  \builtin export "${_credsh_p}AWS_ACCESS_KEY_ID=$3" "${_credsh_p}AWS_SECRET_ACCESS_KEY=$4" "CREDSH_SOURCE=$2" "CREDSH_LEASE=$1"
  if [[ -n $5 ]]; then \builtin export "${_credsh_p}AWS_SESSION_TOKEN=$5"; else \builtin unset -v "${_credsh_p}AWS_SESSION_TOKEN"; fi
  if [[ -n $6 ]]; then \builtin export "${_credsh_p}AWS_CREDENTIAL_EXPIRATION=$6"; else \builtin unset -v "${_credsh_p}AWS_CREDENTIAL_EXPIRATION"; fi
  if [[ -z $_credsh_p ]]; then
    # The standard names: botocore reads AWS_SECURITY_TOKEN before AWS_SESSION_TOKEN, other SDKs AWS_PROFILE before keys.
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

# Nothing came; ask again at $1, which is ten seconds from now: below that, and five for noise, the clock was set back.
__credsh_defer() {
  __credsh_tick=0
  if [[ $1 != *[!0-9]* ]]; then __credsh_due=$1 __credsh_low=$(($1 - 15)); fi
}

# What was said already, by the program.
__credsh_heard() { __credsh_said=$1; }

# The store's directory is gone, and this is where it is now.
__credsh_move() { __credsh_store=$1; }

# What is not stored is asked for again in the same words.
__credsh_repeat() { __credsh_args=("$@"); }

# The profile that the standard names have set aside, unless there is another by now.
__credsh_restore() {
  if [[ -n ${__credsh_profile-} && -z ${AWS_PROFILE+set} ]]; then \builtin export "AWS_PROFILE=$__credsh_profile"; fi
  if [[ -n ${__credsh_default-} && -z ${AWS_DEFAULT_PROFILE+set} ]]; then \builtin export "AWS_DEFAULT_PROFILE=$__credsh_default"; fi
}

# Holds no lease any more: `credsh clear`, or the store has lost it.
__credsh_drop() {
  \builtin local _credsh_p="$__credsh_prefix"
  \builtin unset -v "${_credsh_p}AWS_ACCESS_KEY_ID" "${_credsh_p}AWS_SECRET_ACCESS_KEY" "${_credsh_p}AWS_SESSION_TOKEN" \
    "${_credsh_p}AWS_CREDENTIAL_EXPIRATION" CREDSH_SOURCE CREDSH_LEASE CREDSH_PROMPT
  __credsh_restore
  __credsh_lease='' __credsh_label='' __credsh_profile='' __credsh_default='' __credsh_said=''
  __credsh_exp=$__credsh_never __credsh_window=$__credsh_never __credsh_must=$__credsh_never __credsh_due=$__credsh_never __credsh_tick=0 __credsh_low=0
}

# Takes over what a renewal, this shell's or another's, left in the store: no fork. The file's owner is looked
# at here too, as the store may have been made by somebody else since `init` looked; and a link of theirs could name
# any file of ours.
__credsh_load() {
  \builtin local _credsh_file="$__credsh_store/$__credsh_lease.sh"
  if [[ -n $__credsh_lease && -f $_credsh_file && -O $_credsh_file && ! -L $_credsh_file ]]; then \builtin . "$_credsh_file"; fi
}

# The program, for the store that this shell looks into. With the standard names it sees the surroundings as they were
# before the lease: this shell's own output would else be a source like any other once the store has lost the lease,
# and a role's base not the profile it was.
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

# Renews and waits for it: at most CREDSH_WAIT seconds (3), ended by Ctrl-C. That ends this function too, hence the
# pause is set beforehand: or each further command would be held up again.
__credsh_wait() {
  \builtin local _credsh_code=''
  __credsh_defer "$(($1 + 10))"
  _credsh_code=$({ \builtin trap - DEBUG RETURN ERR; } >&2; CREDSH_WAIT=${CREDSH_WAIT-} __credsh_program --wait --said="${__credsh_said-}") || \builtin :
  __credsh_obey "$_credsh_code" || \builtin :
}

# Does what an answer of the program's says, whatever comes of it; false if this is none. Where it is read, no trap of the user's
# (set -T) may write to it.
__credsh_obey() {
  if [[ $1 != __credsh_* ]]; then \builtin return 1; fi
  \builtin eval "$1"
  \builtin return 0
}

# Something is due, or the indicator's text has changed; or the clock was set back behind __credsh_low, and what is due is
# not known. $1: prompt or exec.
__credsh_look() {
  \builtin local _credsh_now="$((__credsh_clock))" _credsh_code=''
  if ((_credsh_now >= __credsh_due || _credsh_now < __credsh_low)); then
    __credsh_load
    if ((_credsh_now < __credsh_due && _credsh_now >= __credsh_low)); then
      \builtin :
    elif [[ $1 == exec ]] && ((_credsh_now >= __credsh_must || _credsh_now < __credsh_low)); then
      __credsh_wait "$_credsh_now"
    elif ((_credsh_now >= __credsh_asked + 5 || _credsh_now < __credsh_asked)); then
      # The program detaches itself, so there is no job to be told of; five seconds is the longest it takes. In a
      # substitution, as what a trap runs for PS0 would be a job that is done to a `jobs` typed then.
      __credsh_asked=$_credsh_now
      _credsh_code=$({ \builtin trap - DEBUG RETURN ERR; } >&2; __credsh_program 2>/dev/null) || \builtin :
      __credsh_obey "$_credsh_code" || \builtin :
    fi
  fi
  __credsh_draw "$((__credsh_clock))"
}

# The indicator's text at $1, and until when it holds: __credsh_tick. The rule is prompt.rs's.
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
      # UNTIL is EXPIRES's time of day where TZ is ZONE's.
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
  # Of a string `: -1` would be the last letter.
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
  # compgen answers in lines. Who has made it readonly has the usual one.
  { \builtin local IFS=$'\n'; } 2>/dev/null
  if [[ ${__credsh_installed[1]-} != 1 ]]; then \builtin return 0; fi
  __credsh_drop
  # virtualenv keeps a copy for later.
  if [[ -n $__credsh_ps1 ]]; then
    # What has been made readonly meanwhile cannot be told but by trying, and that ends all of this.
    # shellcheck disable=SC2030,SC2031 # tried apart, on purpose
    if [[ -n ${PS1-} ]] && (PS1=) 2>/dev/null; then __credsh_bare "$__credsh_ps1"; fi
    if [[ -n ${_OLD_VIRTUAL_PS1-} ]]; then _OLD_VIRTUAL_PS1=${_OLD_VIRTUAL_PS1//"$__credsh_ps1"/}; fi
  fi
  if [[ -n $__credsh_ps0 ]]; then
    # shellcheck disable=SC2030,SC2031
    if (PS0=) 2>/dev/null; then
      PS0=${PS0+${PS0//"$__credsh_ps0"/}}
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
  # Nor readonly.
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
  # Back to where it was before ours came first.
  if [[ -n $_credsh_first && -n ${__credsh_shifted-} && -n ${PROMPT_COMMAND[*]+set} ]]; then PROMPT_COMMAND=("${PROMPT_COMMAND[@]}"); fi
  # ble.sh has a copy back in place after each command, and takes no notice of an array that has become anything else.
  if [[ -n ${BLE_ATTACHED-} ]]; then __credsh_commands=array; fi
  # An array only if it was one.
  case $__credsh_commands in
    none) if [[ -z ${PROMPT_COMMAND[*]+set} ]]; then \builtin unset -v PROMPT_COMMAND; fi ;;
    string | exported) if [[ -n ${PROMPT_COMMAND[*]+set} ]] && ((${#PROMPT_COMMAND[@]} == 1)); then _credsh_name=${PROMPT_COMMAND[0]-}; \builtin unset -v PROMPT_COMMAND; \builtin printf -v PROMPT_COMMAND %s "$_credsh_name"; fi ;;
  esac
  if [[ $__credsh_commands == exported ]]; then \builtin export PROMPT_COMMAND; fi
  \builtin unset -f credsh credsh_off
  for _credsh_name in $(\builtin compgen -A function __credsh_); do \builtin unset -f "$_credsh_name"; done
  for _credsh_name in $(\builtin compgen -v __credsh_); do \builtin unset -v "$_credsh_name"; done
}
# Where the check before a command is a DEBUG trap: or it would not see the trap, and what it took out would be back when it
# returns.
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then \builtin declare -ft credsh_off; fi

# What an older bash has otherwise, in the places where a newer one is told apart: before 5.1, and 4.4. Sees its callers'
# variables.
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
        # What stands for it, as itself does (see there).
        \builtin declare -ft credsh_off
      fi
      ;;
    prompt)
      # One string: whoever follows in it wants the last status. Under set -e a failed one would end the shell.
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

# What is in the way of the checks: which of the variables are readonly (to try on it would end the eval of this text),
# what PROMPT_COMMAND is, and whether the user has a trap on SIGURG. From 5.1 on without a fork, as each new shell does it.
__credsh_survey() {
  \builtin local -a _credsh_status
  if (($1 < 501)); then
    __credsh_older survey
  else
    # Only what is set may be asked (set -u). What is declared and has no value is rare enough for a fork.
    if [[ ${PS0+${PS0@a}} == *r* ]] || { [[ -z ${PS0+set} ]] && \builtin declare -p PS0 && ! (\builtin unset -v PS0); } >/dev/null 2>&1; then _credsh_locked+=' @PS0 '; fi
    if [[ ${PS1+${PS1@a}} == *r* ]]; then _credsh_locked+=' @PS1 '; fi
    # Each element has them; one, as what they are joined with may be a letter (IFS).
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
  # Only `trap -p` would print it, into a fork; but Linux tells what is ignored or caught: SIGURG is 23, the third bit of the
  # sixth digit from the end. In posix mode bash lists the default as a trap too, of `-`.
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
  \builtin local _credsh_version="$((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]))" _credsh_locked='' _credsh_commands='' _credsh_urg=''
  __credsh_survey "$_credsh_version"
  # By version, never by "is it set": an inherited EPOCHSECONDS is a plain variable before 5.0. Below 4.2 SECONDS counts
  # from t0 by the wall clock, through a suspend too; people set it to 0 to time a command, and then t0 is taken anew.
  if ((_credsh_version >= 500)); then
    __credsh_clock=EPOCHSECONDS
  else
    __credsh_older clock
  fi
  # PS0 is expanded before every command in whatever form, but may not run one in this shell: below 5.3 an
  # arithmetic gate sends the shell a SIGURG, which is ignored by default, and whose trap runs before the command
  # does. (A DEBUG trap misses subshells, costs at every simple command, and may be the user's.) From 5.0 on the
  # substitution stands in a variable that arithmetic looks at only if something is due: in PS0 itself it would be
  # parsed before every command, which takes longer than all the rest.
  # shellcheck disable=SC2034,SC2016
  __credsh_gate=([1]=1) __credsh_nil='' __credsh_signal='__credsh_gate[$(\builtin kill -URG "$$")1]' __credsh_ps0=
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
  # bash-preexec is told through its own list: an element behind it in PROMPT_COMMAND breaks it (0.5, 0.6).
  if [[ -n ${bash_preexec_imported-}${__bp_imported-} ]]; then
    __credsh_commands=others
    precmd_functions+=(__credsh_prompt)
  elif [[ $_credsh_locked == *' @PROMPT_COMMAND '* ]]; then
    __credsh_commands=others
  else
    __credsh_commands=${_credsh_commands:-none}
    if ((_credsh_version >= 501)); then
      # No call but an expansion, which comes to no command while nothing is due: a trace (set -x) shows nothing of it, and it
      # is cheaper. That PS1 is as we left it is told by its length, which costs less than to look for the segment in it; one
      # of ours that is exchanged for one as long is seen to with the next text. `${PS1+`, as with set -u one may not ask for
      # the length of nothing.
      __credsh_past='EPOCHSECONDS>=__credsh_tick||EPOCHSECONDS<__credsh_low'
      # shellcheck disable=SC2016
      __credsh_check='${PS1+${__credsh_gate[${#PS1}-__credsh_len&&__credsh_len||__credsh_past]:+"__credsh_stale"}}'
      __credsh_shifted=
      if [[ ${VSCODE_INJECTION-} == 1 || ${PROMPT_COMMAND[0]-} == __vsc_prompt_cmd* || $__credsh_commands == exported ]]; then __credsh_single=1; fi
      if [[ $__credsh_side == off || -n $__credsh_single ]]; then
        # Nothing at all where credsh is not, as a tool may take over the text of the first one and go on with it (starship does,
        # and VS Code), and a child what is exported.
        # shellcheck disable=SC2016
        __credsh_check='${__credsh_exe:+'$__credsh_check'}'
      fi
      # With no indicator nothing needs to be last, and the variable shall be there before a tool reads it for the prompt it
      # makes: first, too.
      if [[ $__credsh_side == off && -z $__credsh_single ]]; then
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
  # Under other names from now on.
  if [[ ${__credsh_installed[1]-} == 1 && -n $__credsh_label && $__credsh_prefix != "$2" ]]; then __credsh_drop; fi
  __credsh_exe=$1 __credsh_prefix=$2 __credsh_side=$3 __credsh_time=$4 __credsh_tick=0
  # What is held stays where it is.
  if [[ -z ${__credsh_label-} || ${__credsh_installed[1]-} != 1 ]]; then __credsh_store=$5; fi
  # Where a dumb terminal has its cursor cannot be told.
  if [[ $__credsh_side == right && ${TERM-dumb} == dumb ]]; then __credsh_side=left; fi
  # An array, as no child inherits those: what a parent under `set -a` exports, functions too, is not in place here.
  if [[ ${__credsh_installed[1]-} != 1 ]]; then
    __credsh_installed=([1]=1) __credsh_traced='' __credsh_asked=0 __credsh_said='' __credsh_profile='' __credsh_default='' __credsh_text='' __credsh_color='' __credsh_reset=''
    __credsh_lease='' __credsh_label='' __credsh_until='' __credsh_zone='' __credsh_low=0 __credsh_exp=$__credsh_never __credsh_window=$__credsh_never __credsh_must=$__credsh_never
    __credsh_due=$__credsh_never __credsh_ps1='' __credsh_mark='' __credsh_place=0 __credsh_shown='' __credsh_len=0 __credsh_single='' __credsh_check=__credsh_prompt
    __credsh_install
  elif [[ $__credsh_commands != others && "${PROMPT_COMMAND[*]-} ${__vsc_original_prompt_command[*]-}" != *"$__credsh_check"* ]]; then
    # A start-up file that empties it is read once more.
    __credsh_settle
  fi
  if [[ -n $__credsh_fixed ]]; then __credsh_side=off; fi
  __credsh_mark='' __credsh_ps1=''
  # shellcheck disable=SC2016
  case $__credsh_side in
    left) __credsh_mark='${__credsh_text-}' __credsh_ps1='\[${__credsh_color-}\]${__credsh_text-}\[${__credsh_reset-}\]' ;;
    # bash has no right prompt: go there, print, come back, all of it counted as zero wide.
    right) __credsh_mark='${__credsh_text-}' __credsh_ps1='\[${__credsh_text:+\e7\e[${COLUMNS:-80}C\e[${#__credsh_text}D\e[C}${__credsh_color-}${__credsh_text-}${__credsh_reset-}${__credsh_text:+\e8}\]' ;;
  esac
  # On another side than before.
  if [[ -n $_credsh_was && $_credsh_was != "$__credsh_ps1" && -n ${PS1-} ]]; then __credsh_bare "$_credsh_was"; fi
  if [[ -n $__credsh_label ]]; then \builtin return 0; fi
  # A nested shell goes on with its parent's lease, if it is in this user's store (after su or sudo it is not).
  if [[ ${#_credsh_inherited} == 16 && $_credsh_inherited != *[!0-9a-f]* ]]; then
    __credsh_lease=$_credsh_inherited
    # What it has to say is said at the first prompt: a start-up file is no place for it.
    __credsh_untraced __credsh_load 2>/dev/null
    __credsh_said=''
  fi
  # What nobody here can renew is no lease of this shell's.
  if [[ -z $__credsh_label ]]; then __credsh_lease=$6; \builtin unset -v CREDSH_LEASE; fi
  \builtin shift 6
  __credsh_args=("$@")
  # Nothing held and something wanted: due at once, and before the first command mandatory.
  if [[ -z $__credsh_label && -n $__credsh_lease ]]; then __credsh_due=0 __credsh_must=0; fi
}

# Below 4.4, where there is no PS0, a DEBUG trap is the next best; bash tells of the user's only outside a function.
__credsh_trap=
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then __credsh_trap=$(\builtin trap -p DEBUG); fi
__credsh_start @CREDSH@
fi
