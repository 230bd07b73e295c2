#!/bin/sh
# credsh: publishes temporary AWS credentials in the shell that sources this file.
#
#     source ./publish_temporary_credentials.sh [-q] [ROLE_ARN]
#
# Without a role the credentials are those of the environment (in CloudShell, the operator's), else the role's. Prints them
# as the endpoint or `aws sts assume-role` would, a blank line, and four `export` lines; -q prints none of it. Exports
# TEMPORARY_AWS_ACCESS_KEY_ID, _SECRET_ACCESS_KEY, _SESSION_TOKEN and _CREDENTIAL_EXPIRATION. On failure it says why, prints
# nothing else, returns non-zero, and leaves the variables as they were.
#
# In sh, a file sourced without arguments sees its caller's. Whether $1 was given to this file, or is the caller's own:
#   bash           is known, except where this text is evaluated instead
#   zsh            is known, except there, and where a DEBUG trap hides it
#   ksh93          is known, except where the arguments given equal the caller's
#   mksh           is known in an interactive shell
#   busybox, yash  cannot be known
#   dash           `.` drops its arguments, so $1 is the caller's. Whether any were dropped is known if the source command is
#                  spelled out in the script or the -c text being run, or in a file that this sources by a literal path, and
#                  no other `.` there leaves open what it sources; not at a prompt
# Where it is not known, this refuses: in dash always, elsewhere only with a $1. It also refuses if an argument was dropped.
# In every shell CREDSH_ROLE=ARN names a role, CREDSH_ROLE=none says that none is meant, and CREDSH_QUIET=1 is -q.
# The program is $CREDSH_EXE, or the credsh that printed this, or credsh in PATH.

# The only variable ever set in the caller's shell, and only if a trace is on, which would show the secrets. (Ctrl-C then
# leaves the trace off, and this variable, until the next time.) One list of plain commands, the first with $_ in its last
# word: zsh and mksh set $_ to that word, and so hand the caller's last word on to the next command, marked `credsh:` to show
# that this shell does keep $_.
# shellcheck disable=SC1091,SC2016,SC2128,SC2166,SC2240,SC3028 # what is not in POSIX is asked of those that have it
test "${-#*[vx]}" = "$-" -o a = "credsh:${_-}" || ! __credsh_was="$- ${_-}" || { set +vx; } 2>/dev/null
# A subshell does the work, and its output is code for the caller's shell; no output at all is a failure too.
# `&& :` hands a failure to the caller's `||` or `set -e` instead of ending busybox and mksh right here.
# All comments on it are here, in its order: inside a substitution, an interactive zsh before 5.9 takes `#` for a command.
# - No everyday names: what is readonly or an integer in the caller's shell is so here too.
# - With a trace on, $_ is +vx by now. If not, __credsh_was is left from a Ctrl-C, and only the trace is restored.
# - Text that is evaluated sees the parameters of whoever evaluates it, in bash and zsh too.
# - bash: a file sourced without arguments has its own name as its one argument on the stack (BASH_ARGV). But that name may
#   be a script's last argument: from 5.0 on those are at the bottom of the stack, once somebody asks or extdebug is set, so
#   there has to be a frame below. Without subscripts, as the first elements are meant.
# - ksh93: a DEBUG trap can look one level up, where the arguments are the caller's.
# - dash: the text being run is read, with whatever it sources by a literal path, and by builtins alone, as grep may be
#   missing. Every `.` that may be a command has to source this file, without an argument, or a file known not to source this
#   one. If one does not, or none is found, as at a prompt, what was given cannot be known: to refuse is better than to drop
#   a role. In /proc the first line of a -c text follows `-c` and a NUL, which `read` drops: there any dot counts.
# - zsh, mksh: before it runs the source command, the shell sets $_ to its last word: an argument, or the file.
# - Under the standard names the program sees the environment from before the lease, as when the hook runs it: with the
#   profile that the lease set aside, and without the lease's own keys.
# - `command`, to bypass a hook's function `credsh`.
# - The trace goes back on whatever came of publishing, and keeps its status; without a redirection, as mksh would trace into
#   it from then on.
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
  if [ "$__credsh_code" = 127 ]; then echo "credsh: the credsh program was not found: add it to PATH, or set CREDSH_EXE to its path" >&2; fi
  if [ -n "$__credsh_flags" ]; then echo "} && :"; echo "eval \"unset -v __credsh_was; set -$__credsh_flags; (exit \$?) && :\""; fi
)" && :
