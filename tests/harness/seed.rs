//! One seed a test run, told when it begins, so that a failure can be seen again.

/// The seed of the running test: `PULSE53_TEST_SEED` if it is set, else another one each time. libtest shows it when the
/// test fails.
pub fn random() -> fastrand::Rng {
    let seed = match std::env::var("PULSE53_TEST_SEED") {
        Ok(text) => text.parse().expect("PULSE53_TEST_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    println!("PULSE53_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
