# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_credsh_global_optspecs
    string join \n h/help V/version
end

function __fish_credsh_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_credsh_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_credsh_using_subcommand
    set -l cmd (__fish_credsh_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c credsh -n "__fish_credsh_needs_command" -s h -l help -d 'Print help'
complete -c credsh -n "__fish_credsh_needs_command" -s V -l version -d 'Print version'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "init" -d 'Print the hook for a shell\'s start-up file'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "refresh" -d 'Renew the credentials, or switch to others'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "export" -d 'Print the credentials for a shell or a program'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "exec" -d 'Run a command with the credentials in its environment, under their standard names'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "docker" -d 'Run docker or podman with the credentials passed by name, never in an argument'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "whoami" -d 'Ask AWS whose credentials these are'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "doctor" -d 'Say what is wrong here, why it matters, and what to type'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "profile" -d 'Add, list or remove profiles in ~/.aws/config that take their credentials from credsh'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "status" -d 'Show the stored leases: source, time left, and which one is this shell\'s'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "prompt" -d 'Print the prompt indicator\'s text, for prompt tools that run a command'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "clear" -d 'Forget the credentials: this shell\'s variables, and the stored lease'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "completions" -d 'Print a completion script'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "demo" -d 'Show credsh at work against a built-in endpoint, without AWS'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "template" -d 'Print a CloudFormation template for a role to assume'
complete -c credsh -n "__fish_credsh_needs_command" -f -a "script" -d 'Print a script that publishes the credentials in the shell that sources it'
complete -c credsh -n "__fish_credsh_using_subcommand init" -l prefix -d 'What the exported names begin with; empty for the standard AWS_* names' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand init" -l prompt -d 'Where the prompt indicator goes' -r -f -a "left\t''
right\t''
off\t''"
complete -c credsh -n "__fish_credsh_using_subcommand init" -l prompt-time -d 'Whether the indicator shows the time left (12m) or the time of expiry (until 14:32)' -r -f -a "left\t''
until\t''"
complete -c credsh -n "__fish_credsh_using_subcommand init" -l source -d 'Where to take them from, instead of the container endpoint or the SDK\'s default chain' -r -f -a "container\t'The container endpoint: CloudShell, ECS, EKS Pod Identity'
profile\t'A profile, whichever way it gives credentials'
sso\t'A profile\'s IAM Identity Center session'
web-identity\t'The AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN variables'
process\t'A profile\'s credential_process'
cloud9\t'The credentials file that Cloud9 manages'
ec2\t'The EC2 instance profile'
env\t'The AWS_ACCESS_KEY_ID variable and its companions'"
complete -c credsh -n "__fish_credsh_using_subcommand init" -l profile -d 'A profile of ~/.aws/config or ~/.aws/credentials' -r -f -a "(credsh profile list --all 2>/dev/null)\t''"
complete -c credsh -n "__fish_credsh_using_subcommand init" -l role -d 'Assume this role with them' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand init" -l duration -d 'How long the role\'s credentials last: 900, 15m, 1h; 15 min to 12 h, at most 1 h with role chaining' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand init" -l session-name -d 'The role session\'s name in CloudTrail [default: YYYYmmddHHMMSS-session]' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand init" -l external-id -d 'The external ID that the role\'s trust policy requires' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand init" -l mfa-serial -d 'The MFA device, as a serial number or ARN; its code is asked for on the terminal, never by the hook' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand init" -l region -d 'The region whose STS endpoint to use' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand init" -l no-auto -d 'Publish nothing until you type `credsh refresh`, even in CloudShell'
complete -c credsh -n "__fish_credsh_using_subcommand init" -l off -d 'Print the code that removes the hook from the shell'
complete -c credsh -n "__fish_credsh_using_subcommand init" -l no-store -d 'Store nothing on disk, and use no stored credentials'
complete -c credsh -n "__fish_credsh_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -l source -d 'Where to take them from, instead of the container endpoint or the SDK\'s default chain' -r -f -a "container\t'The container endpoint: CloudShell, ECS, EKS Pod Identity'
profile\t'A profile, whichever way it gives credentials'
sso\t'A profile\'s IAM Identity Center session'
web-identity\t'The AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN variables'
process\t'A profile\'s credential_process'
cloud9\t'The credentials file that Cloud9 manages'
ec2\t'The EC2 instance profile'
env\t'The AWS_ACCESS_KEY_ID variable and its companions'"
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -l profile -d 'A profile of ~/.aws/config or ~/.aws/credentials' -r -f -a "(credsh profile list --all 2>/dev/null)\t''"
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -l role -d 'Assume this role with them' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -l duration -d 'How long the role\'s credentials last: 900, 15m, 1h; 15 min to 12 h, at most 1 h with role chaining' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -l session-name -d 'The role session\'s name in CloudTrail [default: YYYYmmddHHMMSS-session]' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -l external-id -d 'The external ID that the role\'s trust policy requires' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -l mfa-serial -d 'The MFA device, as a serial number or ARN; its code is asked for on the terminal, never by the hook' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -l region -d 'The region whose STS endpoint to use' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -l force -d 'Ask the source even if the stored credentials are not due'
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -l no-store -d 'Store nothing on disk, and use no stored credentials'
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c credsh -n "__fish_credsh_using_subcommand export" -l format -d 'What to print' -r -f -a "env\t'`export NAME=\'value\'` lines, for sh, bash, zsh and similar shells'
env-no-export\t'`NAME=\'value\'` lines: not exported'
fish\t'`set -gx NAME \'value\'` lines'
process\t'The JSON object that a credential_process prints for the SDKs'
json\t'The same as process'
env-file\t'NAME=value lines without quotes, for docker --env-file and podman --env-file'
ini\t'A section of a credentials file'
powershell\t'`$Env:NAME=\'value\'` lines'
windows-cmd\t'`set "NAME=value"` lines, for cmd.exe'
elvish\t'`set-env NAME \'value\'` lines'
nu\t'A record: credsh export --format nu | from json | load-env'"
complete -c credsh -n "__fish_credsh_using_subcommand export" -l prefix -d 'What the names begin with, e.g. TEMPORARY_' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand export" -l source -d 'Where to take them from, instead of the container endpoint or the SDK\'s default chain' -r -f -a "container\t'The container endpoint: CloudShell, ECS, EKS Pod Identity'
profile\t'A profile, whichever way it gives credentials'
sso\t'A profile\'s IAM Identity Center session'
web-identity\t'The AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN variables'
process\t'A profile\'s credential_process'
cloud9\t'The credentials file that Cloud9 manages'
ec2\t'The EC2 instance profile'
env\t'The AWS_ACCESS_KEY_ID variable and its companions'"
complete -c credsh -n "__fish_credsh_using_subcommand export" -l profile -d 'A profile of ~/.aws/config or ~/.aws/credentials' -r -f -a "(credsh profile list --all 2>/dev/null)\t''"
complete -c credsh -n "__fish_credsh_using_subcommand export" -l role -d 'Assume this role with them' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand export" -l duration -d 'How long the role\'s credentials last: 900, 15m, 1h; 15 min to 12 h, at most 1 h with role chaining' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand export" -l session-name -d 'The role session\'s name in CloudTrail [default: YYYYmmddHHMMSS-session]' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand export" -l external-id -d 'The external ID that the role\'s trust policy requires' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand export" -l mfa-serial -d 'The MFA device, as a serial number or ARN; its code is asked for on the terminal, never by the hook' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand export" -l region -d 'The region whose STS endpoint to use' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand export" -l no-store -d 'Store nothing on disk, and use no stored credentials'
complete -c credsh -n "__fish_credsh_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c credsh -n "__fish_credsh_using_subcommand exec" -l min-life -d 'Renew if less than this is left, and warn if it still is afterwards' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand exec" -l source -d 'Where to take them from, instead of the container endpoint or the SDK\'s default chain' -r -f -a "container\t'The container endpoint: CloudShell, ECS, EKS Pod Identity'
profile\t'A profile, whichever way it gives credentials'
sso\t'A profile\'s IAM Identity Center session'
web-identity\t'The AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN variables'
process\t'A profile\'s credential_process'
cloud9\t'The credentials file that Cloud9 manages'
ec2\t'The EC2 instance profile'
env\t'The AWS_ACCESS_KEY_ID variable and its companions'"
complete -c credsh -n "__fish_credsh_using_subcommand exec" -l profile -d 'A profile of ~/.aws/config or ~/.aws/credentials' -r -f -a "(credsh profile list --all 2>/dev/null)\t''"
complete -c credsh -n "__fish_credsh_using_subcommand exec" -l role -d 'Assume this role with them' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand exec" -l duration -d 'How long the role\'s credentials last: 900, 15m, 1h; 15 min to 12 h, at most 1 h with role chaining' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand exec" -l session-name -d 'The role session\'s name in CloudTrail [default: YYYYmmddHHMMSS-session]' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand exec" -l external-id -d 'The external ID that the role\'s trust policy requires' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand exec" -l mfa-serial -d 'The MFA device, as a serial number or ARN; its code is asked for on the terminal, never by the hook' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand exec" -l region -d 'The region whose STS endpoint to use' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand exec" -l no-store -d 'Store nothing on disk, and use no stored credentials'
complete -c credsh -n "__fish_credsh_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c credsh -n "__fish_credsh_using_subcommand docker" -l engine -d 'The program: docker, podman, or a path [default: docker, else podman]' -r -f -a "(__fish_complete_command)"
complete -c credsh -n "__fish_credsh_using_subcommand docker" -l min-life -d 'Renew if less than this is left, and warn if it still is afterwards' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand docker" -l source -d 'Where to take them from, instead of the container endpoint or the SDK\'s default chain' -r -f -a "container\t'The container endpoint: CloudShell, ECS, EKS Pod Identity'
profile\t'A profile, whichever way it gives credentials'
sso\t'A profile\'s IAM Identity Center session'
web-identity\t'The AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN variables'
process\t'A profile\'s credential_process'
cloud9\t'The credentials file that Cloud9 manages'
ec2\t'The EC2 instance profile'
env\t'The AWS_ACCESS_KEY_ID variable and its companions'"
complete -c credsh -n "__fish_credsh_using_subcommand docker" -l profile -d 'A profile of ~/.aws/config or ~/.aws/credentials' -r -f -a "(credsh profile list --all 2>/dev/null)\t''"
complete -c credsh -n "__fish_credsh_using_subcommand docker" -l role -d 'Assume this role with them' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand docker" -l duration -d 'How long the role\'s credentials last: 900, 15m, 1h; 15 min to 12 h, at most 1 h with role chaining' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand docker" -l session-name -d 'The role session\'s name in CloudTrail [default: YYYYmmddHHMMSS-session]' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand docker" -l external-id -d 'The external ID that the role\'s trust policy requires' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand docker" -l mfa-serial -d 'The MFA device, as a serial number or ARN; its code is asked for on the terminal, never by the hook' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand docker" -l region -d 'The region whose STS endpoint to use' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand docker" -l no-store -d 'Store nothing on disk, and use no stored credentials'
complete -c credsh -n "__fish_credsh_using_subcommand docker" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -l source -d 'Where to take them from, instead of the container endpoint or the SDK\'s default chain' -r -f -a "container\t'The container endpoint: CloudShell, ECS, EKS Pod Identity'
profile\t'A profile, whichever way it gives credentials'
sso\t'A profile\'s IAM Identity Center session'
web-identity\t'The AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN variables'
process\t'A profile\'s credential_process'
cloud9\t'The credentials file that Cloud9 manages'
ec2\t'The EC2 instance profile'
env\t'The AWS_ACCESS_KEY_ID variable and its companions'"
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -l profile -d 'A profile of ~/.aws/config or ~/.aws/credentials' -r -f -a "(credsh profile list --all 2>/dev/null)\t''"
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -l role -d 'Assume this role with them' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -l duration -d 'How long the role\'s credentials last: 900, 15m, 1h; 15 min to 12 h, at most 1 h with role chaining' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -l session-name -d 'The role session\'s name in CloudTrail [default: YYYYmmddHHMMSS-session]' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -l external-id -d 'The external ID that the role\'s trust policy requires' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -l mfa-serial -d 'The MFA device, as a serial number or ARN; its code is asked for on the terminal, never by the hook' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -l region -d 'The region whose STS endpoint to use' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -l json -d 'Print JSON, for programs'
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -l no-store -d 'Store nothing on disk, and use no stored credentials'
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c credsh -n "__fish_credsh_using_subcommand doctor" -l json -d 'Print JSON, for programs'
complete -c credsh -n "__fish_credsh_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c credsh -n "__fish_credsh_using_subcommand profile; and not __fish_seen_subcommand_from add list remove" -s h -l help -d 'Print help'
complete -c credsh -n "__fish_credsh_using_subcommand profile; and not __fish_seen_subcommand_from add list remove" -f -a "add" -d 'Add a profile to ~/.aws/config'
complete -c credsh -n "__fish_credsh_using_subcommand profile; and not __fish_seen_subcommand_from add list remove" -f -a "list" -d 'Print the names of the profiles that take their credentials from credsh'
complete -c credsh -n "__fish_credsh_using_subcommand profile; and not __fish_seen_subcommand_from add list remove" -f -a "remove" -d 'Remove a profile from ~/.aws/config'
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from add" -l source -d 'Where to take them from, instead of the container endpoint or the SDK\'s default chain' -r -f -a "container\t'The container endpoint: CloudShell, ECS, EKS Pod Identity'
profile\t'A profile, whichever way it gives credentials'
sso\t'A profile\'s IAM Identity Center session'
web-identity\t'The AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN variables'
process\t'A profile\'s credential_process'
cloud9\t'The credentials file that Cloud9 manages'
ec2\t'The EC2 instance profile'
env\t'The AWS_ACCESS_KEY_ID variable and its companions'"
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from add" -l profile -d 'A profile of ~/.aws/config or ~/.aws/credentials' -r -f -a "(credsh profile list --all 2>/dev/null)\t''"
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from add" -l role -d 'Assume this role with them' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from add" -l duration -d 'How long the role\'s credentials last: 900, 15m, 1h; 15 min to 12 h, at most 1 h with role chaining' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from add" -l session-name -d 'The role session\'s name in CloudTrail [default: YYYYmmddHHMMSS-session]' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from add" -l external-id -d 'The external ID that the role\'s trust policy requires' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from add" -l mfa-serial -d 'The MFA device, as a serial number or ARN; its code is asked for on the terminal, never by the hook' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from add" -l region -d 'The region whose STS endpoint to use' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from add" -l force -d 'If the profile exists, replace its credential settings and keep its other settings'
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from remove" -l force -d 'Remove it even if it is not credsh\'s'
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c credsh -n "__fish_credsh_using_subcommand status" -l json -d 'Print JSON, for programs'
complete -c credsh -n "__fish_credsh_using_subcommand status" -s h -l help -d 'Print help'
complete -c credsh -n "__fish_credsh_using_subcommand prompt" -l time -d 'Whether the indicator shows the time left (12m) or the time of expiry (until 14:32)' -r -f -a "left\t''
until\t''"
complete -c credsh -n "__fish_credsh_using_subcommand prompt" -s h -l help -d 'Print help'
complete -c credsh -n "__fish_credsh_using_subcommand clear" -l source -d 'Where to take them from, instead of the container endpoint or the SDK\'s default chain' -r -f -a "container\t'The container endpoint: CloudShell, ECS, EKS Pod Identity'
profile\t'A profile, whichever way it gives credentials'
sso\t'A profile\'s IAM Identity Center session'
web-identity\t'The AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN variables'
process\t'A profile\'s credential_process'
cloud9\t'The credentials file that Cloud9 manages'
ec2\t'The EC2 instance profile'
env\t'The AWS_ACCESS_KEY_ID variable and its companions'"
complete -c credsh -n "__fish_credsh_using_subcommand clear" -l profile -d 'A profile of ~/.aws/config or ~/.aws/credentials' -r -f -a "(credsh profile list --all 2>/dev/null)\t''"
complete -c credsh -n "__fish_credsh_using_subcommand clear" -l role -d 'Assume this role with them' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand clear" -l duration -d 'How long the role\'s credentials last: 900, 15m, 1h; 15 min to 12 h, at most 1 h with role chaining' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand clear" -l session-name -d 'The role session\'s name in CloudTrail [default: YYYYmmddHHMMSS-session]' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand clear" -l external-id -d 'The external ID that the role\'s trust policy requires' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand clear" -l mfa-serial -d 'The MFA device, as a serial number or ARN; its code is asked for on the terminal, never by the hook' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand clear" -l region -d 'The region whose STS endpoint to use' -r -f
complete -c credsh -n "__fish_credsh_using_subcommand clear" -l all -d 'Every stored lease, not only this shell\'s'
complete -c credsh -n "__fish_credsh_using_subcommand clear" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c credsh -n "__fish_credsh_using_subcommand completions" -s h -l help -d 'Print help'
complete -c credsh -n "__fish_credsh_using_subcommand demo" -s h -l help -d 'Print help'
complete -c credsh -n "__fish_credsh_using_subcommand template" -s h -l help -d 'Print help'
complete -c credsh -n "__fish_credsh_using_subcommand script" -s h -l help -d 'Print help'

function __fish_credsh_command
    set -l words (commandline -opc) (commandline -ct)
    set -l at (contains -i -- -- $words[1..-2])
    and complete -C "$words[$(math $at + 1)..]"
end

complete -c credsh -n "__fish_credsh_using_subcommand init" -f -a "bash zsh fish nu elvish xonsh powershell"
complete -c credsh -n "__fish_credsh_using_subcommand refresh" -f
complete -c credsh -n "__fish_credsh_using_subcommand export" -f
complete -c credsh -n "__fish_credsh_using_subcommand exec" -a "(__fish_credsh_command)"
complete -c credsh -n "__fish_credsh_using_subcommand whoami" -f
complete -c credsh -n "__fish_credsh_using_subcommand doctor" -f
complete -c credsh -n "__fish_credsh_using_subcommand profile" -f
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from add" -f
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from list" -f
complete -c credsh -n "__fish_credsh_using_subcommand profile; and __fish_seen_subcommand_from remove" -f -a "(credsh profile list 2>/dev/null)"
complete -c credsh -n "__fish_credsh_using_subcommand status" -f
complete -c credsh -n "__fish_credsh_using_subcommand prompt" -f
complete -c credsh -n "__fish_credsh_using_subcommand clear" -f
complete -c credsh -n "__fish_credsh_using_subcommand completions" -f -a "bash elvish fish powershell zsh"
complete -c credsh -n "__fish_credsh_using_subcommand demo" -f
complete -c credsh -n "__fish_credsh_using_subcommand template" -f
complete -c credsh -n "__fish_credsh_using_subcommand script" -f -a "sh fish"
