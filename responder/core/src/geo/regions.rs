//! Where the regions and local zones are that latency and geoproximity records name.
//!
//! A region's data centers are spread around the city or area that its published name mentions; the figures here are that
//! place's, to a hundredth of a degree, near enough to compare continents and coasts. Routing wants an order, not a map.

use std::collections::HashMap;
use std::sync::Arc;

use super::location::Coordinates;
use crate::model::policy::GeoProximityPlace;

/// Regions in hundredths of a degree of latitude and longitude, sorted by name.
const REGIONS: [(&str, i16, i16); 38] = [
    ("af-south-1", -3393, 1842),      // Cape Town
    ("ap-east-1", 2230, 11417),       // Hong Kong
    ("ap-east-2", 2503, 12157),       // Taipei
    ("ap-northeast-1", 3568, 13969),  // Tokyo
    ("ap-northeast-2", 3757, 12698),  // Seoul
    ("ap-northeast-3", 3469, 13550),  // Osaka
    ("ap-south-1", 1908, 7288),       // Mumbai
    ("ap-south-2", 1739, 7849),       // Hyderabad
    ("ap-southeast-1", 135, 10382),   // Singapore
    ("ap-southeast-2", -3387, 15121), // Sydney
    ("ap-southeast-3", -621, 10685),  // Jakarta
    ("ap-southeast-4", -3781, 14496), // Melbourne
    ("ap-southeast-5", 314, 10169),   // Kuala Lumpur
    ("ap-southeast-6", -3685, 17476), // Auckland
    ("ap-southeast-7", 1376, 10050),  // Bangkok
    ("ca-central-1", 4550, -7357),    // Montreal
    ("ca-west-1", 5105, -11407),      // Calgary
    ("cn-north-1", 3990, 11641),      // Beijing
    ("cn-northwest-1", 3751, 10520),  // Zhongwei, Ningxia
    ("eu-central-1", 5011, 868),      // Frankfurt
    ("eu-central-2", 4738, 854),      // Zurich
    ("eu-north-1", 5933, 1807),       // Stockholm
    ("eu-south-1", 4546, 919),        // Milan
    ("eu-south-2", 4165, -89),        // Zaragoza, Aragon
    ("eu-west-1", 5335, -626),        // Dublin
    ("eu-west-2", 5151, -13),         // London
    ("eu-west-3", 4886, 235),         // Paris
    ("il-central-1", 3209, 3478),     // Tel Aviv
    ("me-central-1", 2520, 5527),     // Dubai
    ("me-south-1", 2623, 5059),       // Manama, Bahrain
    ("mx-central-1", 2059, -10039),   // Queretaro
    ("sa-east-1", -2355, -4663),      // Sao Paulo
    ("us-east-1", 3904, -7749),       // Ashburn, Northern Virginia
    ("us-east-2", 3996, -8300),       // Columbus, Ohio
    ("us-gov-east-1", 3996, -8300),   // Columbus, Ohio
    ("us-gov-west-1", 4584, -11970),  // Boardman, Oregon
    ("us-west-1", 3735, -12196),      // Silicon Valley, Northern California
    ("us-west-2", 4584, -11970),      // Boardman, Oregon
];

/// The cities that local zones are named after, by the airport's code in the zone group's name, sorted by code.
const METROS: [(&str, i16, i16); 34] = [
    ("akl", -3685, 17476), // Auckland
    ("atl", 3375, -8439),  // Atlanta
    ("bkk", 1376, 10050),  // Bangkok
    ("bos", 4236, -7106),  // Boston
    ("bue", -3460, -5838), // Buenos Aires
    ("ccu", 2257, 8836),   // Kolkata
    ("chi", 4188, -8763),  // Chicago
    ("cph", 5568, 1257),   // Copenhagen
    ("del", 2861, 7721),   // Delhi
    ("den", 3974, -10499), // Denver
    ("dfw", 3278, -9680),  // Dallas
    ("ham", 5355, 999),    // Hamburg
    ("hel", 6017, 2494),   // Helsinki
    ("hnl", 2131, -15786), // Honolulu
    ("iah", 2976, -9537),  // Houston
    ("las", 3617, -11514), // Las Vegas
    ("lax", 3405, -11824), // Los Angeles
    ("lim", -1205, -7704), // Lima
    ("los", 652, 338),     // Lagos
    ("mci", 3910, -9458),  // Kansas City
    ("mct", 2359, 5838),   // Muscat
    ("mia", 2576, -8019),  // Miami
    ("mnl", 1460, 12098),  // Manila
    ("msp", 4498, -9327),  // Minneapolis
    ("nyc", 4071, -7401),  // New York
    ("pdx", 4552, -12268), // Portland
    ("per", -3195, 11586), // Perth
    ("phl", 3995, -7517),  // Philadelphia
    ("phx", 3345, -11207), // Phoenix
    ("qro", 2059, -10039), // Queretaro
    ("scl", -3345, -7067), // Santiago
    ("sea", 4761, -12233), // Seattle
    ("tpe", 2503, 12157),  // Taipei
    ("waw", 5223, 2101),   // Warsaw
];

fn find(table: &[(&str, i16, i16)], name: &str) -> Option<Coordinates> {
    let at = table.binary_search_by(|(known, ..)| (*known).cmp(name)).ok()?;
    Coordinates::from_centidegrees(table[at].1, table[at].2)
}

/// About where a region is; none for a label that is none of AWS's (R-32 allows any).
pub fn region_coordinates(region: &str) -> Option<Coordinates> {
    find(&REGIONS, region)
}

/// The regions with known coordinates, in order.
pub fn region_names() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(name, ..)| *name)
}

/// Where labels are: those the operator gives coordinates, then those known here. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Places(Arc<HashMap<Box<str>, Coordinates>>);

impl Places {
    /// With labels of the operator's own, or other places for known ones.
    pub fn new(labels: HashMap<Box<str>, Coordinates>) -> Self {
        Self(Arc::new(labels))
    }

    /// About where a region is; none for a label nobody has placed.
    pub fn region(&self, region: &str) -> Option<Coordinates> {
        self.0.get(region).copied().or_else(|| region_coordinates(region))
    }

    /// About where a geoproximity resource is; none if its label is unknown.
    pub fn of(&self, place: &GeoProximityPlace) -> Option<Coordinates> {
        match place {
            GeoProximityPlace::Region(region) => self.region(region),
            GeoProximityPlace::LocalZoneGroup(group) => self.local_zone(group),
            GeoProximityPlace::Coordinates { latitude_centi, longitude_centi } => {
                Coordinates::from_centidegrees(*latitude_centi, *longitude_centi)
            }
        }
    }

    /// A group is named `us-west-2-lax-1`: its region, the metro and a number. An unknown metro is where the region is.
    fn local_zone(&self, group: &str) -> Option<Coordinates> {
        if let Some(placed) = self.0.get(group) {
            return Some(*placed);
        }
        let (zone, _number) = group.rsplit_once('-')?;
        let (region, metro) = zone.rsplit_once('-')?;
        let region = self.region(region)?;
        Some(find(&METROS, metro).unwrap_or(region))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::distance_km;

    #[test]
    fn tables_are_sorted_and_on_the_globe() {
        for table in [&REGIONS[..], &METROS[..]] {
            assert!(table.is_sorted_by(|a, b| a.0 < b.0));
            for (name, ..) in table {
                assert!(find(table, name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn regions_are_about_where_they_should_be() {
        let km = |a, b| distance_km(region_coordinates(a).unwrap(), region_coordinates(b).unwrap());
        let check =
            |a, b, from: f64, to: f64| assert!((from..to).contains(&km(a, b)), "{a} {b} {}", km(a, b));
        check("us-east-1", "us-west-2", 3300.0, 3800.0);
        check("eu-west-1", "eu-central-1", 1000.0, 1200.0);
        check("ap-southeast-1", "ap-southeast-2", 6200.0, 6400.0);
        check("ap-northeast-1", "ap-northeast-3", 350.0, 450.0);
        check("sa-east-1", "af-south-1", 6200.0, 6600.0);
        assert_eq!(region_coordinates("my-rack-1"), None);
    }

    #[test]
    fn local_zones_are_in_their_city_or_else_where_their_region_is() {
        let places = Places::default();
        let zone = |group: &str| places.of(&GeoProximityPlace::LocalZoneGroup(group.to_owned()));
        assert_eq!(zone("us-west-2-lax-1"), Coordinates::new(34.05, -118.24));
        assert_eq!(zone("us-west-2-xyz-1"), region_coordinates("us-west-2"));
        assert_eq!(zone("us-west-2"), None);
        assert_eq!(zone("nowhere-1-lax-1"), None);
        let declared = GeoProximityPlace::Coordinates { latitude_centi: -123, longitude_centi: 4567 };
        assert_eq!(places.of(&declared), Coordinates::new(-1.23, 45.67));
    }

    #[test]
    fn labels_of_the_operator_come_first() {
        let berlin = Coordinates::new(52.52, 13.4).unwrap();
        let labels = ["rack-7", "eu-west-1", "rack-7-lax-1"].map(|label| (label.into(), berlin));
        let places = Places::new(labels.into_iter().collect());
        let zone = |group: &str| places.of(&GeoProximityPlace::LocalZoneGroup(group.to_owned()));
        assert_eq!(places.region("rack-7"), Some(berlin));
        assert_eq!(places.region("eu-west-1"), Some(berlin));
        assert_eq!(places.region("eu-west-2"), region_coordinates("eu-west-2"));
        assert_eq!(zone("rack-7-lax-1"), Some(berlin));
        assert_eq!(zone("rack-7-xyz-1"), Some(berlin));
        assert_eq!(zone("rack-7-sea-1"), Coordinates::new(47.61, -122.33));
    }
}
