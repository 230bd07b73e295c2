//! How properties are tested: against a few hundred random cases, and a failing case is shrunk before it is shown. The
//! cases are the same on every run and machine, so a failure in CI can be reproduced; `PROPTEST_RNG_SEED` and
//! `PROPTEST_CASES` choose others.

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Runs `holds` on `cases` cases of `strategy`; it panics where the property does not hold.
pub fn for_all<T: Debug>(cases: u32, strategy: &impl Strategy<Value = T>, holds: impl Fn(T)) {
    let given = Config::default();
    let seed = if given.rng_seed == RngSeed::Random { RngSeed::Fixed(2026) } else { given.rng_seed };
    // 256 is proptest's own default, so it means that no number was asked for.
    let cases = if given.cases == 256 { cases } else { given.cases };
    // A failing case is printed. By default proptest would also write a file of it among the sources.
    let config = Config { cases, rng_seed: seed, failure_persistence: None, max_shrink_iters: 2000, ..given };
    let outcome = TestRunner::new(config).run(strategy, |case| {
        holds(case);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("with PROPTEST_RNG_SEED={seed}: {error}");
    }
}
