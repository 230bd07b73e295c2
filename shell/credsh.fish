# credsh: keeps temporary AWS credentials fresh in this shell. fish 3.6 and later.
#
# All policy is the program's; this only compares a clock with numbers the program computed. fish has no clock
# builtin: `path mtime -R` prints a file's age, and the file `clock` in the store has the time 0, so its age is now.
# While nothing is due that is one stat, at the prompt and before a command: no fork, no file opened.
# `builtin` throughout, but for what fish lets nobody define (test, string, set): functions of the user's may have the names.
# Does nothing, and says nothing, where nobody types.
if status is-interactive

# No child inherits functions, but the variables of a parent that exported them: those are not in place here.
builtin functions -q credsh_off; or set -e __credsh_installed

# Another version of this goes first, in its own words; the lease is gone on with.
function __credsh_replace
    set -l lease $CREDSH_LEASE
    credsh_off
    test -n "$lease"; and set -gx CREDSH_LEASE $lease
end
set -q __credsh_installed; and test "$__credsh_version" != @VERSION@; and __credsh_replace
set -g __credsh_version @VERSION@

# Eleven nines: a time that does not come (time.rs, NEVER).
set -g __credsh_never 99999999999

# Runs $argv untraced: fish_trace would show the secrets. Exported, as only such a local is seen by what it calls.
function __credsh_untraced
    set -lx fish_trace
    $argv
end

# Puts the segment round the prompt function there is now. The new function knows the old one by a name of its own
# (-V keeps it), so that a copy of it, which virtualenv makes and calls from its own fish_prompt, calls the right one.
function __credsh_wrap
    set -g __credsh_shown 1
    set -l name fish_prompt
    test $__credsh_side = right; and set name fish_right_prompt
    # One of ours that has not been drawn: the event may be sent by anybody, and Ctrl-C ends a prompt that takes long.
    builtin functions $name 2>/dev/null | string match -q '*set -l __credsh_inner *'; and return
    set -g __credsh_wraps (builtin math $__credsh_wraps + 1)
    # The shell's own number, as one that somebody saves to a file is read by others.
    set -l __credsh_inner __credsh_inner_{$fish_pid}_$__credsh_wraps
    if builtin functions -q $name
        builtin functions -c $name $__credsh_inner
    else
        set -ga __credsh_bare $__credsh_inner
        function $__credsh_inner
        end
    end
    # The inner one first, in a substitution: nothing may run before it (to set a variable is not to run), as it shows
    # $status and $pipestatus.
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

# Unwraps the functions as far as they are ours: the one that each holds by name is the one that was there before.
function __credsh_unwrap
    for name in $argv
        builtin functions -q $name; or continue
        while set -l inner (builtin functions $name | string match -rg "set -l __credsh_inner '?(__credsh_inner_[0-9_]+)")
            builtin functions -e $name
            # Or it stood for nothing.
            builtin contains -- $inner[1] $__credsh_bare; and break
            builtin functions -c $inner[1] $name
        end
    end
    set -e __credsh_shown
    return 0
end

# More than the comparison is wanted, at $argv[2] by the clock. $argv[1]: prompt or exec. While nothing is held and nothing
# due, nothing is shown.
function __credsh_cold
    if test -n "$__credsh_label" -o $argv[2] -ge $__credsh_due -o $argv[2] -lt $__credsh_low
        __credsh_look $argv[1]
    else
        set -g __credsh_text
        set -g __credsh_tick $__credsh_due
    end
end

# The two checks. Nothing but the comparison while nothing is due. Whoever has defined fish_prompt anew has kept
# ours from running, and so from setting __credsh_shown.
function __credsh_on_prompt --on-event fish_prompt
    set -l now (builtin path mtime -R -- $__credsh_clock; or builtin echo $__credsh_never)
    test $now -lt $__credsh_tick -a $now -ge $__credsh_low; or __credsh_untraced __credsh_cold prompt $now
    set -q __credsh_shown; or test $__credsh_side = off; or __credsh_wrap
    set -e __credsh_shown
end
function __credsh_on_preexec --on-event fish_preexec
    set -l now (builtin path mtime -R -- $__credsh_clock; or builtin echo $__credsh_never)
    test $now -lt $__credsh_due -a $now -ge $__credsh_low; or __credsh_untraced __credsh_cold exec $now
    # Who saves, edits or lists the prompt shall find their own: ours is put round it again at the next one.
    switch "$argv"
        case '*fish_prompt*' '*fish_right_prompt*' '*fish_config*' '*funcsave*' '*funced*'
            __credsh_unwrap fish_prompt fish_right_prompt
    end
end

# The store's directory is gone, and this is where it is now.
function __credsh_move
    set -g __credsh_store $argv[1]
    set -g __credsh_clock $argv[1]/clock
end

# The program, but a refresh or clear changes this shell. In front of the rest, as people put functions of their own round it,
# and what is defined later would take their place.
function credsh
    __credsh_typed $argv
end

# rest: __credsh_look __credsh_load __credsh_adopt __credsh_drop __credsh_without __credsh_typed credsh_off
# What a shell that holds no lease seldom calls, up to the end of this part: `init` hands it to such a shell as one
# string, which is evaluated when one of the functions named above is first called (src/shell.rs).

# The program's answer, as code: adopt ID LABEL KEY SECRET TOKEN EXPIRATION EXPIRES WINDOW MANDATORY DUE MESSAGE UNTIL ZONE
# EARLIEST.
# Times are epoch seconds, and only ever digits.
function __credsh_adopt
    string match -qr '^[0-9]{1,11}( [0-9]{1,11}){3} [0-9]{0,11}$' -- "$argv[7..10] $argv[14]"; or return 0
    # With new credentials what went wrong before is over, and is told of again.
    test "$argv[3]" = "$__credsh_key"; or set -g __credsh_said ''
    set -g __credsh_lease $argv[1]
    set -g __credsh_label $argv[2]
    set -g __credsh_key $argv[3]
    set -g __credsh_exp $argv[7]
    set -g __credsh_window $argv[8]
    set -g __credsh_must $argv[9]
    # What is adopted again while a renewal is under way is no reason to start another.
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
        # The standard names: botocore reads AWS_SECURITY_TOKEN before AWS_SESSION_TOKEN, other SDKs AWS_PROFILE before keys.
        # A universal one stays: to erase it would erase it in every shell, for good, and nothing else hides it.
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

# Nothing came; ask again at $argv[1], which is ten seconds from now: below that, and five for noise, the clock was set back.
function __credsh_defer
    set -g __credsh_tick 0
    string match -qr '^[0-9]{1,11}$' -- "$argv[1]"; or return 0
    set -g __credsh_due $argv[1]
    set -g __credsh_low (builtin math $argv[1] - 15)
end

# What was said already, by the program.
function __credsh_heard
    set -g __credsh_said $argv[1]
end

# What is not stored is asked for again in the same words.
function __credsh_repeat
    set -g __credsh_args $argv
end

# Holds no lease any more: `credsh clear`, or the store has lost it.
function __credsh_drop
    for name in ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN CREDENTIAL_EXPIRATION
        set -e -g {$__credsh_prefix}AWS_$name
    end
    set -e -g CREDSH_SOURCE
    set -e -g CREDSH_LEASE
    set -e -g CREDSH_PROMPT
    # The profile that the standard names have set aside, unless there is another by now.
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

# Takes over what a renewal, this shell's or another's, left in the store: no fork. The file's owner is looked
# at here too, as the store may have been made by somebody else since `init` looked; and a link of theirs could name
# any file of ours.
function __credsh_load
    set -l file $__credsh_store/$__credsh_lease.fish
    test -n "$__credsh_lease" -a -f $file -a -O $file -a ! -L $file; and builtin source $file
end

# The program, for the store that this shell looks into. With the standard names it sees the surroundings as they were
# before the lease: this shell's own output would else be a source like any other once the store has lost the lease,
# and a role's base not the profile it was.
function __credsh_run
    set -l without (__credsh_without)
    if set -q without[1]
        command env $without $__credsh_exe --store=$__credsh_store $argv
    else
        $__credsh_exe --store=$__credsh_store $argv
    end
end

# What `env` makes those surroundings with, a word to a line; nothing where they are the surroundings at hand.
function __credsh_without
    test -n "$__credsh_prefix" -o -z "$__credsh_label" -o "$AWS_ACCESS_KEY_ID" != "$__credsh_key"; and return 0
    builtin string join \n -- -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN -u AWS_CREDENTIAL_EXPIRATION
    test -n "$__credsh_profile"; and not set -q AWS_PROFILE; and builtin echo AWS_PROFILE=$__credsh_profile
    test -n "$__credsh_default"; and not set -q AWS_DEFAULT_PROFILE; and builtin echo AWS_DEFAULT_PROFILE=$__credsh_default
    return 0
end

function __credsh_program
    __credsh_run hook --shell=fish --lease=$__credsh_lease $argv $__credsh_args </dev/null
end

# Renews and waits for it: at most CREDSH_WAIT seconds (3), ended by Ctrl-C. That ends this function too, hence the
# pause is set beforehand: or each further command would be held up again.
function __credsh_wait
    __credsh_defer (builtin math $argv[1] + 10)
    # fish would tell of a program that is gone with all the functions that wanted it.
    if not test -x $__credsh_exe
        builtin printf 'credsh: cannot run %s\n' $__credsh_exe >&2
        return 0
    end
    __credsh_obey (CREDSH_WAIT="$CREDSH_WAIT" __credsh_program --wait --said="$__credsh_said" | string collect)
end

# Does what an answer of the program's says, whatever comes of it; false if this is none.
function __credsh_obey
    string match -q '__credsh_*' -- "$argv[1]"; or return 1
    builtin eval $argv[1]
    return 0
end

# Now, for the cold path: never empty.
function __credsh_now
    builtin path mtime -R -- $__credsh_clock; and return
    # No clock: somebody has emptied the store, or its directory is gone. The program makes it anew, or says where it is now.
    set -l now (command date +%s)
    # Without that either it is the last time that was known.
    test -n "$now"; or set now $__credsh_missed
    if test $now -ge (builtin math $__credsh_missed + 5) -o $now -lt $__credsh_missed
        set -g __credsh_missed $now
        __credsh_obey (__credsh_run hook --shell=fish </dev/null 2>/dev/null | string collect)
    end
    builtin echo $now
end

# Something is due, or the indicator's text has changed; or the clock was set back behind __credsh_low, and what is due is
# not known. $argv[1]: prompt or exec.
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
            # The program detaches itself, so there is no job to be told of; five seconds is the longest it takes.
            set -g __credsh_asked $now
            __credsh_obey (__credsh_program 2>/dev/null | string collect)
        end
    end
    __credsh_draw $now
end

# The indicator's text at $argv[1], and until when it holds: __credsh_tick. The rule is prompt.rs's.
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
        # UNTIL is EXPIRES's time of day where TZ is ZONE's.
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
    # Not in a substitution: what that says on stderr goes past the redirection of whoever calls this.
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
    # A prompt of somebody else's may call a copy that it has made of ours, as virtualenv's does.
    # Or a function that it calls may; only those that are there, so as to load none for this.
    set -l names fish_prompt fish_right_prompt
    set -l known (builtin functions -a)
    set -l i 1
    while set -q names[$i]
        for word in (builtin functions $names[$i] 2>/dev/null | string match -ar '\b\w[\w-]*')
            builtin contains -- $word $known; and not builtin contains -- $word $names; and set -a names $word
        end
        set i (builtin math $i + 1)
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
        # Under other names from now on.
        if test -n "$__credsh_label" -a "$__credsh_prefix" != "$argv[2]"
            set -l lease $__credsh_lease
            __credsh_drop
            set -gx CREDSH_LEASE $lease
        end
        # On another side, perhaps.
        __credsh_unwrap fish_prompt fish_right_prompt
    end
    set -g __credsh_exe $argv[1]
    set -g __credsh_prefix $argv[2]
    set -g __credsh_side $argv[3]
    # A dumb terminal has no right prompt.
    test $__credsh_side = right -a "$TERM" = dumb; and set -g __credsh_side left
    set -g __credsh_time $argv[4]
    set -g __credsh_tick 0
    # What is held stays where it is.
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
    # A nested shell goes on with its parent's lease, if it is in this user's store (after su or sudo it is not).
    if string match -qr '^[0-9a-f]{16}$' -- "$CREDSH_LEASE"
        set -g __credsh_lease $CREDSH_LEASE
        # What it has to say is said at the first prompt: a start-up file is no place for it.
        __credsh_untraced __credsh_load 2>/dev/null
        set -g __credsh_said ''
    end
    # What nobody here can renew is no lease of this shell's.
    if test -z "$__credsh_label"
        set -g __credsh_lease $argv[6]
        set -e -g CREDSH_LEASE
    end
    set -g __credsh_args $argv[7..]
    # Nothing held and something wanted: due at once, and before the first command mandatory.
    if test -z "$__credsh_label" -a -n "$__credsh_lease"
        set -g __credsh_due 0
        set -g __credsh_must 0
    end
end

__credsh_start @CREDSH@
end
