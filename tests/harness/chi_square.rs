//! Pearson's chi-square test: whether counts are those of draws with given probabilities.

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// The chance that draws with these probabilities, which sum to 1, give counts as far from the expected ones as these, or
/// farther.
///
/// It is good where every count is expected to be dozens; a count of what has no probability is for the caller to refuse.
pub fn chance(counts: &[u64], probabilities: &[f64]) -> f64 {
    assert_eq!(counts.len(), probabilities.len());
    assert!(probabilities.iter().all(|p| *p > 0.0), "{probabilities:?}");
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{probabilities:?}");
    let draws = counts.iter().sum::<u64>() as f64;
    let distance = counts.iter().zip(probabilities).map(|(&count, p)| {
        let expected = draws * p;
        (count as f64 - expected).powi(2) / expected
    });
    // What is certain cannot be otherwise.
    let degrees_of_freedom = counts.len().saturating_sub(1);
    ChiSquared::new(degrees_of_freedom as f64).map_or(1.0, |distribution| distribution.sf(distance.sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // Distances of 4, 10 and 1.44 with 1, 1 and 2 degrees of freedom.
        assert!((chance(&[60, 40], &[0.5, 0.5]) - 0.0455).abs() < 1e-4);
        assert!((chance(&[550, 450], &[0.5, 0.5]) - 1.565e-3).abs() < 1e-6);
        assert!((chance(&[30, 22, 48], &[0.25, 0.25, 0.5]) - (-0.72_f64).exp()).abs() < 1e-3);
        assert!(chance(&[10_000, 0], &[0.5, 0.5]) < 1e-300);
        assert!(chance(&[7], &[1.0]) >= 1.0);
    }

    #[test]
    fn fair_draws_pass_and_others_do_not() {
        let mut random = fastrand::Rng::with_seed(53);
        let mut counts = [0_u64; 3];
        for _ in 0..10_000 {
            counts[[0, 0, 1, 2][random.usize(..4)]] += 1;
        }
        assert!(chance(&counts, &[0.5, 0.25, 0.25]) > 1e-6);
        assert!(chance(&counts, &[0.4, 0.3, 0.3]) < 1e-15);
    }
}
