//! Property tests of request ids: equal requests have equal ids, and different requests have different ones.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::properties::for_all;

/// Few and short texts, so that two requests often differ in one thing only, or in where it stands.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[ab]{0,2}", 2 => any::<String>(), 1 => ".{50,80}"]
}

/// Paths, among them some that are not UTF-8.
fn path() -> impl Strategy<Value = PathBuf> {
    prop_oneof![
        2 => text().prop_map(PathBuf::from),
        1 => prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 0..3).prop_map(|bytes| OsString::from_vec(bytes).into()),
    ]
}

fn files() -> impl Strategy<Value = Files> {
    (option::of(path()), option::of(path())).prop_map(|(config, credentials)| Files { config, credentials })
}

fn role() -> impl Strategy<Value = Role> {
    let optional = || option::of(text());
    (text(), option::of(0..3_u32), optional(), optional(), optional(), optional()).prop_map(
        |(arn, duration, session_name, external_id, mfa_serial, profile)| Role {
            arn,
            duration,
            session_name,
            external_id,
            mfa_serial,
            profile,
        },
    )
}

fn source() -> impl Strategy<Value = Source> {
    let leaf = prop_oneof![
        text().prop_map(|uri| Source::Container { uri }),
        (text(), any::<bool>(), files(), text()).prop_map(|(name, sso, files, whose)| Source::Profile {
            name,
            sso,
            files,
            whose
        }),
        (text(), text(), option::of(text())).prop_map(|(token_file, role_arn, session_name)| Source::WebIdentity {
            token_file,
            role_arn,
            session_name
        }),
        Just(Source::Ec2),
        text().prop_map(|access_key_id| Source::Env { access_key_id }),
        path().prop_map(|file| Source::Cloud9 { file }),
    ];
    leaf.prop_recursive(3, 6, 1, |base| {
        let session = (option::of(0..3_u32), option::of(text()));
        let session = session.prop_map(|(duration, mfa_serial)| Session { duration, mfa_serial });
        prop_oneof![
            (role(), base.clone()).prop_map(|(role, base)| Source::Role { role, base: Box::new(base) }),
            (session, base).prop_map(|(session, base)| Source::Session { session, base: Box::new(base) }),
        ]
    })
}

fn request() -> impl Strategy<Value = Request> {
    (source(), option::of(text()), option::of(text()), variant(), option::of(text()))
        .prop_map(|(source, region, endpoint, variant, host)| Request { source, region, endpoint, variant, host })
}

fn variant() -> impl Strategy<Value = Variant> {
    any::<(bool, bool)>().prop_map(|(fips, dualstack)| Variant { fips, dualstack })
}

/// The part of a request that its id distinguishes: a session with MFA is valid in every region.
fn told(request: &Request) -> Request {
    match &request.source {
        Source::Session { session: Session { mfa_serial: Some(_), .. }, .. } => {
            Request { region: None, variant: Variant::default(), ..request.clone() }
        }
        _ => request.clone(),
    }
}

#[test]
fn ids_are_equal_where_requests_are_and_nowhere_else() {
    for_all(500, &(request(), request()), |(one, other)| {
        assert_eq!(one.id(), one.clone().id());
        assert_eq!(one.id() == other.id(), told(&one) == told(&other), "{one:?} {other:?}");
    });
    // Two random requests rarely differ in one thing only, so here everything else is the same.
    for_all(500, &(request(), source(), option::of(text()), variant()), |(one, source, text, variant)| {
        for other in [
            Request { source, ..one.clone() },
            Request { region: text.clone(), ..one.clone() },
            Request { host: text.clone(), ..one.clone() },
            Request { variant, ..one.clone() },
            Request { endpoint: text, ..one.clone() },
            Request { region: one.endpoint.clone(), endpoint: one.region.clone(), ..one.clone() },
        ] {
            assert_eq!(one.id() == other.id(), told(&one) == told(&other), "{one:?} {other:?}");
        }
    });
}

#[test]
fn an_id_and_a_label_are_safe_in_a_path_a_shell_and_a_prompt() {
    for_all(300, &request(), |request| {
        let (id, label) = (request.id(), request.label());
        assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{id}");
        assert!(label.len() <= 64 && label.chars().all(|c| c.is_ascii_alphanumeric() || " ._:/@+=,-".contains(c)));
    });
}

#[test]
fn a_request_that_was_written_is_the_same_when_it_is_read() {
    for_all(300, &request(), |request| {
        // A request with a path that is not UTF-8 cannot be serialized, and is not stored.
        let Ok(written) = serde_json::to_vec(&request) else { return };
        let read: Request = serde_json::from_slice(&written).unwrap();
        assert_eq!((read.id(), &read), (request.id(), &request));
    });
}
