//! Every form that a command line can take: whatever is typed after idling past expiry must see fresh credentials. There
//! is a table for each shell; a form for which this does not hold is listed with the reason. The control is the same
//! table without the check before a command: every form must then see the expired ones.

mod support;

use std::fs;
use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::{Endpoint, Rotation};
use support::pty::Shell;

in_every_shell! { the_next_command_is_fresh_whatever_its_form }

/// How many shells of one kind run at the same time; they mostly sleep.
const SESSIONS: usize = 16;
/// The life of the credentials in seconds.
const LIFE: i64 = 3;

/// A form: `keys` are typed after expiry, and then Enter, unless they end with a control key. `see NAME` is a program
/// that writes the access key id in its environment to the file `seen/NAME`.
struct Form {
    name: &'static str,
    /// A line run while the credentials are fresh, for the history to recall.
    before: &'static str,
    keys: &'static str,
    /// Why it does not hold, if it does not.
    exception: Option<&'static str>,
}

const fn form(name: &'static str, keys: &'static str) -> Form {
    Form { name, before: "", keys, exception: None }
}

const fn recall(name: &'static str, before: &'static str, keys: &'static str) -> Form {
    Form { name, before, keys, exception: None }
}

const fn except(name: &'static str, keys: &'static str, reason: &'static str) -> Form {
    Form { name, before: "", keys, exception: Some(reason) }
}

/// The forms that bash and zsh share.
const POSIX: &[Form] = &[
    form("simple", "see simple"),
    form("space", "  see space"),
    form("quoted", "'see' quoted"),
    form("path", "~/bin/see path"),
    form("command", "command see command"),
    form("redirected", ">/dev/null see redirected 2>&1"),
    form("first-in-pipe", "see first-in-pipe | cat"),
    form("last-in-pipe", "echo x | see last-in-pipe"),
    form("middle-of-pipe", "echo x | see middle-of-pipe | cat"),
    form("pipe-both", "echo x |& see pipe-both"),
    form("subshell", "( see subshell )"),
    form("nested-subshell", "( ( see nested-subshell ) )"),
    form("subshell-in-pipe", "( see subshell-in-pipe ) | cat"),
    form("group", "{ see group; }"),
    form("group-in-pipe", "echo x | { see group-in-pipe; }"),
    form("not", "! see not"),
    form("time", "time see time"),
    form("time-subshell", "time ( see time-subshell )"),
    form("if", "if see if; then :; fi"),
    form("then", "if true; then see then; fi"),
    form("for", "for i in 1; do see for; done"),
    form("for-words", "for i in $(see for-words); do :; done"),
    form("for-arithmetic", "for ((i = 0; i < 1; i++)); do see for-arithmetic; done"),
    form("while", "while ! see while; do :; done"),
    form("until", "until see until; do :; done"),
    form("case", "case x in (x) see case ;; esac"),
    form("case-word", "case $(see case-word) in (*) ;; esac"),
    form("test", "[[ -z $(see test) ]]"),
    form("arithmetic", "(( $(see arithmetic; echo 1) ))"),
    form("function", "called"),
    form("definition-and-call", "f() { see definition-and-call; }; f"),
    form("alias", "aliased"),
    form("variable", "echo $TEMPORARY_AWS_ACCESS_KEY_ID >~/seen/variable"),
    form("quoted-variable", "echo \"${TEMPORARY_AWS_ACCESS_KEY_ID}\" >~/seen/quoted-variable"),
    form("assigned-variable", "x=$TEMPORARY_AWS_ACCESS_KEY_ID; echo $x >~/seen/assigned-variable"),
    form("argument", "env K=\"$TEMPORARY_AWS_ACCESS_KEY_ID\" sh -c 'echo $K >~/seen/argument'"),
    form("printenv", "printenv TEMPORARY_AWS_ACCESS_KEY_ID >~/seen/printenv"),
    form("substitution", "echo $(see substitution)"),
    form("backquotes", "echo `see backquotes`"),
    form("assigned", "x=$(see assigned)"),
    form("process-in", "cat <(see process-in)"),
    form("process-out", "echo x > >(see process-out)"),
    form("background", "see background &"),
    form("background-subshell", "( see background-subshell ) &"),
    form("background-pipe", "see background-pipe | cat &"),
    form("prefix", "A=b see prefix"),
    form("list", "true; see list"),
    form("and", "true && see and"),
    form("or", "false || see or"),
    form("here-string", "see here-string <<<x"),
    form("here-document", "see here-document <<END\rx\rEND\r"),
    form("multi-line", "for i in 1\rdo see multi-line\rdone\r"),
    form("multi-line-subshell", "(\rsee multi-line-subshell\r)\r"),
    form("continued", "see \\\rcontinued\r"),
    form("pasted", "\x1b[200~true\rsee pasted\x1b[201~\r"),
    form("comment", "see comment # x"),
    form("eval", "eval 'see eval'"),
    form("source", "source ~/script"),
    form("exec", "exec see exec"),
    form("sh", "sh -c 'see sh'"),
    form("xargs", "echo xargs | xargs see"),
    form("trap", "( trap 'see trap' EXIT; true )"),
    recall("up", "see up", "\x1b[A\r"),
    recall("up-and-edit", "see up-and", "\x1b[A-edit\r"),
    recall("search", "see search", "\x12see sear\r"),
    recall("bang-bang", "see bang-bang", "!!"),
    recall("bang-word", "see bang-word", "!see"),
    recall("caret", "see carrot", "^carrot^caret"),
    recall("fc", "see fc", "fc -e -"),
    recall("fc-editor", "see fc-editor", "fc -e true"),
];

const BASH: &[Form] = &[
    form("select", "select i in 1; do see select; break; done <<<1"),
    form("coprocess", "coproc see coprocess"),
    form("time-posix", "time -p see time-posix"),
    recall("fc-s", "see fc-s", "fc -s"),
    form("macro", "\x02"),
    // Run by readline itself. `credsh exec` is for these.
    except("key", "\x14", "bash expands no PS0 for `bind -x`"),
    except("edit-and-execute", "see edit-and-execute\x18\x05", "bash expands no PS0 for C-x C-e"),
];

const ZSH: &[Form] = &[
    form("repeat", "repeat 1 see repeat"),
    form("always", "{ true } always { see always }"),
    form("anonymous", "() { see anonymous }"),
    form("short-for", "for i (1) see short-for"),
    form("global-alias", "true GLOBAL"),
    form("suffix-alias", "suffix-alias.seen"),
    form("noglob", "noglob see noglob"),
    form("to-file", "cat =(see to-file)"),
    form("coproc", "coproc see coproc"),
    form("disowned", "see disowned &!"),
    recall("r", "see r", "r"),
    form("macro", "\x02"),
    form("accepted", "\x07"),
    except("key", "\x14", "zsh calls no preexec for what a widget itself runs"),
];

const FISH: &[Form] = &[
    form("simple", "see simple"),
    form("space", "  see space"),
    form("quoted", "'see' quoted"),
    form("path", "~/bin/see path"),
    form("command", "command see command"),
    form("redirected", "see redirected >/dev/null 2>&1"),
    form("first-in-pipe", "see first-in-pipe | cat"),
    form("last-in-pipe", "echo x | see last-in-pipe"),
    form("middle-of-pipe", "echo x | see middle-of-pipe | cat"),
    form("subshell", "fish -c 'see subshell'"),
    form("group", "begin; see group; end"),
    form("group-in-pipe", "echo x | begin; see group-in-pipe; end"),
    form("not", "not see not"),
    form("bang", "! see bang"),
    form("time", "time see time"),
    form("if", "if see if; end"),
    form("then", "if true; see then; end"),
    form("for", "for i in 1; see for; end"),
    form("for-words", "for i in (see for-words); end"),
    form("while", "while not see while; end"),
    form("switch", "switch x; case x; see switch; end"),
    form("function", "called"),
    form("definition-and-call", "function f; see definition-and-call; end; f"),
    form("alias", "aliased"),
    form("abbreviation", "abbreviated"),
    form("variable", "echo $TEMPORARY_AWS_ACCESS_KEY_ID >~/seen/variable"),
    form("argument", "env K=\"$TEMPORARY_AWS_ACCESS_KEY_ID\" sh -c 'echo $K >~/seen/argument'"),
    form("printenv", "printenv TEMPORARY_AWS_ACCESS_KEY_ID >~/seen/printenv"),
    form("substitution", "echo (see substitution)"),
    form("dollar-substitution", "echo \"$(see dollar-substitution)\""),
    form("assigned", "set x (see assigned)"),
    form("process-in", "cat (see process-in | psub)"),
    form("background", "see background &"),
    form("background-group", "begin; see background-group; end &"),
    form("prefix", "A=b see prefix"),
    form("list", "true; see list"),
    form("and", "true; and see and"),
    form("double-and", "true && see double-and"),
    form("or", "false; or see or"),
    form("here-string", "echo x | see here-string"),
    form("multi-line", "for i in 1\rsee multi-line\rend\r"),
    form("continued", "see \\\rcontinued\r"),
    form("pasted", "\x1b[200~true\rsee pasted\x1b[201~\r"),
    form("comment", "see comment # x"),
    form("eval", "eval 'see eval'"),
    form("source", "source ~/script"),
    form("exec", "exec see exec"),
    form("sh", "sh -c 'see sh'"),
    form("xargs", "echo xargs | xargs see"),
    recall("up", "see up", "\x1b[A\r"),
    recall("up-and-edit", "see up-and", "\x1b[A-edit\r"),
    form("macro", "\x02"),
    except("key", "\x14", "fish emits no fish_preexec for what a key binding itself runs"),
];

/// The functions, aliases and key bindings that the forms use.
fn calls(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => {
            "PATH=$HOME/bin:$PATH EDITOR=true\nalias aliased='see alias'\ncalled() { see function; }\nbind -x '\"\\C-t\": see key'\nbind '\"\\C-b\": \"see macro\\C-m\"'\n"
        }
        Shell::Zsh => {
            "PATH=$HOME/bin:$PATH EDITOR=true\nbindkey -e\nsetopt interactive_comments\nalias aliased='see alias'\nalias -g GLOBAL='; see global-alias'\nalias -s seen='see suffix-alias; true'\ncalled() { see function }\nkey() { see key }\nzle -N key\nbindkey '^T' key\nbindkey -s '^B' 'see macro^M'\naccepted() { BUFFER='see accepted'; zle accept-line }\nzle -N accepted\nbindkey '^G' accepted\n"
        }
        Shell::Fish => {
            "set -gx PATH $HOME/bin $PATH\nalias aliased='see alias'\nabbr -a -g abbreviated see abbreviation\nfunction called\n    see function\nend\nbind \\ct 'see key'\nbind \\cb \"commandline -r 'see macro'; commandline -f execute\"\n"
        }
    }
}

/// Forms that a DEBUG trap, the only way before bash 4.4, does not see in time. It does see what readline runs.
const UNSEEN_BY_DEBUG: [&str; 9] = [
    "subshell",
    "nested-subshell",
    "subshell-in-pipe",
    "time-subshell",
    "background-subshell",
    "multi-line-subshell",
    "trap",
    "for-words",
    "coprocess",
];

/// Which version of bash the hook is told.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    Truth,
    FourFour,
    FourTwo,
}

/// Removes the check before a command, and nothing else.
fn unchecked(shell: Shell, told: Told) -> &'static str {
    match shell {
        Shell::Bash if told == Told::FourTwo => "trap - DEBUG",
        // Without the second, the next prompt would put it back.
        Shell::Bash => "PS0= __credsh_ps0=",
        Shell::Zsh => "preexec_functions=()",
        Shell::Fish => "functions -e __credsh_on_preexec",
    }
}

fn the_next_command_is_fresh_whatever_its_form(shell: Shell) {
    table(shell, Told::Truth);
}

#[test]
fn the_next_command_is_fresh_in_bash_4_4() {
    table(Shell::Bash, Told::FourFour);
}

#[test]
fn the_next_command_is_fresh_in_bash_4_2_but_in_a_subshell() {
    table(Shell::Bash, Told::FourTwo);
}

fn table(shell: Shell, told: Told) {
    let forms: Vec<&Form> = match shell {
        Shell::Bash => POSIX.iter().chain(BASH).collect(),
        Shell::Zsh => POSIX.iter().chain(ZSH).collect(),
        Shell::Fish => FISH.iter().collect(),
    };
    let failures: Vec<String> = thread::scope(|scope| {
        let series = |checked: bool, part: usize| {
            // `exec` ends its shell, so it comes last.
            let mut forms: Vec<&Form> = forms.iter().copied().skip(part).step_by(SESSIONS).collect();
            forms.sort_by_key(|form| form.name == "exec");
            scope.spawn(move || run(shell, told, &forms, checked))
        };
        let all: Vec<_> = (0..SESSIONS).flat_map(|part| [true, false].map(|checked| series(checked, part))).collect();
        all.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Runs these forms in one shell, and returns those whose outcome differs from the table.
fn run(shell: Shell, told: Told, forms: &[&Form], checked: bool) -> Vec<String> {
    let endpoint = Endpoint::start(LIFE);
    endpoint.rotate(Rotation::Always);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
    fs::create_dir(sandbox.home().join("seen")).unwrap();
    let see = sandbox.file(
        "bin/see",
        "#!/bin/sh\nprintf '%s\\n' \"$TEMPORARY_AWS_ACCESS_KEY_ID\" >~/seen/.$1.$$ && mv ~/seen/.$1.$$ ~/seen/$1\n",
    );
    fs::set_permissions(see, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.file("script", "see source\n");
    let after = if checked { "" } else { unchecked(shell, told) };
    let rc = match told {
        Told::Truth => shell.rc().before(calls(shell)).after(after),
        Told::FourFour | Told::FourTwo => {
            let version = if told == Told::FourFour { "404" } else { "402" };
            let sed = format!("sed 's/BASH_VERSINFO.0. [*] 100 + BASH_VERSINFO.1./{version}/g'");
            shell.rc().unhooked().before(calls(shell)).after(&format!("eval \"$(credsh init bash | {sed})\"\n{after}"))
        }
    };
    let mut session = rc.start(&sandbox);
    session.until("the first credentials", |session| {
        session.enter();
        session.key().starts_with("ASIATEST")
    });
    let mut failures = Vec::new();
    for form in forms {
        if !form.before.is_empty() {
            session.line(form.before);
        }
        let seen = sandbox.home().join("seen").join(form.name);
        let _ = fs::remove_file(&seen);
        thread::sleep(Duration::from_secs((LIFE + 1).unsigned_abs()));
        let before = number(&endpoint.key());
        let ends_itself = form.keys.ends_with(|key: char| key.is_control());
        let row = session.row();
        session.send(format!("{}{}", form.keys, if ends_itself { "" } else { "\r" }).as_bytes());
        let mut key = String::new();
        session.until(form.name, |session| {
            session.look();
            key = fs::read_to_string(&seen).unwrap_or_default();
            key.ends_with('\n')
        });
        let fresh = number(key.trim()) > before;
        let holds =
            if told == Told::FourTwo { !UNSEEN_BY_DEBUG.contains(&form.name) } else { form.exception.is_none() };
        let expected = checked && holds;
        if fresh != expected {
            failures.push(format!(
                "{shell:?}, {}, checked: {checked}: fresh is {fresh} ({:?})\n{}",
                form.name,
                form.exception,
                session.text()
            ));
        }
        if form.name != "exec" && form.exception.is_none() {
            session.wait_for("the prompt", |session| session.row() > row && session.at_prompt());
        }
    }
    failures
}

/// The number in an access key id; later keys have higher ones.
fn number(key: &str) -> u32 {
    key.trim_start_matches("ASIATEST").parse().unwrap_or_else(|_| panic!("no access key id: {key}"))
}
