//! The editor of the AWS config file. An input is a line with a profile's name, a line with the command that it shall run,
//! and the file: no byte outside the profile's section may change, and the SDK's parser must read what was put there.
#![no_main]

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_runtime::env_config::section::{EnvConfigSections, Profile};
use credsh_fuzz::config::{self, edit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let mut parts = input.splitn(3, '\n');
    let (Some(name), Some(command), Some(text)) = (parts.next(), parts.next(), parts.next()) else { return };
    let Some(section) = edit::process(name, command) else { return };

    let there = edit::section(text, name);
    let with = edit::put(text, name, &section);
    let range = edit::section(&with, name).expect("it was put there");
    assert_eq!(&with[range.clone()], section);
    assert_eq!(edit::put(&with, name, &section), with, "twice is once");
    match there {
        Some(there) => {
            assert_eq!((&with[..range.start], &with[range.end..]), (&text[..there.start], &text[there.end..]));
        }
        None => {
            let ended = if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
            assert_eq!(edit::take(&with, name), ended);
        }
    }
    let without = edit::take(&with, name);
    let kept = [&with[..range.start], &with[range.end..]].concat();
    assert!(kept == without || is_without_one_newline(&kept, &without), "{without:?} of {kept:?}");
    as_the_sdk_reads_it(text, &with, name, command);
});

fn is_without_one_newline(kept: &str, without: &str) -> bool {
    let newlines = kept.match_indices('\n');
    kept.len() == without.len() + 1
        && newlines.into_iter().any(|(at, _)| kept[..at] == without[..at] && kept[at + 1..] == without[at..])
}

/// If the SDK could read the file before, it now reads the command, and every other section as before.
fn as_the_sdk_reads_it(text: &str, with: &str, name: &str, command: &str) {
    // A `\r` at the very end is part of a value, until the editor completes the line with `
    // `.
    let Some(before) = sections(text).filter(|_| !text.ends_with('\r')) else { return };
    // Two sections of the same name are an error to the AWS CLI, and the SDK merges them in any order. Sections that are
    // not profiles all have the name "" here, so two of those are left out as well.
    let mut names = edit::names(text);
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return;
    }
    let after = sections(with).expect("it could be read before");
    let process = after.get_profile(name).and_then(|profile| profile.get("credential_process"));
    assert_eq!(process, Some(command));
    let others = |sections: &EnvConfigSections| {
        let names = sections.profiles().filter(|known| *known != name);
        let mut profiles: Vec<Profile> = names.filter_map(|known| sections.get_profile(known).cloned()).collect();
        profiles.sort_by(|a, b| a.name().cmp(b.name()));
        let mut sessions: Vec<_> =
            sections.sso_sessions().map(|known| (known.to_owned(), sections.sso_session(known).cloned())).collect();
        sessions.sort_by(|a, b| a.0.cmp(&b.0));
        (profiles, sessions, sections.other_sections().clone())
    };
    assert_eq!(others(&after), others(&before));
    assert_eq!(
        after.get_profile(name).and_then(|profile| profile.get("region")),
        None,
        "nothing of what it was before"
    );
}

fn sections(text: &str) -> Option<EnvConfigSections> {
    config::sections(&EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, text).build()).ok()
}
