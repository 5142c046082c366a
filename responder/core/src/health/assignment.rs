//! Which checkers probe a check (H-26).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The location name of a checker: `checker.name` of the configuration.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckerName(pub Arc<str>);

impl fmt::Display for CheckerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CheckerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for CheckerName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// A node that probes endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checker {
    /// Its location.
    pub name: CheckerName,
    /// Its region label, a Route 53 region name for example.
    pub region: Option<Arc<str>>,
    /// Where its probes come from, for users to read (H-40).
    pub address: Option<IpAddr>,
}

/// The checkers that `regions` names by location or region; all of them if it names none.
pub fn assigned<'a>(regions: &[String], checkers: &'a [Checker]) -> Vec<&'a Checker> {
    let listed: Vec<&Checker> = checkers
        .iter()
        .filter(|checker| {
            regions.iter().any(|region| {
                *region == *checker.name.0 || checker.region.as_ref().is_some_and(|label| **label == **region)
            })
        })
        .collect();
    if listed.is_empty() { checkers.iter().collect() } else { listed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_choose_checkers_by_location_or_label_h26() {
        let checker = |name: &str, region: Option<&str>| Checker {
            name: name.into(),
            region: region.map(Into::into),
            address: None,
        };
        let checkers =
            [checker("fra1", Some("eu-west-1")), checker("nyc1", Some("us-east-1")), checker("nyc2", None)];
        let names = |regions: &[&str]| -> Vec<String> {
            let regions: Vec<String> = regions.iter().map(|region| region.to_string()).collect();
            assigned(&regions, &checkers).iter().map(|checker| checker.name.to_string()).collect()
        };
        assert_eq!(names(&["us-east-1", "sa-east-1"]), ["nyc1"]);
        assert_eq!(names(&["nyc2", "eu-west-1"]), ["fra1", "nyc2"]);
        assert_eq!(names(&["sa-east-1"]), ["fra1", "nyc1", "nyc2"]);
        assert_eq!(names(&[]), ["fra1", "nyc1", "nyc2"]);
    }
}
