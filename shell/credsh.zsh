# credsh: keeps temporary AWS credentials fresh in this shell. zsh 5.
#
# All policy lives in the program; this only compares a builtin clock with numbers it computed. While nothing is due, that is
# one comparison at the prompt and one before a command: no fork, no file.
# `credsh init` wraps this text in `emulate zsh -o no_aliases ... -c`, so every function runs under zsh's own options
# whatever the user's are (KSH_ARRAYS, SH_WORD_SPLIT, ERR_EXIT, XTRACE: a trace would show the secrets).
# Does nothing, silently, in a shell that is not interactive or is restricted.
if [[ -o interactive && ! -o restricted ]] && {
  # The module does not load over an EPOCHSECONDS inherited from the environment.
  builtin zmodload -e zsh/datetime || builtin unset EPOCHSECONDS EPOCHREALTIME epochtime
  builtin zmodload zsh/datetime 2>/dev/null
}; then

# A hook of another version is removed by its own credsh_off, which knows what it put where; its lease is kept.
__credsh_replace() {
  local lease=${CREDSH_LEASE-}
  credsh_off
  [[ -z $lease ]] || builtin export "CREDSH_LEASE=$lease"
}
if [[ ${(t)__credsh_installed-} == array* && ${__credsh_version-} != @VERSION@ ]]; then __credsh_replace; fi
typeset -g __credsh_version=@VERSION@

# Eleven nines: a time that never comes (NEVER in time.rs).
typeset -g __credsh_never=99999999999

# Puts the segment into the prompt, with the text $1 in the colour $2. Both go through psvar: the prompt holds only %-escapes
# that name its elements (zsh expands the argument of `%F` first). So it may be copied, saved and restored (virtualenv does)
# without the segment going stale or doubling, and needs no PROMPT_SUBST.
__credsh_put() {
  [[ -n $__credsh_place ]] || builtin return 0
  local found=$psvar[73]
  psvar[71]=$1 psvar[72]=$2 psvar[73]=credsh
  if [[ ${(P)__credsh_place} != *'%71v'* && ${(Pt)__credsh_place} != *readonly* ]]; then
    found=
    typeset -g "$__credsh_place=$__credsh_segment${(P)__credsh_place}"
  fi
  # A prompt tool installed later that sets either anew each time must run first, so the check moves behind it.
  if [[ -z $found && -n $__credsh_shown && $precmd_functions[-1] != __credsh_precmd ]] && (( $precmd_functions[(I)__credsh_precmd] )); then
    precmd_functions=(${precmd_functions:#__credsh_precmd} __credsh_precmd)
  fi
  __credsh_shown=1
  # What the check at the prompt compares with, whether or not the segment could be put there.
  __credsh_len=${#${(P)__credsh_place}} __credsh_slots=$#psvar
}

# Takes the segment out of the prompts, and of the copy that virtualenv restores.
__credsh_take() {
  local name
  for name in PROMPT RPROMPT _OLD_VIRTUAL_PS1; do
    [[ -n $__credsh_segment && ${(P)name} == *"$__credsh_segment"* && ${(Pt)name} != *readonly* ]] && typeset -g "$name=${(P)name//$__credsh_segment/}"
  done
  builtin return 0
}

# The slow path, when a check has found more to do. $1: prompt or exec. With no lease and nothing due, that is only to put
# the segment back in place. The user's traps are off until this returns (LOCAL_TRAPS): DEBUG would see the secrets.
__credsh_cold() {
  builtin trap - DEBUG ZERR
  if [[ -n $__credsh_label ]] || (( EPOCHSECONDS >= __credsh_due || EPOCHSECONDS < __credsh_low )); then
    __credsh_look $1
  else
    __credsh_tick=$__credsh_due
    __credsh_put '' ''
  fi
}

# The two checks: while nothing is due, only the comparison. A changed prompt or psvar is recognized by its length, as
# searching takes as long as all the rest; one of the same length is caught when the text next changes.
__credsh_watch() {
  case $1 in
    (PROMPT) __credsh_precmd() { if (( EPOCHSECONDS >= __credsh_tick || EPOCHSECONDS < __credsh_low || $#PROMPT != __credsh_len || $#psvar != __credsh_slots )); then __credsh_cold prompt; fi } ;;
    (RPROMPT) __credsh_precmd() { if (( EPOCHSECONDS >= __credsh_tick || EPOCHSECONDS < __credsh_low || $#RPROMPT != __credsh_len || $#psvar != __credsh_slots )); then __credsh_cold prompt; fi } ;;
    (*) __credsh_precmd() { if (( EPOCHSECONDS >= __credsh_tick || EPOCHSECONDS < __credsh_low )); then __credsh_cold prompt; fi } ;;
  esac
}
__credsh_preexec() {
  if (( EPOCHSECONDS >= __credsh_due || EPOCHSECONDS < __credsh_low )); then __credsh_cold exec; fi
}

# The program, except that refresh and clear also change this shell. `function`, as an alias of that name would break
# `credsh()`. Not in the rest, which is evaluated late and would overwrite a user's function wrapped round this one.
function credsh { __credsh_typed "$@"; }

# rest: __credsh_look __credsh_load __credsh_adopt __credsh_drop __credsh_restore __credsh_typed credsh_off
# Up to the end marker: what a shell without a lease seldom calls. `init` hands it to such a shell as one string, which is
# evaluated when one of the functions named above is first called (src/shell/mod.rs).

# The program's answer, as code: adopt ID LABEL KEY SECRET TOKEN EXPIRATION EXPIRES WINDOW MANDATORY DUE MESSAGE UNTIL ZONE
# EARLIEST.
# Times are epoch seconds. Anything but digits is refused: zsh, too, evaluates a variable's text in (( )).
__credsh_adopt() {
  [[ $7$8$9${10}${14-} == <-> ]] || builtin return 0
  local p=$__credsh_prefix
  # The same DUE is the same lease read again: the renewal asked for is still under way.
  [[ ${10} == $__credsh_due ]] || __credsh_asked=0
  # New credentials end the failure last reported: if it recurs, it is reported again.
  [[ $3 == "$__credsh_key" ]] || __credsh_said=
  __credsh_lease=$1 __credsh_label=$2 __credsh_key=$3 __credsh_exp=$7 __credsh_window=$8 __credsh_must=$9 __credsh_due=${10} __credsh_low=${14:-0}
  builtin export "${p}AWS_ACCESS_KEY_ID=$3" "${p}AWS_SECRET_ACCESS_KEY=$4" "CREDSH_SOURCE=$2" "CREDSH_LEASE=$1"
  if [[ -n $5 ]]; then builtin export "${p}AWS_SESSION_TOKEN=$5"; else builtin unset "${p}AWS_SESSION_TOKEN"; fi
  if [[ -n $6 ]]; then builtin export "${p}AWS_CREDENTIAL_EXPIRATION=$6"; else builtin unset "${p}AWS_CREDENTIAL_EXPIRATION"; fi
  if [[ -z $p ]]; then
    # Standard names: botocore prefers AWS_SECURITY_TOKEN to AWS_SESSION_TOKEN, other SDKs AWS_PROFILE to keys.
    __credsh_profile=${AWS_PROFILE-$__credsh_profile} __credsh_default=${AWS_DEFAULT_PROFILE-$__credsh_default}
    builtin unset AWS_SECURITY_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE
  fi
  __credsh_until=${12-} __credsh_zone=${13-}
  __credsh_tick=0
  if [[ -n ${11} && ${11} != $__credsh_said ]]; then
    __credsh_said=${11}
    builtin print -r -u2 -- "credsh: ${11}"
  fi
}

# No answer: ask again at $1, ten seconds from now. A clock more than 15 s before that (5 s are slack) was set back.
__credsh_defer() {
  __credsh_tick=0
  [[ $1 == <-> ]] && __credsh_due=$1 __credsh_low=$(($1 - 15))
}

# The program has printed this message itself; the lease's file may repeat it.
__credsh_heard() { __credsh_said=$1 }

# The old store is gone or refused; this is the one to use now.
__credsh_move() { __credsh_store=$1 }

# With --no-store only the shell remembers what to ask for again.
__credsh_repeat() { __credsh_args=("$@"); }

# The profile set aside for the standard names comes back, unless another was set since.
__credsh_restore() {
  [[ -n $__credsh_profile && -z ${AWS_PROFILE+set} ]] && builtin export "AWS_PROFILE=$__credsh_profile"
  [[ -n $__credsh_default && -z ${AWS_DEFAULT_PROFILE+set} ]] && builtin export "AWS_DEFAULT_PROFILE=$__credsh_default"
}

# No lease any more: after `credsh clear`, or because the store lost it.
__credsh_drop() {
  local p=$__credsh_prefix
  builtin unset "${p}AWS_ACCESS_KEY_ID" "${p}AWS_SECRET_ACCESS_KEY" "${p}AWS_SESSION_TOKEN" \
    "${p}AWS_CREDENTIAL_EXPIRATION" CREDSH_SOURCE CREDSH_LEASE CREDSH_PROMPT
  __credsh_restore
  __credsh_lease= __credsh_label= __credsh_profile= __credsh_default= __credsh_said=
  __credsh_exp=$__credsh_never __credsh_window=$__credsh_never __credsh_must=$__credsh_never __credsh_due=$__credsh_never __credsh_tick=0 __credsh_low=0
}

# Adopts what a renewal by this shell or another left in the store, without a fork. The owner is checked again, as somebody
# else may have created the store since `init` checked, and a symlink of theirs could name any file of the user's.
__credsh_load() {
  local file=$__credsh_store/$__credsh_lease.sh
  [[ -n $__credsh_lease && -f $file && -O $file && ! -L $file ]] && builtin source $file
}

# Runs the program on this shell's store. Under the standard names it sees the environment from before the lease: otherwise
# the keys exported here would pass for a source once the store has lost the lease, and a role would lose its base profile.
__credsh_run() {
  if [[ -n $__credsh_prefix || -z $__credsh_label || ${AWS_ACCESS_KEY_ID-} != "$__credsh_key" ]]; then
    $__credsh_exe --store=$__credsh_store "$@"
  else
    (
      builtin unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION
      __credsh_restore
      builtin exec $__credsh_exe --store=$__credsh_store "$@"
    )
  fi
}

__credsh_program() {
  __credsh_run hook --shell=zsh --lease=$__credsh_lease "$@" "${__credsh_args[@]}" </dev/null
}

# Renews, waiting for at most CREDSH_WAIT seconds (3). Ctrl-C ends the wait and this function with it, so the pause is set
# first, or each later command would be held up again.
__credsh_wait() {
  local code
  __credsh_defer $(($1 + 10))
  code=$(CREDSH_WAIT=${CREDSH_WAIT-} __credsh_program --wait --said=$__credsh_said)
  __credsh_obey "$code"
}

# Evaluates an answer of the program's, whatever that returns; false if this is not one.
__credsh_obey() {
  [[ $1 == __credsh_* ]] || builtin return 1
  builtin eval "$1"
  builtin return 0
}

# Something is due, the segment's text is out of date, or the clock was set back below __credsh_low, which leaves open what
# is due. $1: prompt or exec.
__credsh_look() {
  local now=$EPOCHSECONDS code
  if (( now >= __credsh_due || now < __credsh_low )); then
    __credsh_load
    if (( now < __credsh_due && now >= __credsh_low )); then
      builtin :
    elif [[ $1 == exec ]] && (( now >= __credsh_must || now < __credsh_low )); then
      __credsh_wait $now
    elif (( now >= __credsh_asked + 5 || now < __credsh_asked )); then
      # The program detaches itself, so no job is reported. Not run again for five seconds; a slower one holds a lock.
      __credsh_asked=$now
      code=$(__credsh_program 2>/dev/null)
      __credsh_obey "$code"
    fi
  fi
  __credsh_draw $EPOCHSECONDS
}

# Sets the segment's text as of $1, and __credsh_tick to when that next changes. The rule is prompt.rs's.
__credsh_draw() {
  local now=$1 left=$((__credsh_exp - $1)) time= color=green text= tick=$__credsh_due
  if [[ -n $__credsh_label ]]; then
    if (( __credsh_exp >= __credsh_never )); then
      builtin :
    elif (( left <= 0 )); then
      time=' expired' color=red
    else
      # UNTIL is EXPIRES as a time of day in ZONE: of no use under another TZ.
      if [[ $__credsh_time == until && -n $__credsh_until && $__credsh_zone == "${TZ+=$TZ}" ]] && (( left < 64800 )); then
        time=" until $__credsh_until" tick=$__credsh_exp
      elif (( left < 120 )); then
        time=" ${left}s" tick=$((now + 1))
      elif (( left <= 5400 )); then
        time=" $((left / 60))m" tick=$((__credsh_exp - left / 60 * 60 + 1))
      else
        time=" $((left / 3600))h" tick=$((left < 7200 ? __credsh_exp - 5400 : __credsh_exp - left / 3600 * 3600 + 1))
      fi
      if (( now >= __credsh_window )); then color=yellow; elif (( tick > __credsh_window )); then tick=$__credsh_window; fi
      (( tick > __credsh_due )) && tick=$__credsh_due
    fi
    builtin export "CREDSH_PROMPT=$__credsh_label$time"
    text="[$__credsh_label$time]"
  fi
  __credsh_tick=$tick
  __credsh_put "$text" $color
}

__credsh_typed() {
  builtin trap - DEBUG ZERR
  case $1 in
    (refresh|clear) ;;
    (doctor) CREDSH_HOOK="zsh$(__credsh_report)" __credsh_run "$@"; builtin return ;;
    (*) __credsh_run "$@"; builtin return ;;
  esac
  local code
  local -i result=0
  code=$(__credsh_run --hooked=zsh "$@") || result=$?
  if __credsh_obey "$code"; then
    __credsh_draw $EPOCHSECONDS
  elif [[ -n $code ]]; then
    builtin print -r -- "$code"
  fi
  builtin return result
}

# Which checks are in place, for `credsh doctor`.
__credsh_report() {
  if (( $precmd_functions[(I)__credsh_precmd] )); then
    builtin print -n ' prompt'
    [[ $precmd_functions[-1] == __credsh_precmd ]] || builtin print -n ' not-last'
  fi
  (( $preexec_functions[(I)__credsh_preexec] )) && builtin print -n ' preexec'
}

# Takes all of it out of the shell again.
function credsh_off {
  [[ ${(t)__credsh_installed-} == array* ]] || builtin return 0
  __credsh_drop
  __credsh_take
  precmd_functions=(${precmd_functions:#__credsh_precmd}) preexec_functions=(${preexec_functions:#__credsh_preexec})
  (( $#precmd_functions )) || builtin unset precmd_functions
  (( $#preexec_functions )) || builtin unset preexec_functions
  if [[ $psvar[73] == credsh ]]; then
    psvar[71,73]=()
    while (( $#psvar )) && [[ -z $psvar[-1] ]]; do psvar[-1]=(); done
  fi
  builtin unset -m '__credsh_*'
  builtin unfunction -m '__credsh_*' credsh credsh_off
}

# end of the rest

# EXE PREFIX SIDE TIME STORE LEASE [SELECTOR...]: from `credsh init`.
__credsh_start() {
  # As in __credsh_cold: the lease's file is read here, too.
  builtin trap - DEBUG ZERR
  local inherited=${CREDSH_LEASE-}
  if [[ ${(t)__credsh_installed-} == array* ]]; then
    __credsh_take
    # The prefix has changed: the variables under the old one go.
    [[ -z $__credsh_label || $__credsh_prefix == "$2" ]] || __credsh_drop
  fi
  # A lease already held stays in the store it came from.
  [[ ${(t)__credsh_installed-} == array* && -n $__credsh_label ]] || typeset -g __credsh_store=$5
  typeset -g __credsh_exe=$1 __credsh_prefix=$2 __credsh_time=$4 __credsh_tick=0 __credsh_place= __credsh_segment=
  if [[ $3 != off ]]; then
    local gap=' ' color='%F{%72v}' end='%f'
    [[ -n ${NO_COLOR-} || ${TERM-dumb} == dumb ]] && color= end=
    __credsh_place=PROMPT
    # A dumb terminal has no right prompt.
    [[ $3 == right && ${TERM-dumb} != dumb ]] && __credsh_place=RPROMPT gap=
    [[ ${(Pt)__credsh_place} == *readonly* ]] && __credsh_place=
  fi
  if [[ -n $__credsh_place ]]; then
    __credsh_segment="%(71V.$color%71v$end$gap.)"
  fi
  __credsh_watch "$__credsh_place"
  # An array, as arrays are not exported: what a parent under ALL_EXPORT exports is not installed here.
  if [[ ${(t)__credsh_installed-} != array* ]]; then
    __credsh_installed=(1)
    typeset -g __credsh_said= __credsh_shown= __credsh_profile= __credsh_default= __credsh_lease= __credsh_label= __credsh_key= __credsh_until= __credsh_zone=
    typeset -gi __credsh_asked=0 __credsh_low=0 __credsh_tick __credsh_len=0 __credsh_slots=0 __credsh_exp=__credsh_never __credsh_window=__credsh_never __credsh_must=__credsh_never __credsh_due=__credsh_never
  fi
  # Also when a start-up file that resets them is sourced again.
  typeset -ga precmd_functions preexec_functions
  (( $precmd_functions[(I)__credsh_precmd] )) || precmd_functions+=(__credsh_precmd)
  (( $preexec_functions[(I)__credsh_preexec] )) || preexec_functions+=(__credsh_preexec)
  [[ -z $__credsh_label ]] || builtin return 0
  # A nested shell continues its parent's lease if that is in this user's store (after su or sudo it is not).
  if [[ $#inherited == 16 && $inherited != *[^0-9a-f]* ]]; then
    __credsh_lease=$inherited
    # Its message waits for the first prompt: a start-up file should print nothing (p10k's instant prompt may be up).
    __credsh_load 2>/dev/null
    __credsh_said=
  fi
  # A lease that is not in the store cannot be renewed here, so this shell does not claim it.
  [[ -n $__credsh_label ]] || { __credsh_lease=$6; builtin unset CREDSH_LEASE }
  builtin shift 6
  typeset -ga __credsh_args=("$@")
  # A lease is wanted and none held: due at once, and mandatory before the first command.
  [[ -n $__credsh_label || -z $__credsh_lease ]] || __credsh_due=0 __credsh_must=0
}

__credsh_start @CREDSH@
fi
