# credsh: keeps temporary AWS credentials fresh in this shell. PowerShell 7.3 and later, where credsh runs: Linux and macOS.
# Written from PowerShell's documentation; not yet run.
#
# All policy lives in the program; this only compares .NET's clock with numbers it computed. While nothing is due, that is
# one comparison at the prompt and one before a command: no process, no file.
# The program's answers and the lease's file are JSON: the name of a function and its arguments, read as data.
# A module of its own, so that the user's strict mode and names do not reach in. A shell that is not interactive calls
# neither `prompt` nor PSConsoleHostReadLine, so there this does nothing.

$null = New-Module -Name credsh -ScriptBlock {
Set-StrictMode -Off
$ErrorActionPreference = 'Continue'
$PSNativeCommandUseErrorActionPreference = $false

# Eleven nines: a time that never comes (NEVER in time.rs).
$script:never = 99999999999

function Clear-Held {
    $script:lease = $script:label = $script:key = $script:said = $script:text = $script:until = ''
    $script:aside = @{}
    $script:exp = $script:window = $script:must = $script:due = $script:never
    $script:tick = $script:asked = $script:low = 0
}

function Get-Now { [DateTimeOffset]::UtcNow.ToUnixTimeSeconds() }

function Set-Env([string]$name, [string]$value) {
    if ($value -eq '') { Remove-Item -LiteralPath "Env:$name" -ErrorAction Ignore } else { Set-Item -LiteralPath "Env:$name" -Value $value }
}

# The program's answer: adopt ID LABEL KEY SECRET TOKEN EXPIRATION EXPIRES WINDOW MANDATORY DUE MESSAGE
# UNTIL ZONE EARLIEST.
# Times are epoch seconds; anything but digits is refused.
function Invoke-Adopt([string[]]$words) {
    $earliest = if ($words.Count -gt 13) { $words[13] } else { '0' }
    foreach ($time in @($words[6..9]) + $earliest) { if ($time -notmatch '\A[0-9]{1,11}\z') { return } }
    # New credentials end the failure last reported: if it recurs, it is reported again.
    if ($words[2] -cne $script:key) { $script:said = '' }
    $script:lease, $script:label, $script:key = $words[0..2]
    # The same DUE is the same lease read again: the renewal asked for is still under way.
    if ([long]$words[9] -ne $script:due) { $script:asked = 0 }
    $script:exp, $script:window, $script:must, $script:due = $words[6..9] | ForEach-Object { [long]$_ }
    $script:low = [long]$earliest
    $script:tick = 0
    # UNTIL is EXPIRES as a time of day in ZONE: of no use under another TZ.
    $zone = if (Test-Path -LiteralPath Env:TZ) { "=$Env:TZ" } else { '' }
    $script:until = if ($zone -ceq $words[12]) { $words[11] } else { '' }
    Set-Env "$($script:prefix)AWS_ACCESS_KEY_ID" $words[2]
    Set-Env "$($script:prefix)AWS_SECRET_ACCESS_KEY" $words[3]
    Set-Env "$($script:prefix)AWS_SESSION_TOKEN" $words[4]
    Set-Env "$($script:prefix)AWS_CREDENTIAL_EXPIRATION" $words[5]
    Set-Env 'CREDSH_SOURCE' $words[1]
    Set-Env 'CREDSH_LEASE' $words[0]
    if ($script:prefix -eq '') {
        # Standard names: botocore prefers AWS_SECURITY_TOKEN to AWS_SESSION_TOKEN, other SDKs AWS_PROFILE to keys.
        foreach ($name in 'AWS_PROFILE', 'AWS_DEFAULT_PROFILE') {
            if (Test-Path -LiteralPath "Env:$name") { $script:aside[$name] = (Get-Item -LiteralPath "Env:$name").Value }
            Set-Env $name ''
        }
        Set-Env 'AWS_SECURITY_TOKEN' ''
    }
    if ($words[10] -ne '' -and $words[10] -cne $script:said) {
        $script:said = $words[10]
        [Console]::Error.WriteLine("credsh: $($script:said)")
    }
}

# No answer: ask again at $until, ten seconds from now. A clock more than 15 s before that (5 s are slack) was set back.
function Invoke-Defer([string]$until) {
    $script:tick = 0
    if ($until -match '\A[0-9]{1,11}\z') {
        $script:due = [long]$until
        $script:low = $script:due - 15
    }
}

# The profile set aside for the standard names comes back, unless another was set since.
function Restore-Profile {
    foreach ($name in $script:aside.Keys) { if (-not (Test-Path -LiteralPath "Env:$name")) { Set-Env $name $script:aside[$name] } }
}

$script:keys = 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_CREDENTIAL_EXPIRATION'

# No lease any more: after `credsh clear`, or because the store lost it.
function Invoke-Drop {
    foreach ($name in $script:keys) { Set-Env "$($script:prefix)$name" '' }
    foreach ($name in 'CREDSH_SOURCE', 'CREDSH_LEASE', 'CREDSH_PROMPT') { Set-Env $name '' }
    Restore-Profile
    Clear-Held
}

# Carries out the lines of an answer; false if it is not one. Not by ConvertFrom-Json, which turns strings into dates.
function Invoke-Answer([string]$answer) {
    if (-not $answer.StartsWith('["__credsh_')) { return $false }
    foreach ($line in $answer.Trim().Split("`n")) {
        $words = [System.Text.Json.JsonSerializer]::Deserialize($line, [string[]], [System.Text.Json.JsonSerializerOptions]::new())
        switch ($words[0]) {
            '__credsh_adopt' { Invoke-Adopt $words[1..($words.Count - 1)] }
            '__credsh_defer' { Invoke-Defer $words[1] }
            # The program has printed this message itself; the lease's file may repeat it.
            '__credsh_heard' { $script:said = $words[1] }
            # The old store is gone or refused; this is the one to use now.
            '__credsh_move' { $script:store = $words[1] }
            # With --no-store only the shell remembers what to ask for again.
            '__credsh_repeat' { $script:words = @($words | Select-Object -Skip 1) }
            '__credsh_drop' { Invoke-Drop }
        }
    }
    return $true
}

# Adopts what a renewal by this shell or another left in the store, without a process. The owner is checked again, as
# somebody else may have created the store since `init` checked, and a symlink of theirs could name any file.
function Import-Lease {
    if ($script:lease -eq '') { return }
    $file = Get-Item -LiteralPath "$($script:store)/$($script:lease).words" -Force -ErrorAction Ignore
    if ($file -is [System.IO.FileInfo] -and -not $file.LinkType -and $file.User -ceq [Environment]::UserName -and
        $file.UnixFileMode -eq [System.IO.UnixFileMode]'UserRead, UserWrite') {
        try { $null = Invoke-Answer ([System.IO.File]::ReadAllText($file.FullName)) } catch { }
    }
}

# Runs the program on this shell's store. Under the standard names it sees the environment from before the lease: otherwise
# the keys exported here would pass for a source once the store has lost the lease, and a role would lose its base profile.
function Invoke-Program([string[]]$words) {
    $own = $script:prefix -eq '' -and $script:label -ne '' -and $Env:AWS_ACCESS_KEY_ID -ceq $script:key
    $held = @{}
    try {
        if ($own) {
            foreach ($name in $script:keys + @($script:aside.Keys)) { $held[$name] = [Environment]::GetEnvironmentVariable($name) }
            foreach ($name in $script:keys) { Set-Env $name '' }
            Restore-Profile
        }
        & $script:exe "--store=$($script:store)" @words
    } finally {
        foreach ($name in @($held.Keys)) { Set-Env $name $held[$name] }
    }
}

function Invoke-Hook([string[]]$more = @()) { Invoke-Program (@('hook', '--shell=powershell', "--lease=$($script:lease)") + $more + $script:words) }

# Renews, waiting for at most CREDSH_WAIT seconds (3). Ctrl-C ends the wait and this function with it, so the pause is set
# first, or each later command would be held up again.
function Invoke-Wait([long]$now) {
    Invoke-Defer "$($now + 10)"
    try {
        $null = Invoke-Answer (@(Invoke-Hook '--wait', "--said=$($script:said)") -join "`n")
    } catch [System.Management.Automation.CommandNotFoundException] {
        [Console]::Error.WriteLine("credsh: cannot run $($script:exe)")
    }
}

# Whether $time has come; also if the clock was set back below $low, which leaves open what is due.
function Test-Over([long]$time) {
    $now = Get-Now
    $now -ge $time -or $now -lt $script:low
}

# Something is due, or the segment's text is out of date. $at: prompt or exec.
function Invoke-Cold([string]$at) {
    $last = $global:LASTEXITCODE
    try {
        $now = Get-Now
        if (Test-Over $script:due) {
            Import-Lease
            if (-not (Test-Over $script:due)) {
                # Another renewal was there first.
            } elseif ($at -eq 'exec' -and (Test-Over $script:must)) {
                Invoke-Wait $now
            } elseif ($now -ge $script:asked + 5 -or $now -lt $script:asked) {
                # The program detaches itself, so no job is reported. Not run again for five seconds; a slower one holds a
                # lock.
                $script:asked = $now
                $null = Invoke-Answer (@(Invoke-Hook 2>$null) -join "`n")
            }
        }
        Show-Left
    } catch {
        # A failure here must not become the prompt's or the command's.
    } finally {
        $global:LASTEXITCODE = $last
    }
}

# Sets the segment's text, and $tick to when that next changes. The rule is prompt.rs's.
function Show-Left {
    $now = Get-Now
    $left = $script:exp - $now
    $time = ''
    $color = 32
    $next = $script:due
    $script:text = ''
    $script:tick = $script:due
    if ($script:label -eq '') { return }
    if ($script:exp -ge $script:never) {
        # The expiration is unknown: show no time.
    } elseif ($left -le 0) {
        $time = ' expired'
        $color = 31
    } else {
        if ($script:when -eq 'until' -and $script:until -ne '' -and $left -lt 64800) {
            $time = " until $($script:until)"
            $next = $script:exp
        } elseif ($left -lt 120) {
            $time = " ${left}s"
            $next = $now + 1
        } elseif ($left -le 5400) {
            $time = " $([math]::Floor($left / 60))m"
            $next = $script:exp - $left + $left % 60 + 1
        } else {
            $time = " $([math]::Floor($left / 3600))h"
            $next = if ($left -lt 7200) { $script:exp - 5400 } else { $script:exp - $left + $left % 3600 + 1 }
        }
        if ($now -ge $script:window) { $color = 33 } else { $next = [math]::Min($next, $script:window) }
        $script:tick = [math]::Min($next, $script:due)
    }
    $Env:CREDSH_PROMPT = "$($script:label)$time"
    $script:text = "[$($Env:CREDSH_PROMPT)]"
    if (-not $Env:NO_COLOR -and $Env:TERM -and $Env:TERM -ne 'dumb') { $script:text = "`e[${color}m$($script:text)`e[0m" }
    $script:text += ' '
}

# The two checks: while nothing is due, only the comparison. `$?` is kept for the user's own prompt, which may show it.
$script:ourPrompt = {
    $worked = $?
    if (Test-Over $script:tick) { Invoke-Cold 'prompt' }
    $shown = if ($script:side -eq 'off') { '' } else { $script:text }
    if (-not $worked) { Write-Error '' -ErrorAction Ignore }
    $theirs = & $script:theirPrompt
    "$shown$theirs"
}
$script:ourReadLine = {
    $line = & $script:theirReadLine
    if (Test-Over $script:due) { Invoke-Cold 'exec' }
    $line
}

# The program, except that refresh and clear also change this shell. PowerShell removes an unquoted `--` from a function's
# arguments: hence `credsh exec '--' COMMAND`.
function credsh {
    if ($args.Count -gt 0 -and $args[0] -in 'refresh', 'clear') {
        $answer = @(Invoke-Program (@('--hooked=powershell') + $args)) -join "`n"
        if (Invoke-Answer $answer) { Show-Left } elseif ($answer) { $answer }
    } elseif ($args.Count -gt 0 -and $args[0] -eq 'doctor') {
        $Env:CREDSH_HOOK = "powershell$(Get-Checks)"
        try { Invoke-Program $args } finally { Remove-Item -LiteralPath Env:CREDSH_HOOK }
    } else {
        Invoke-Program $args
    }
}

# Which checks are in place, for `credsh doctor`.
function Get-Checks {
    $checks = ''
    if ("$function:prompt" -eq "$($script:ourPrompt)") { $checks += ' prompt' }
    if ("$function:PSConsoleHostReadLine" -eq "$($script:ourReadLine)") { $checks += ' preexec' }
    $checks
}

# Takes all of it out of the shell again. A prompt that somebody has wrapped round ours stays, and shows nothing of ours.
function credsh_off {
    $checks = Get-Checks
    Invoke-Drop
    $script:due = $script:tick = $script:never
    if ($checks -match 'prompt') { Set-Item -Path function:global:prompt -Value $script:theirPrompt }
    if ($checks -match 'preexec') { Set-Item -Path function:global:PSConsoleHostReadLine -Value $script:theirReadLine }
    Remove-Module credsh
}

# EXE PREFIX SIDE TIME STORE LEASE [SELECTOR...]: from `credsh init`. There is no right prompt: `right` means `left`.
function Start-Hook([string]$exe, [string]$prefix, [string]$side, [string]$when, [string]$store, [string]$wanted) {
    $inherited = "$Env:CREDSH_LEASE"
    # Evaluated again: the module already there is removed first; its lease is kept.
    foreach ($old in @(Get-Module credsh)) { & $old { credsh_off } }
    $script:exe, $script:prefix, $script:side, $script:when, $script:store = $exe, $prefix, $side, $when, $store
    Clear-Held
    $script:words = @($args)
    $script:theirPrompt = $function:prompt
    Set-Item -Path function:global:prompt -Value $script:ourPrompt
    if ($function:PSConsoleHostReadLine) {
        $script:theirReadLine = $function:PSConsoleHostReadLine
        Set-Item -Path function:global:PSConsoleHostReadLine -Value $script:ourReadLine
    }
    # A nested shell continues its parent's lease if that is in this user's store (after su or sudo it is not).
    if ($inherited -cmatch '\A[0-9a-f]{16}\z') {
        $script:lease = $inherited
        Import-Lease
    }
    if ($script:label -ne '') { return }
    # A lease that is not in the store cannot be renewed here, so this shell does not claim it.
    Set-Env 'CREDSH_LEASE' ''
    $script:lease = $wanted
    # A lease is wanted and none held: due at once, and mandatory before the first command.
    if ($wanted -ne '') { $script:due = $script:must = 0 }
}

Start-Hook @CREDSH@
Export-ModuleMember -Function @('credsh', 'credsh_off')
} | Import-Module -Global -PassThru
