//! Which names are asked how often: by Zipf's law, as resolvers' questions to a large zone are.

use crate::plan::POPULARITY_MAX;

/// A table of names drawn so that the name of rank *r* comes up in proportion to *r* to the power of minus `exponent`.
pub fn zipf(names: u32, exponent: f64) -> Vec<u32> {
    let mut random = fastrand::Rng::with_seed(53);
    let mut cumulative = Vec::with_capacity(names as usize);
    let mut total = 0.0;
    for rank in 1..=names {
        total += f64::from(rank).powf(-exponent);
        cumulative.push(total);
    }
    (0..POPULARITY_MAX)
        .map(|_| {
            let drawn = random.f64() * total;
            cumulative.partition_point(|&below| below <= drawn).min(names as usize - 1) as u32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_names_come_up_most() {
        let drawn = super::zipf(1000, 1.0);
        let share =
            |below: u32| drawn.iter().filter(|name| **name < below).count() as f64 / drawn.len() as f64;
        // Harmonic numbers: H(1) / H(1000) and H(100) / H(1000).
        assert!((share(1) - 0.1336).abs() < 0.005, "{}", share(1));
        assert!((share(100) - 0.693).abs() < 0.005, "{}", share(100));
        assert!(drawn.iter().all(|name| *name < 1000));
    }
}
