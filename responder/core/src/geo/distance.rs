//! How far it is, and how far a bias makes it.

use super::location::Coordinates;

/// The radius of the sphere that distances are measured on.
pub const EARTH_RADIUS_KM: f64 = 6371.0;

/// Great-circle distance.
pub fn distance_km(a: Coordinates, b: Coordinates) -> f64 {
    let (a_latitude, b_latitude) = (a.latitude().to_radians(), b.latitude().to_radians());
    let half_chord = |from: f64, to: f64| ((to - from) / 2.0).sin().powi(2);
    // The haversine formula: unlike the spherical law of cosines it stays exact for points close together.
    let haversine = half_chord(a_latitude, b_latitude)
        + a_latitude.cos()
            * b_latitude.cos()
            * half_chord(a.longitude().to_radians(), b.longitude().to_radians());
    // Rounding may carry antipodes just past 1, where the arcsine ends.
    2.0 * EARTH_RADIUS_KM * haversine.sqrt().min(1.0).asin()
}

/// The distance that a bias goes by. A client without coordinates is 1 from every resource; a resource whose place nobody knows
/// is infinitely far from the others.
pub fn unbiased_distance_km(client: Option<Coordinates>, resource: Option<Coordinates>) -> f64 {
    match (client, resource) {
        (None, _) => 1.0,
        (Some(client), Some(resource)) => distance_km(client, resource),
        (Some(_), None) => f64::INFINITY,
    }
}

/// What a bias of -99 to 99 makes of a distance.
pub fn biased_km(distance: f64, bias: i8) -> f64 {
    let share = f64::from(bias.clamp(-99, 99)) / 100.0;
    if share >= 0.0 { distance * (1.0 - share) } else { distance / (1.0 + share) }
}

/// The distance that decides.
pub fn biased_distance_km(client: Option<Coordinates>, resource: Option<Coordinates>, bias: i8) -> f64 {
    biased_km(unbiased_distance_km(client, resource), bias)
}

/// The members of a geoproximity group, nearest first, equally near ones by set identifier; given with both.
pub fn nearest_first<'m, M>(members: impl IntoIterator<Item = (f64, &'m str, M)>) -> impl Iterator<Item = M> {
    let mut measured: Vec<_> = members.into_iter().collect();
    measured.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
    measured.into_iter().map(|(_, _, member)| member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(latitude: f64, longitude: f64) -> Coordinates {
        Coordinates::new(latitude, longitude).unwrap()
    }

    fn anywhere() -> impl Strategy<Value = Coordinates> {
        (-90.0..=90.0, -180.0..=180.0).prop_map(|(latitude, longitude)| at(latitude, longitude))
    }

    #[test]
    fn known_distances() {
        let check = |a, b, km: f64| assert!((distance_km(a, b) - km).abs() < 0.01, "{}", distance_km(a, b));
        let quarter = EARTH_RADIUS_KM * std::f64::consts::FRAC_PI_2;
        check(at(0.0, 0.0), at(0.0, 0.0), 0.0);
        check(at(0.0, 0.0), at(90.0, 17.0), quarter);
        check(at(0.0, 0.0), at(0.0, 90.0), quarter);
        check(at(0.0, -179.0), at(0.0, 179.0), quarter / 45.0);
        check(at(33.0, 20.0), at(-33.0, -160.0), 2.0 * quarter);
        check(at(52.0, -180.0), at(52.0, 180.0), 0.0);
    }

    /// a positive bias shrinks the distance, a negative one stretches it.
    #[test]
    fn bias_shrinks_and_stretches() {
        let (client, resource) = (Some(at(0.0, 0.0)), Some(at(0.0, 90.0)));
        let plain = biased_distance_km(client, resource, 0);
        let check = |bias, factor: f64| {
            assert!((biased_distance_km(client, resource, bias) / plain - factor).abs() < 1e-9, "{bias}");
        };
        check(0, 1.0);
        check(50, 0.5);
        check(99, 0.01);
        check(-50, 2.0);
        check(-99, 100.0);
        assert_eq!(biased_distance_km(client, None, 99), f64::INFINITY);
    }

    #[test]
    fn nearest_first_then_by_set_identifier() {
        let members =
            [("b", Some(at(0.0, 10.0)), 0), ("a", Some(at(0.0, 30.0)), 80), ("z", None, 99), ("c", None, 0)];
        let order = |client| {
            let measured = members
                .iter()
                .map(|&(set_id, place, bias)| (biased_distance_km(client, place, bias), set_id, set_id));
            nearest_first(measured).collect::<String>()
        };
        assert_eq!(order(Some(at(0.0, 0.0))), "abcz");
        assert_eq!(order(Some(at(0.0, 10.0))), "bacz");
        // Without coordinates only the bias counts, for known and unknown places alike.
        assert_eq!(order(None), "zabc");
    }

    proptest! {
        #[test]
        fn distance_is_symmetric_and_bounded(a in anywhere(), b in anywhere()) {
            let distance = distance_km(a, b);
            prop_assert!((distance - distance_km(b, a)).abs() < 1e-6);
            prop_assert!((0.0..=EARTH_RADIUS_KM * std::f64::consts::PI + 1e-6).contains(&distance));
        }

        /// A greater bias never pushes a resource away.
        #[test]
        fn bias_is_monotonic(a in anywhere(), b in anywhere(), bias in -99_i8..99) {
            let of = |bias| biased_distance_km(Some(a), Some(b), bias);
            prop_assert!(of(bias + 1) <= of(bias));
        }
    }
}
