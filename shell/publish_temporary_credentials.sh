#!/bin/sh
# credsh: publishes temporary AWS credentials in the shell that sources this file.
#
#     source ./publish_temporary_credentials.sh [-q] [ROLE_ARN]
#
# Without a role the credentials are the surroundings' own (in CloudShell the operator's), else that role's. Prints them
# as the endpoint or `aws sts assume-role` would, a blank line, and four `export` lines; -q prints none of it. Exports
# TEMPORARY_AWS_ACCESS_KEY_ID, _SECRET_ACCESS_KEY, _SESSION_TOKEN and _CREDENTIAL_EXPIRATION. A failure says why, prints
# nothing else, returns non-zero, and leaves the variables as they were.
#
# In sh, a file that is sourced without arguments sees its caller's. Whether a $1 was given to it, or is the caller's own:
#   bash           is always known
#   zsh            is known, but where a DEBUG trap hides it
#   ksh93          is known, but where what was given is just what the caller has
#   mksh           is known in an interactive shell
#   busybox, yash  cannot be known
#   dash           `.` drops what it is given, so a $1 is the caller's. Whether something was dropped is known if the source
#                  command stands in the script or the -c text that is run, and not where it was typed at a prompt
# Where it is not known, this refuses; in all but dash only if there is a $1. So it does where an argument was dropped. In
# every shell CREDSH_ROLE=ARN names a role, CREDSH_ROLE=none says that none is meant, and CREDSH_QUIET=1 is -q.
# The program is $CREDSH_EXE, or the credsh that printed this, or credsh in PATH.

# The one thing that is ever set in the caller's shell, and only if it traces: the trace would show the secrets. (A Ctrl-C
# then leaves the trace off, and this variable, until the next time.) One list of plain commands, the first with $_ in its
# last word, as zsh and mksh set $_ to that: so what the caller's last word was goes on to the next, with a mark that shows
# that this shell does keep $_.
# shellcheck disable=SC1091,SC2016,SC2128,SC2166,SC2240,SC3028 # what is not in POSIX is asked of those that have it
test "${-#*[vx]}" = "$-" -o a = "credsh:${_-}" || ! __credsh_was="$- ${_-}" || { set +vx; } 2>/dev/null
# A shell of its own, gone when it is done, whose output is code for the caller's; no output at all is a failure too.
# `&& :` hands a failure to the caller's `||` or `set -e` instead of ending busybox and mksh right here.
# All that is to be said of it is said here, in its order: in the substitutions of an interactive zsh before 5.9, `#` begins
# a command like any other.
# - Under a trace $_ has moved on to +vx. Else that is a leftover of a Ctrl-C, and only the trace is to be set again.
# - bash: a file sourced without arguments is its own on the stack of arguments. The first elements are meant.
# - ksh93: a DEBUG trap may look at the level above, where the arguments are the caller's.
# - dash: the text that is run is looked at, by builtins alone, as grep may not be there. Where the source command is not
#   found, as at a prompt, what it was given cannot be known. What ends in a dot: read has dropped the NUL that parts -c from
#   its text.
# - zsh, mksh: before it runs the source command, the shell has set $_ to its last word: an argument, or the file.
# - The function that a hook puts before the program is no use here: command.
# - The trace goes on without a redirection: mksh would trace into it from then on.
# shellcheck disable=SC2154 # a hook has it
eval "false || $(
  last=${_-} word='' line='' given=none hook='' print=printf exe=@CREDSH@ code=0 self=publish_temporary_credentials.sh flags='' kept=''
  set +eu
  flags=${__credsh_was-}
  case $last in (+vx) last=${flags#* } ;; esac
  flags=${flags%% *}
  case $last in (credsh:*) last=${last#credsh:} kept=1 ;; esac
  for word; do :; done
  if [ -n "${BASH_VERSION-}" ]; then
    hook=bash
    if [ "$BASH_SOURCE" = "$0" ]; then given=run; elif [ "$BASH_ARGV" != "$BASH_SOURCE" ]; then given=own; fi
  elif [ -n "${ZSH_VERSION-}" ]; then
    hook=zsh given=word self=$(eval 'print -r -- "${(%):-%x}"')
    if [ -n "${ZSH_EVAL_CONTEXT-}" ] && [ "${ZSH_EVAL_CONTEXT#*file}" = "$ZSH_EVAL_CONTEXT" ]; then given=run; fi
  elif [ -f "$0" ] && [ -r "$0" ] && { read -r line; read -r line; } <"$0" && [ "${line#*credsh: publishes temporary}" != "$line" ]; then given=run
  elif [ -n "${KSH_VERSION-}${YASH_VERSION-}" ] || echo '[ "$1" = probe ]' | . /dev/stdin probe; then
    given=unknown
    case ${KSH_VERSION-} in
      (Version*) print=ksh
        eval 'word="$# $*"; trap "[ \"\${.sh.level}\" = 0 ] || .sh.level=\$((\${.sh.level} - 1)); last=\"\$# \$*\"" DEBUG; :; trap - DEBUG'
        if [ "$word" != "$last" ]; then given=own; fi ;;
      (?*) print=ksh given=word ;;
    esac
  else
    given=unseen ends=';&|<>)}#' blank=' 	'
    __credsh_look() {
      while IFS= read -r line || [ -n "$line" ]; do
        while [ "${line#*publish_temporary_credentials.sh}" != "$line" ]; do
          before=${line%%publish_temporary_credentials.sh*} line=${line#*publish_temporary_credentials.sh}
          before=${before%"${before##*["$blank"]}"} word=${line#[\"\']}
          while [ "${before%["$blank"]}" != "$before" ]; do before=${before%?}; done
          case $before+$word in (*.+ | *.+["$ends$blank"]*) ;; (*) continue ;; esac
          while [ "${word#["$blank"]}" != "$word" ]; do word=${word#?}; done
          case $word in
            ('' | ["$ends"]* | [0-9]["<>"]*) if [ "$given" = unseen ]; then given=none; fi ;;
            (*) given=dropped ;;
          esac
        done
      done
    }
    for file in "$0" "/proc/$$/cmdline"; do
      if [ -f "$file" ] && [ -r "$file" ]; then __credsh_look <"$file"; fi
    done
  fi
  if [ "$given" = word ]; then
    if [ -z "$kept" ]; then given=unknown
    elif [ "$last" = "$word" ] && [ "${last##*/}" != "${self##*/}" ]; then given=own
    elif [ "$last" != "$word" ] && [ "${last##*/}" = "${self##*/}" ]; then given=none
    else given=unknown; fi
  fi
  if ! command -v __credsh_adopt >/dev/null; then hook=''; fi
  if [ -n "${CREDSH_EXE-}" ]; then exe=$CREDSH_EXE; elif [ "${exe#/}" = "$exe" ] || [ ! -x "$exe" ]; then exe=credsh; fi
  command "$exe" ${hook:+"--hooked=$hook"} ${hook:+"--store=$__credsh_store"} publish \
    "--given=$given" "--print=$print" "--role=${CREDSH_ROLE-}" "--quiet=${CREDSH_QUIET-}" -- "$@" || { code=$?; echo "(exit $code) && :"; }
  if [ "$code" = 127 ]; then echo "credsh: the program credsh was not found: put it into PATH, or its path into CREDSH_EXE" >&2; fi
  case $flags in (*v*x* | *x*v*) flags=vx ;; (*x*) flags=x ;; (*v*) flags=v ;; esac
  if [ -n "$flags" ]; then echo "unset -v __credsh_was; set -$flags; (exit $code) && :"; fi
)" && :
