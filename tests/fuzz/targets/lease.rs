//! A lease file, any bytes: it is rejected, or is a lease that every shell can be given, and whose renewals are sound too.
#![no_main]

use credsh_fuzz::expect::is_sound;
use credsh_fuzz::lease::Lease;
use libfuzzer_sys::fuzz_target;

/// The year 3000: the latest time at which a lease is renewed here.
const LATEST: i64 = 32_503_680_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(parsed) = serde_json::from_slice::<Lease>(bytes) else {
        assert_eq!(Lease::read(bytes, "0123456789abcdef"), None);
        return;
    };
    let Some(lease) = Lease::read(bytes, &parsed.request.id()) else { return };
    assert_eq!(lease, parsed);
    is_sound(&lease);
    for now in [0, lease.received, lease.window(), lease.mandatory(), lease.expires, lease.asked + 1] {
        let now = now.clamp(0, LATEST);
        for random in [0.0, 1.0] {
            let failed = lease.clone().failed(now, random, "down".into(), true);
            assert!(failed.due > now && failed.credentials == lease.credentials, "{failed:?}");
            is_sound(&failed);
            let answer = Lease::new(lease.request.clone(), lease.credentials.clone(), now, now - lease.asked);
            let renewed = lease.clone().renewed(answer, random);
            assert!(renewed.due > now && renewed.issued.len() <= lease.issued.len().max(16), "{renewed:?}");
            is_sound(&renewed);
        }
    }
});
