//! How many random cases a model test tries, and which.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The same cases in each run; another seed by PROPTEST_RNG_SEED, another number by PROPTEST_CASES.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let given = |name| std::env::var_os(name).is_some();
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if !given("PROPTEST_RNG_SEED") {
        config.rng_seed = RngSeed::Fixed(1);
    }
    if !given("PROPTEST_CASES") {
        config.cases = cases;
    }
    config
}
