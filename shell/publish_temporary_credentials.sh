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
#   bash           is known, but where this text is evaluated instead
#   zsh            is known, but there, and where a DEBUG trap hides it
#   ksh93          is known, but where what was given is just what the caller has
#   mksh           is known in an interactive shell
#   busybox, yash  cannot be known
#   dash           `.` drops what it is given, so a $1 is the caller's. Whether something was dropped is known if the source
#                  command stands in so many words in the script or the -c text that is run, or in what that sources by a path
#                  that is written out, and no other `.` there leaves it open what it sources; not where it was typed
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
# - No name is an everyday one: what is readonly in the caller's shell, or an integer, is so here too.
# - Under a trace $_ has moved on to +vx. Else that is a leftover of a Ctrl-C, and only the trace is to be set again.
# - Text that somebody evaluates sees the parameters of whoever that is, in bash and zsh too.
# - bash: a file sourced without arguments is its own on the stack of arguments. So may be the last of a script's, which are at
#   the bottom of it in 5.0 and later: from the moment that somebody asks, or extdebug is set. The first elements are meant.
# - ksh93: a DEBUG trap may look at the level above, where the arguments are the caller's.
# - dash: the text that is run is looked at, by builtins alone, as grep may not be there, and with it what it sources in so
#   many words. Wherever `.` may be a command, it has to be this file's, and without an argument; for any other, it has to be
#   known that this file is not sourced there. Where that is not so, or nothing is found, as at a prompt, what was given cannot
#   be known: to refuse is better than to drop a role. The first line of a -c text is behind the NUL that parts it from -c, which
#   read drops, so that there any dot counts.
# - zsh, mksh: before it runs the source command, the shell has set $_ to its last word: an argument, or the file.
# - With the standard names the program sees the surroundings as they were before the lease, as when the hook runs it: the
#   profile, which the lease has set aside, and not what the lease itself has put there.
# - The function that a hook puts before the program is no use here: command.
# - The trace goes on whatever came of what was published, and with the status of that; without a redirection, as mksh would
#   trace into it from then on.
# shellcheck disable=SC2154 # a hook has them
eval "false || $(
  __credsh_last=${_-} __credsh_word='' __credsh_given=none __credsh_hook='' __credsh_print=printf __credsh_exe=@CREDSH@
  __credsh_code=0 __credsh_self=publish_temporary_credentials.sh __credsh_flags='' __credsh_kept=''
  set +eu
  __credsh_flags=${__credsh_was-}
  case $__credsh_last in (+vx) __credsh_last=${__credsh_flags#* } ;; esac
  __credsh_flags=${__credsh_flags%% *}
  case $__credsh_last in (credsh:*) __credsh_last=${__credsh_last#credsh:} __credsh_kept=1 ;; esac
  for __credsh_word; do :; done
  __credsh_is_this() {
    if [ ! -f "$1" ] || [ ! -r "$1" ]; then return 1; fi
    for __credsh_line in 1 2 3 4 5 6 7 8 9; do
      read -r __credsh_line || return 1
      case $__credsh_line in (*"credsh: publishes temporary"*) return 0 ;; esac
    done <"$1"
    return 1
  }
  if [ -n "${BASH_VERSION-}" ]; then
    __credsh_hook=bash __credsh_given=own
    if [ -z "$BASH_SOURCE" ]; then __credsh_given=unknown
    elif [ -f "$BASH_SOURCE" ] && ! __credsh_is_this "$BASH_SOURCE"; then __credsh_given=unknown
    elif [ "$BASH_SOURCE" = "$0" ]; then __credsh_given=run
    elif [ "$BASH_ARGV" = "$BASH_SOURCE" ] && [ "$BASH_ARGC" = 1 ]; then
      eval 'shopt -s extdebug; if [ "${BASH_VERSION%%.*}" -lt 5 ] || [ "${BASH_ARGC[1]+more}" ]; then __credsh_given=none; fi; shopt -u extdebug'
    fi
  elif [ -n "${ZSH_VERSION-}" ]; then
    __credsh_hook=zsh __credsh_given=word __credsh_self=$(eval 'print -r -- "${(%):-%x}"')
    case ${ZSH_EVAL_CONTEXT-file} in
      (*eval*) case ${ZSH_EVAL_CONTEXT##*file} in (*eval*) __credsh_given=unknown ;; esac ;;
      (*file*) ;;
      (*) __credsh_given=run ;;
    esac
  elif __credsh_is_this "$0"; then __credsh_given=run
  elif [ -n "${KSH_VERSION-}${YASH_VERSION-}" ] || echo '[ "$1" = probe ]' | . /dev/stdin probe; then
    __credsh_given=unknown
    case ${KSH_VERSION-} in
      (Version*) __credsh_print=ksh
        eval '__credsh_word="$# $*"; trap "[ \"\${.sh.level}\" = 0 ] || .sh.level=\$((\${.sh.level} - 1)); __credsh_last=\"\$# \$*\"" DEBUG; :; trap - DEBUG'
        if [ "$__credsh_word" != "$__credsh_last" ]; then __credsh_given=own; fi ;;
      (?*) __credsh_print=ksh __credsh_given=word ;;
    esac
  else
    __credsh_given=unseen __credsh_blank=' 	' __credsh_sure='' __credsh_doubt='' __credsh_files='' __credsh_seen='|' __credsh_dir=.
    case $0 in (*/*) __credsh_dir=${0%/*} ;; esac
    __credsh_strip() { __credsh_rest=${__credsh_rest#"${__credsh_rest%%[!"$__credsh_blank"]*}"}; }
    __credsh_take() {
      case $__credsh_rest in
        (\"*\"*) __credsh_rest=${__credsh_rest#?}; __credsh_word=${__credsh_rest%%\"*} __credsh_rest=${__credsh_rest#*\"} ;;
        (\'*\'*) __credsh_rest=${__credsh_rest#?}; __credsh_word=${__credsh_rest%%\'*} __credsh_rest=${__credsh_rest#*\'} ;;
        (*) __credsh_word='' ;;
      esac
      __credsh_more=${__credsh_rest%%["$__credsh_blank"\;\&\|\<\>\(\)]*}
      __credsh_rest=${__credsh_rest#"$__credsh_more"} __credsh_word=$__credsh_word$__credsh_more
      case $__credsh_more in (*[\"\']*) return 1 ;; esac
      case $__credsh_word in ('' | *[\\\`]*) return 1 ;; (*[\(\{]*[\)\}]*) ;; (*[\(\{]*) return 1 ;; esac
      case $__credsh_rest in (\(*) return 1 ;; esac
    }
    __credsh_used() {
      while :; do
        __credsh_strip
        case $__credsh_rest in ('' | [\;\&\|\)\#]*) __credsh_sure=1; return ;; esac
        __credsh_rest=${__credsh_rest#"${__credsh_rest%%[!0123456789]*}"}
        case $__credsh_rest in ([\<\>]*) ;; (*) __credsh_given=dropped; return ;; esac
        for __credsh_word in '<<-' '<<' '<&' '<>' '>>' '>&' '>|' '<' '>'; do
          case $__credsh_rest in ("$__credsh_word"*) __credsh_rest=${__credsh_rest#"$__credsh_word"}; break ;; esac
        done
        __credsh_strip
        __credsh_take || { __credsh_doubt=1; return; }
      done
    }
    __credsh_look() {
      while read -r __credsh_rest || [ -n "$__credsh_rest" ]; do
        __credsh_strip
        case $__credsh_rest in
          (*'credsh: publishes temporary'* | [!\#]*[\"\'].[\"\']["$__credsh_blank"]*) __credsh_doubt=1 ;;
          (\#*) continue ;;
        esac
        while [ "${__credsh_rest#*.["$__credsh_blank"]}" != "$__credsh_rest" ]; do
          __credsh_before=${__credsh_rest%%.["$__credsh_blank"]*}
          __credsh_rest=${__credsh_rest#"$__credsh_before".}
          __credsh_word=${__credsh_before##*["$__credsh_blank"]}
          if [ -n "$__credsh_any" ]; then :
          elif [ -n "$__credsh_word" ]; then
            case $__credsh_word in (*[\;\&\|\(\)\`\"\'\\]) ;; (*) continue ;; esac
          else
            while [ "${__credsh_before%["$__credsh_blank"]}" != "$__credsh_before" ]; do __credsh_before=${__credsh_before%?}; done
            __credsh_word=${__credsh_before##*["$__credsh_blank"]}
            case $__credsh_word in
              ('' | *[\;\&\|\(\)\{\}\!\`\"\'\\=\<\>\$]* | if | then | elif | else | while | until | do | eval | command | exec) ;;
              (*) case $__credsh_before in (*[\<\>]["$__credsh_blank"]"$__credsh_word") ;; (*) continue ;; esac ;;
            esac
          fi
          __credsh_strip
          case $__credsh_rest in ('' | [\;\&\|\)\#]* | -[!-]*) continue ;; esac
          for __credsh_word in '$(dirname "$0")' '$(dirname -- "$0")' '$(dirname $0)' '${0%/*}'; do
            case $__credsh_rest in
              ("$__credsh_word"/*) __credsh_rest=$__credsh_dir${__credsh_rest#"$__credsh_word"} ;;
              (\""$__credsh_word"/*) __credsh_rest=\"$__credsh_dir${__credsh_rest#\""$__credsh_word"} ;;
              (\""$__credsh_word"\"/*) __credsh_rest=$__credsh_dir${__credsh_rest#\""$__credsh_word"\"} ;;
            esac
          done
          __credsh_take || { __credsh_doubt=1; continue; }
          case $__credsh_word in
            (*publish_temporary_credentials.sh) __credsh_used ;;
            (*[!a-zA-Z0-9_./+,:@%-]*) __credsh_doubt=1 ;;
            (*/*) __credsh_files=$__credsh_files$__credsh_word\| ;;
            (*) __credsh_doubt=1 ;;
          esac
        done
        __credsh_any=''
      done
    }
    if (IFS='') 2>/dev/null; then IFS=''; fi
    __credsh_any=''
    if [ -f "$0" ] && [ -r "$0" ]; then __credsh_look <"$0"; fi
    __credsh_any=1
    if [ -r "/proc/$$/cmdline" ]; then __credsh_look <"/proc/$$/cmdline"; fi
    while [ -n "$__credsh_files" ]; do
      __credsh_file=${__credsh_files%%\|*} __credsh_files=${__credsh_files#*\|} __credsh_any=''
      case $__credsh_seen in (*"|$__credsh_file|"*) continue ;; esac
      __credsh_seen=$__credsh_seen$__credsh_file\|
      if [ -f "$__credsh_file" ] && [ -r "$__credsh_file" ]; then __credsh_look <"$__credsh_file"
      elif [ -e "$__credsh_file" ] || [ "${__credsh_file#/}" = "$__credsh_file" ]; then __credsh_doubt=1; fi
    done
    if [ "$__credsh_given$__credsh_sure$__credsh_doubt" = unseen1 ] && [ -n "$__credsh_sure" ]; then __credsh_given=none; fi
  fi
  if [ "$__credsh_given" = word ]; then
    if [ -z "$__credsh_kept" ]; then __credsh_given=unknown
    elif [ "$__credsh_last" = "$__credsh_word" ] && [ "${__credsh_last##*/}" != "${__credsh_self##*/}" ]; then __credsh_given=own
    elif [ "$__credsh_last" != "$__credsh_word" ] && [ "${__credsh_last##*/}" = "${__credsh_self##*/}" ]; then __credsh_given=none
    else __credsh_given=unknown; fi
  fi
  if ! command -v __credsh_adopt >/dev/null; then __credsh_hook=''; fi
  if [ -n "${CREDSH_EXE-}" ]; then __credsh_exe=$CREDSH_EXE; elif [ "${__credsh_exe#/}" = "$__credsh_exe" ] || [ ! -x "$__credsh_exe" ]; then __credsh_exe=credsh; fi
  if [ -n "$__credsh_hook" ] && [ -z "$__credsh_prefix" ] && [ -n "$__credsh_label" ] && [ "${AWS_ACCESS_KEY_ID-}" = "$__credsh_key" ]; then
    unset -v AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION
    __credsh_restore
  fi
  case $__credsh_flags in (*v*x* | *x*v*) __credsh_flags=vx ;; (*x*) __credsh_flags=x ;; (*v*) __credsh_flags=v ;; esac
  if [ -n "$__credsh_flags" ]; then echo "{"; fi
  command "$__credsh_exe" ${__credsh_hook:+"--hooked=$__credsh_hook"} ${__credsh_hook:+"--store=$__credsh_store"} publish \
    "--given=$__credsh_given" "--print=$__credsh_print" "--role=${CREDSH_ROLE-}" "--quiet=${CREDSH_QUIET-}" -- "$@" || { __credsh_code=$?; echo "(exit $__credsh_code) && :"; }
  if [ "$__credsh_code" = 127 ]; then echo "credsh: the program credsh was not found: put it into PATH, or its path into CREDSH_EXE" >&2; fi
  if [ -n "$__credsh_flags" ]; then echo "} && :"; echo "eval \"unset -v __credsh_was; set -$__credsh_flags; (exit \$?) && :\""; fi
)" && :
