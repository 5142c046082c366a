//! What a location database says about a network.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::model::places::continent_of;

/// Where a network is; each part possibly unknown, all of them by default.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Location {
    country: Option<[u8; 2]>,
    subdivision: Option<Arc<str>>,
    continent: Option<[u8; 2]>,
    coordinates: Option<Coordinates>,
}

impl Location {
    /// A location from what a database says. The continent of a country in appendix A is the one given there.
    pub fn new(
        country: Option<[u8; 2]>,
        subdivision: Option<Arc<str>>,
        continent: Option<[u8; 2]>,
        coordinates: Option<Coordinates>,
    ) -> Self {
        let listed = country.as_ref().and_then(|code| continent_of(std::str::from_utf8(code).ok()?));
        let continent = match listed.map(str::as_bytes) {
            Some(&[first, second]) => Some([first, second]),
            _ => continent,
        };
        Self { country, subdivision, continent, coordinates }
    }

    /// ISO 3166-1 alpha-2, in capitals.
    pub fn country(&self) -> Option<[u8; 2]> {
        self.country
    }

    /// The code of the subdivision, as ISO 3166-2 writes it behind the country's: `CA` of `US-CA`.
    pub fn subdivision(&self) -> Option<&Arc<str>> {
        self.subdivision.as_ref()
    }

    /// One of AF AN AS EU NA OC SA.
    pub fn continent(&self) -> Option<[u8; 2]> {
        self.continent
    }

    /// The same, but that nobody knows about where.
    pub fn without_coordinates(&self) -> Self {
        Self { coordinates: None, ..self.clone() }
    }

    /// About where.
    pub fn coordinates(&self) -> Option<Coordinates> {
        self.coordinates
    }
}

/// A point on the globe, in degrees.
#[derive(Debug, Clone, Copy)]
pub struct Coordinates {
    latitude: f64,
    longitude: f64,
}

impl Coordinates {
    /// A point; none unless the latitude is within ±90 and the longitude within ±180 degrees.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let on_the_globe = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        // Adding zero makes -0 and 0 one number, so that equal points have equal bits.
        on_the_globe.then_some(Self { latitude: latitude + 0.0, longitude: longitude + 0.0 })
    }

    /// The point of a record, declared in hundredths of a degree; such a record is within bounds.
    pub fn from_centidegrees(latitude: i16, longitude: i16) -> Option<Self> {
        Self::new(f64::from(latitude) / 100.0, f64::from(longitude) / 100.0)
    }

    /// -90 to 90, north is positive.
    pub fn latitude(&self) -> f64 {
        self.latitude
    }

    /// -180 to 180, east is positive.
    pub fn longitude(&self) -> f64 {
        self.longitude
    }

    fn bits(&self) -> (u64, u64) {
        (self.latitude.to_bits(), self.longitude.to_bits())
    }
}

/// Bit for bit: no part is NaN, and zero has one sign.
impl PartialEq for Coordinates {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Coordinates {}

impl Hash for Coordinates {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::places::countries;

    fn code(text: &str) -> Option<[u8; 2]> {
        text.as_bytes().try_into().ok()
    }

    /// appendix A decides for the countries in it, the database for the others.
    #[test]
    fn appendix_a_decides_the_continent() {
        for country in countries() {
            let location = Location::new(code(country), None, code("XX"), None);
            assert_eq!(location.continent(), code(continent_of(country).unwrap()), "{country}");
        }
        let continent = |country, said| Location::new(code(country), None, code(said), None).continent();
        assert_eq!(continent("TR", "AS"), code("EU"));
        assert_eq!(continent("EH", "AF"), code("AF"));
        assert_eq!(Location::new(None, None, code("AF"), None).continent(), code("AF"));
        assert_eq!(continent("EH", ""), None);
    }

    #[test]
    fn coordinates_are_on_the_globe() {
        for (latitude, longitude) in [(90.1, 0.0), (0.0, -180.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(Coordinates::new(latitude, longitude), None);
        }
        assert_eq!(Coordinates::new(-0.0, 0.0), Coordinates::new(0.0, -0.0));
        assert_eq!(Coordinates::from_centidegrees(-9000, 18000), Coordinates::new(-90.0, 180.0));
        assert_eq!(Coordinates::from_centidegrees(9001, 0), None);
    }
}
