# credsh: keeps temporary AWS credentials fresh in this shell. fish 3.6 and later.
#
# All policy lives in the program; this only compares a clock with numbers it computed. fish has no clock builtin, but
# `path mtime -R` prints a file's age, and the store's file `clock` has mtime 0, so its age is the time now. While nothing is
# due, that is one stat at the prompt and one before a command: no fork, no file opened.
# `builtin` throughout, as the user's functions may shadow builtins other than those that fish reserves (test, string, set).
# Does nothing, silently, in a shell that is not interactive.
if status is-interactive

# Children inherit exported variables but no functions: an inherited __credsh_installed does not mean installed here.
builtin functions -q credsh_off; or set -e __credsh_installed

# A hook of another version is removed by its own credsh_off, which knows what it put where; its lease is kept.
function __credsh_replace
    set -l lease $CREDSH_LEASE
    credsh_off
    test -n "$lease"; and set -gx CREDSH_LEASE $lease
end
set -q __credsh_installed; and test "$__credsh_version" != @VERSION@; and __credsh_replace
set -g __credsh_version @VERSION@

# Eleven nines: a time that never comes (NEVER in time.rs).
set -g __credsh_never 99999999999

# Runs $argv untraced, as fish_trace would show the secrets. Exported, as functions called from here see no other local.
function __credsh_untraced
    set -lx fish_trace
    $argv
end

# Wraps the current prompt function. Each wrapper calls what it wraps by a name of its own, kept by -V, so that a copy of the
# wrapper, which virtualenv makes and calls from its own fish_prompt, calls the right one.
function __credsh_wrap
    set -g __credsh_shown 1
    set -l name fish_prompt
    test $__credsh_side = right; and set name fish_right_prompt
    # It is ours already and just was not drawn: anybody may emit the event, and Ctrl-C ends a prompt that takes long.
    builtin functions $name 2>/dev/null | string match -q '*set -l __credsh_inner *'; and return
    set -g __credsh_wraps (builtin math $__credsh_wraps + 1)
    # With this shell's pid, as other shells read a wrapper that somebody saves to a file.
    set -l __credsh_inner __credsh_inner_{$fish_pid}_$__credsh_wraps
    if builtin functions -q $name
        builtin functions -c $name $__credsh_inner
    else
        set -ga __credsh_bare $__credsh_inner
        function $__credsh_inner
        end
    end
    # Nothing may run before the inner prompt, which may show $status and $pipestatus; `set` leaves both alone.
    if test $__credsh_side = right
        function fish_right_prompt -V __credsh_inner
            set -g __credsh_shown 1
            set -l lines ($__credsh_inner $argv)
            string join ' ' -- $lines $__credsh_text
        end
    else
        function fish_prompt -V __credsh_inner
            set -g __credsh_shown 1
            set -l lines ($__credsh_inner $argv)
            # Many prompts begin with an empty line; the segment belongs on the first that shows something.
            if test -z "$lines[1]"; and set -q lines[2]
                string join \n -- '' "$__credsh_text$lines[2]" $lines[3..]
            else
                string join \n -- "$__credsh_text$lines[1]" $lines[2..]
            end
        end
    end
end

# Unwraps these functions, layer by layer, while they are ours: each names the one that was there before.
function __credsh_unwrap
    for name in $argv
        builtin functions -q $name; or continue
        while set -l inner (builtin functions $name | string match -rg "set -l __credsh_inner '?(__credsh_inner_[0-9_]+)")
            builtin functions -e $name
            # It wrapped no function.
            builtin contains -- $inner[1] $__credsh_bare; and break
            builtin functions -c $inner[1] $name
        end
    end
    set -e __credsh_shown
    return 0
end

# The slow path, when a check has found more to do. $argv: prompt or exec, and the time. With no lease and nothing due,
# nothing is shown.
function __credsh_cold
    if test -n "$__credsh_label" -o $argv[2] -ge $__credsh_due -o $argv[2] -lt $__credsh_low
        __credsh_look $argv[1]
    else
        set -g __credsh_text
        set -g __credsh_tick $__credsh_due
    end
end

# The two checks: while nothing is due, only the comparison. If fish_prompt was redefined, our wrapper did not run, and so
# did not set __credsh_shown.
function __credsh_on_prompt --on-event fish_prompt
    set -l now (builtin path mtime -R -- $__credsh_clock; or builtin echo $__credsh_never)
    test $now -lt $__credsh_tick -a $now -ge $__credsh_low; or __credsh_untraced __credsh_cold prompt $now
    set -q __credsh_shown; or test $__credsh_side = off; or __credsh_wrap
    set -e __credsh_shown
end
function __credsh_on_preexec --on-event fish_preexec
    set -l now (builtin path mtime -R -- $__credsh_clock; or builtin echo $__credsh_never)
    test $now -lt $__credsh_due -a $now -ge $__credsh_low; or __credsh_untraced __credsh_cold exec $now
    # Whoever saves, edits or lists the prompt is to find their own; the next prompt is wrapped again.
    switch "$argv"
        case '*fish_prompt*' '*fish_right_prompt*' '*fish_config*' '*funcsave*' '*funced*'
            __credsh_unwrap fish_prompt fish_right_prompt
    end
end

# The old store is gone or refused; this is the one to use now.
function __credsh_move
    set -g __credsh_store $argv[1]
    set -g __credsh_clock $argv[1]/clock
end

# The program, except that refresh and clear also change this shell. Not in the rest, which is evaluated late and would
# overwrite a user's function wrapped round this one.
function credsh
    __credsh_typed $argv
end

# rest: __credsh_look __credsh_load __credsh_adopt __credsh_drop __credsh_without __credsh_typed credsh_off
# Up to the end marker: what a shell without a lease seldom calls. `init` hands it to such a shell as one string, which is
# evaluated when one of the functions named above is first called (src/shell/mod.rs).

# The program's answer, as code: adopt ID LABEL KEY SECRET TOKEN EXPIRATION EXPIRES WINDOW MANDATORY DUE MESSAGE UNTIL ZONE
# EARLIEST.
# Times are epoch seconds; anything but digits is refused.
function __credsh_adopt
    string match -qr '^[0-9]{1,11}( [0-9]{1,11}){3} [0-9]{0,11}$' -- "$argv[7..10] $argv[14]"; or return 0
    # New credentials end the failure last reported: if it recurs, it is reported again.
    test "$argv[3]" = "$__credsh_key"; or set -g __credsh_said ''
    set -g __credsh_lease $argv[1]
    set -g __credsh_label $argv[2]
    set -g __credsh_key $argv[3]
    set -g __credsh_exp $argv[7]
    set -g __credsh_window $argv[8]
    set -g __credsh_must $argv[9]
    # The same DUE is the same lease read again: the renewal asked for is still under way.
    test $argv[10] = $__credsh_due; or set -g __credsh_asked 0
    set -g __credsh_due $argv[10]
    set -g __credsh_until $argv[12]
    set -g __credsh_zone $argv[13]
    test -n "$argv[14]"; and set -g __credsh_low $argv[14]; or set -g __credsh_low 1
    set -g __credsh_tick 0
    set -gx {$__credsh_prefix}AWS_ACCESS_KEY_ID $argv[3]
    set -gx {$__credsh_prefix}AWS_SECRET_ACCESS_KEY $argv[4]
    set -gx CREDSH_SOURCE $argv[2]
    set -gx CREDSH_LEASE $argv[1]
    if test -n "$argv[5]"
        set -gx {$__credsh_prefix}AWS_SESSION_TOKEN $argv[5]
    else
        set -e -g {$__credsh_prefix}AWS_SESSION_TOKEN
    end
    if test -n "$argv[6]"
        set -gx {$__credsh_prefix}AWS_CREDENTIAL_EXPIRATION $argv[6]
    else
        set -e -g {$__credsh_prefix}AWS_CREDENTIAL_EXPIRATION
    end
    if test -z "$__credsh_prefix"
        # Standard names: botocore prefers AWS_SECURITY_TOKEN to AWS_SESSION_TOKEN, other SDKs AWS_PROFILE to keys.
        # A universal variable stays: erasing it would erase it in every shell, for good, and nothing else hides it.
        set -q -g AWS_PROFILE; and set -g __credsh_profile $AWS_PROFILE
        set -q -g AWS_DEFAULT_PROFILE; and set -g __credsh_default $AWS_DEFAULT_PROFILE
        set -e -g AWS_SECURITY_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE
    end
    if test -n "$argv[11]" -a "$argv[11]" != "$__credsh_said"
        set -g __credsh_said $argv[11]
        builtin printf 'credsh: %s\n' $argv[11] >&2
    end
    return 0
end

# No answer: ask again at $argv[1], ten seconds from now. A clock more than 15 s before that (5 s are slack) was set back.
function __credsh_defer
    set -g __credsh_tick 0
    string match -qr '^[0-9]{1,11}$' -- "$argv[1]"; or return 0
    set -g __credsh_due $argv[1]
    set -g __credsh_low (builtin math $argv[1] - 15)
end

# The program has printed this message itself; the lease's file may repeat it.
function __credsh_heard
    set -g __credsh_said $argv[1]
end

# With --no-store only the shell remembers what to ask for again.
function __credsh_repeat
    set -g __credsh_args $argv
end

# No lease any more: after `credsh clear`, or because the store lost it.
function __credsh_drop
    for name in ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN CREDENTIAL_EXPIRATION
        set -e -g {$__credsh_prefix}AWS_$name
    end
    set -e -g CREDSH_SOURCE
    set -e -g CREDSH_LEASE
    set -e -g CREDSH_PROMPT
    # The profile set aside for the standard names comes back, unless another was set since.
    test -n "$__credsh_profile"; and not set -q AWS_PROFILE; and set -gx AWS_PROFILE $__credsh_profile
    test -n "$__credsh_default"; and not set -q AWS_DEFAULT_PROFILE; and set -gx AWS_DEFAULT_PROFILE $__credsh_default
    for name in lease label profile default said
        set -g __credsh_$name ''
    end
    for name in exp window must due
        set -g __credsh_$name $__credsh_never
    end
    set -g __credsh_tick 0
    set -g __credsh_low 1
end

# Adopts what a renewal by this shell or another left in the store, without a fork. The owner is checked again, as somebody
# else may have created the store since `init` checked, and a symlink of theirs could name any file of the user's.
function __credsh_load
    set -l file $__credsh_store/$__credsh_lease.fish
    test -n "$__credsh_lease" -a -f $file -a -O $file -a ! -L $file; and builtin source $file
end

# Runs the program on this shell's store. Under the standard names it sees the environment from before the lease: otherwise
# the keys exported here would pass for a source once the store has lost the lease, and a role would lose its base profile.
function __credsh_run
    set -l without (__credsh_without)
    if set -q without[1]
        command env $without $__credsh_exe --store=$__credsh_store $argv
    else
        $__credsh_exe --store=$__credsh_store $argv
    end
end

# The arguments with which `env` restores that environment, one to a line; none where it is the current one.
function __credsh_without
    test -n "$__credsh_prefix" -o -z "$__credsh_label" -o "$AWS_ACCESS_KEY_ID" != "$__credsh_key"; and return 0
    builtin string join \n -- -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN -u AWS_CREDENTIAL_EXPIRATION
    test -n "$__credsh_profile"; and not set -q AWS_PROFILE; and builtin echo AWS_PROFILE=$__credsh_profile
    test -n "$__credsh_default"; and not set -q AWS_DEFAULT_PROFILE; and builtin echo AWS_DEFAULT_PROFILE=$__credsh_default
    return 0
end

# Whether the program is gone, reported in one line: fish itself would print a stack trace of the functions here.
function __credsh_gone
    test -x $__credsh_exe; and return 1
    builtin printf 'credsh: cannot run %s\n' $__credsh_exe >&2
    return 0
end

function __credsh_program
    __credsh_run hook --shell=fish --lease=$__credsh_lease $argv $__credsh_args </dev/null
end

# Renews, waiting for at most CREDSH_WAIT seconds (3). Ctrl-C ends the wait and this function with it, so the pause is set
# first, or each later command would be held up again.
function __credsh_wait
    __credsh_defer (builtin math $argv[1] + 10)
    __credsh_gone; and return 0
    __credsh_obey (CREDSH_WAIT="$CREDSH_WAIT" __credsh_program --wait --said="$__credsh_said" | string collect)
end

# Evaluates an answer of the program's, whatever that returns; false if this is not one.
function __credsh_obey
    string match -q '__credsh_*' -- "$argv[1]"; or return 1
    builtin eval $argv[1]
    return 0
end

# The time now, for the slow path: never empty.
function __credsh_now
    builtin path mtime -R -- $__credsh_clock; and return
    # No clock file: the store was emptied, or is gone. The program recreates it, or names another store.
    set -l now (command date +%s)
    # If there is no `date` either, the last time known.
    test -n "$now"; or set now $__credsh_missed
    if test $now -ge (builtin math $__credsh_missed + 5) -o $now -lt $__credsh_missed
        set -g __credsh_missed $now
        __credsh_obey (__credsh_run hook --shell=fish </dev/null 2>/dev/null | string collect)
    end
    builtin echo $now
end

# Something is due, the segment's text is out of date, or the clock was set back below __credsh_low, which leaves open what
# is due. $argv[1]: prompt or exec.
function __credsh_look
    set -l now (__credsh_now)
    if test $now -ge $__credsh_due -o $now -lt $__credsh_low
        __credsh_load
        if test $now -lt $__credsh_due -a $now -ge $__credsh_low
            # Another renewal was there first.
        else if test $argv[1] = exec; and test $now -ge $__credsh_must -o $now -lt $__credsh_low
            __credsh_wait $now
            set now (__credsh_now)
        else if test $now -ge (builtin math $__credsh_asked + 5) -o $now -lt $__credsh_asked
            # The program detaches itself, so no job is reported. Not run again for five seconds; a slower one holds a lock.
            set -g __credsh_asked $now
            __credsh_obey (__credsh_program 2>/dev/null | string collect)
        end
    end
    __credsh_draw $now
end

# Sets the segment's text as of $argv[1], and __credsh_tick to when that next changes. The rule is prompt.rs's.
function __credsh_draw
    set -l now $argv[1]
    set -l left (builtin math $__credsh_exp - $now)
    set -l tick $__credsh_due
    set -l color green
    set -l time
    if test -z "$__credsh_label"
        set -g __credsh_text
        set -g __credsh_tick $tick
        return 0
    end
    if test $__credsh_exp -ge $__credsh_never
        set time ''
    else if test $left -le 0
        set time ' expired'
        set color red
    else
        # UNTIL is EXPIRES as a time of day in ZONE: of no use under another TZ.
        set -l zone
        set -q TZ; and set zone =$TZ
        if test $__credsh_time = until -a -n "$__credsh_until" -a "$__credsh_zone" = "$zone" -a $left -lt 64800
            set time " until $__credsh_until"
            set tick $__credsh_exp
        else if test $left -lt 120
            set time " $left"s
            set tick (builtin math $now + 1)
        else if test $left -le 5400
            set -l minutes (builtin math -s0 $left / 60)
            set time " $minutes"m
            set tick (builtin math $__credsh_exp - $minutes x 60 + 1)
        else
            set -l hours (builtin math -s0 $left / 3600)
            set time " $hours"h
            set tick (builtin math $__credsh_exp - $hours x 3600 + 1)
            test $hours = 1; and set tick (builtin math $__credsh_exp - 5400)
        end
        if test $now -ge $__credsh_window
            set color yellow
        else if test $tick -gt $__credsh_window
            set tick $__credsh_window
        end
        test $tick -gt $__credsh_due; and set tick $__credsh_due
    end
    set -g __credsh_tick $tick
    set -gx CREDSH_PROMPT "$__credsh_label$time"
    set -g __credsh_text "[$__credsh_label$time]"
    if test -z "$NO_COLOR" -a "$TERM" != dumb
        set __credsh_text (builtin set_color $color)$__credsh_text(builtin set_color normal)
    end
    test $__credsh_side = left; and set __credsh_text "$__credsh_text "
end

function __credsh_typed
    __credsh_gone; and return 127
    if builtin contains -- "$argv[1]" refresh clear
        __credsh_untraced __credsh_command $argv
    else if test "$argv[1]" = doctor
        # Which checks are in place.
        set -l hook fish
        builtin functions -q __credsh_on_prompt; and set -a hook prompt
        builtin functions -q __credsh_on_preexec; and set -a hook preexec
        CREDSH_HOOK="$hook" __credsh_run $argv
    else
        __credsh_run $argv
    end
end
function __credsh_command
    # Not in a command substitution: its stderr would bypass a redirection made by the caller.
    __credsh_run --hooked=fish $argv | read -lz code
    set -l result $pipestatus[1]
    if __credsh_obey "$code"
        __credsh_draw (__credsh_now)
    else if test -n "$code"
        builtin printf '%s' $code
    end
    return $result
end

# Takes all of it out of the shell again.
function credsh_off
    set -q __credsh_installed; or return 0
    __credsh_drop
    # Somebody else's prompt may call a copy of ours, as virtualenv's does. A function that has a file, or that fish 4 has built
    # in, is none, and to look at it would load it.
    set -l names fish_prompt fish_right_prompt
    set -l files $fish_function_path/*.fish (builtin status list-files functions 2>/dev/null)
    set files (builtin path basename -- $files | builtin path change-extension '')
    for name in (builtin functions -a | string match -v '__credsh_*')
        builtin contains -- $name $files; or set -a names $name
    end
    __credsh_unwrap $names
    for name in (builtin functions -a | string match '__credsh_*') credsh credsh_off
        builtin functions -e $name
    end
    for name in (set -n | string match '__credsh_*')
        set -e -g $name
    end
end

# end of the rest

# EXE PREFIX SIDE TIME STORE LEASE [SELECTOR...]: from `credsh init`.
function __credsh_start
    if set -q __credsh_installed
        # The prefix has changed: the variables under the old one go.
        if test -n "$__credsh_label" -a "$__credsh_prefix" != "$argv[2]"
            set -l lease $__credsh_lease
            __credsh_drop
            set -gx CREDSH_LEASE $lease
        end
        # The side may have changed.
        __credsh_unwrap fish_prompt fish_right_prompt
    end
    set -g __credsh_exe $argv[1]
    set -g __credsh_prefix $argv[2]
    set -g __credsh_side $argv[3]
    # A dumb terminal has no right prompt.
    test $__credsh_side = right -a "$TERM" = dumb; and set -g __credsh_side left
    set -g __credsh_time $argv[4]
    set -g __credsh_tick 0
    # A lease already held stays in the store it came from.
    set -q __credsh_installed; and test -n "$__credsh_label"; or __credsh_move $argv[5]
    if not set -q __credsh_installed
        set -g __credsh_installed 1
        for name in asked missed wraps
            set -g __credsh_$name 0
        end
        set -g __credsh_low 1
        for name in lease label key profile default said
            set -g __credsh_$name ''
        end
        for name in exp window must due
            set -g __credsh_$name $__credsh_never
        end
        set -g __credsh_text
    end
    test -z "$__credsh_label"; or return 0
    # A nested shell continues its parent's lease if that is in this user's store (after su or sudo it is not).
    if string match -qr '^[0-9a-f]{16}$' -- "$CREDSH_LEASE"
        set -g __credsh_lease $CREDSH_LEASE
        # Its message waits for the first prompt: a start-up file should print nothing.
        __credsh_untraced __credsh_load 2>/dev/null
        set -g __credsh_said ''
    end
    # A lease that is not in the store cannot be renewed here, so this shell does not claim it.
    if test -z "$__credsh_label"
        set -g __credsh_lease $argv[6]
        set -e -g CREDSH_LEASE
    end
    set -g __credsh_args $argv[7..]
    # A lease is wanted and none held: due at once, and mandatory before the first command.
    if test -z "$__credsh_label" -a -n "$__credsh_lease"
        set -g __credsh_due 0
        set -g __credsh_must 0
    end
end

__credsh_start @CREDSH@
end
