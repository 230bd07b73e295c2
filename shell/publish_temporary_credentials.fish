#!/usr/bin/env fish
# credsh: publishes temporary AWS credentials in the shell that sources this file.
#
#     source ./publish_temporary_credentials.fish [-q] [ROLE_ARN]
#
# Without a role the credentials are those of the environment (in CloudShell, the operator's), else the role's. Prints them
# as the endpoint or `aws sts assume-role` would, a blank line, and four `export` lines; -q prints none of it. Exports
# TEMPORARY_AWS_ACCESS_KEY_ID, _SECRET_ACCESS_KEY, _SESSION_TOKEN and _CREDENTIAL_EXPIRATION. On failure it says why, prints
# nothing else, returns non-zero, and leaves the variables as they were.
# CREDSH_ROLE and CREDSH_QUIET can stand in for the arguments. In fish a sourced file never sees its caller's.
# The program is $CREDSH_EXE, or the credsh that printed this, or credsh in PATH.

begin
    # A trace would show the secrets. Exported, as functions called from here see no other local.
    set -lx fish_trace
    set -l exe @CREDSH@
    if set -q CREDSH_EXE[1]; and test -n "$CREDSH_EXE"
        set exe $CREDSH_EXE
    else if not string match -q '/*' -- $exe; or not test -x $exe
        set exe credsh
    end
    set -l hook
    functions -q __credsh_adopt; and set hook --hooked=fish --store=$__credsh_store
    command -q $exe; or echo 'credsh: the credsh program was not found: add it to PATH, or set CREDSH_EXE to its path' >&2
    # Under the standard names the program sees the environment as it was before the lease, as when the hook runs it.
    if functions -q __credsh_without; and set -l without (__credsh_without); and set -q without[1]
        set exe env $without $exe
    end
    # `command`, to bypass a hook's function `credsh`. A failure is the last thing to run, and so the status of the file:
    # `return` would return from the caller's function.
    set -l code (command $exe $hook publish --given=own --print=fish --role="$CREDSH_ROLE" --quiet="$CREDSH_QUIET" -- $argv)
    and printf '%s\n' $code | source
end
