//! How properties are tested: against a few hundred random cases, of which a failing one is made as small as it goes.
//! Always the same cases, so that what fails here fails there; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` give others.

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// `holds` panics where the property does not hold.
pub fn for_all<T: Debug>(cases: u32, strategy: &impl Strategy<Value = T>, holds: impl Fn(T)) {
    let given = Config::default();
    let seed = if given.rng_seed == RngSeed::Random { RngSeed::Fixed(2026) } else { given.rng_seed };
    // Its own default is the sign that none was asked for.
    let cases = if given.cases == 256 { cases } else { given.cases };
    // What failed is printed; no file of it is left in the sources.
    let config = Config { cases, rng_seed: seed, failure_persistence: None, max_shrink_iters: 2000, ..given };
    let outcome = TestRunner::new(config).run(strategy, |case| {
        holds(case);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("with PROPTEST_RNG_SEED={seed}: {error}");
    }
}
