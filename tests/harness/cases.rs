//! The conformance cases of `tests/cases`: what each declares, and the exact answers it expects.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use num_rational::BigRational;
use num_traits::{One, Zero};
use pulse53_core::assemble::{Limits, SnapshotBuilder, ZoneBuilder};
use pulse53_core::body::rcode;
use pulse53_core::compile::Outcome;
use pulse53_core::geo::{Coordinates, GeoDb, GeoDbBuilder, Latency, Location, Network};
use pulse53_core::model::{
    CheckId, Findings, Name, PolicyKind, Problem, Rdata, RecordType, Revision, SetId, Snapshot, Ttl, ZoneId,
};
use pulse53_core::route53::ResourceRecordSet;
use pulse53_core::{rdata, route53};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::frame::subnet_data;

/// The hosted zone id that alias targets in cases name.
pub const ZONE_ID: &str = "ZPULSE53EXAMPLE";

/// One case.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// Equals the file name without `.json`.
    pub name: String,
    zone: Option<String>,
    cidr_collections: Option<Box<RawValue>>,
    /// The `ResourceRecordSet` objects.
    pub records: Box<RawValue>,
    #[serde(default)]
    then_delete: Vec<Deletion>,
    /// Final status of each check.
    pub health: BTreeMap<String, bool>,
    /// What is asked.
    pub queries: Vec<CaseQuery>,
    /// The rule for which loading must fail.
    pub invalid: Option<String>,
}

/// A record set to delete.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deletion {
    name: String,
    #[serde(rename = "Type")]
    record_type: String,
    set_identifier: Option<String>,
}

/// One question with its answers.
#[derive(Debug, Deserialize)]
pub struct CaseQuery {
    name: String,
    #[serde(rename = "type")]
    qtype: String,
    /// Who asks.
    pub client: CaseClient,
    expect: Expect,
}

/// Who asks, and what is known of the network that counts.
#[derive(Debug, Deserialize)]
pub struct CaseClient {
    ip: Option<IpAddr>,
    subnet: Option<String>,
    /// Its country's code.
    pub country: Option<String>,
    /// The code of a part of that country.
    pub subdivision: Option<String>,
    /// Its continent's code.
    pub continent: Option<String>,
    /// Milliseconds by region.
    #[serde(default)]
    pub latency_ms: BTreeMap<String, f64>,
    /// Latitude in degrees.
    pub lat: Option<f64>,
    /// Longitude in degrees.
    pub lon: Option<f64>,
}

impl CaseClient {
    /// The source address of the query.
    pub fn address(&self) -> IpAddr {
        self.ip.unwrap_or(IpAddr::from([203, 0, 113, 7]))
    }

    /// The client-subnet option's data (RFC 7871 section 6), if the query has the option.
    pub fn subnet_option(&self) -> Option<Vec<u8>> {
        let (address, length) = self.subnet.as_deref()?.split_once('/').expect("address and length");
        let length = length.parse().expect("a length");
        Some(subnet_data(address.parse().expect("an address"), length))
    }

    /// Whether the option names fewer bits than routing looks at.
    pub fn subnet_is_short(&self) -> bool {
        let network = self.network();
        self.subnet.is_some() && network.length() < if network.address().is_ipv4() { 24 } else { 48 }
    }

    /// The network that counts: the option's unless it opts out, else the resolver's.
    pub fn network(&self) -> Network {
        let subnet = self.subnet.as_deref().map(|text| {
            let (address, length) = text.split_once('/').expect("address and length");
            (address.parse().expect("an address"), length.parse().expect("a length"))
        });
        match subnet {
            Some((address, length)) if length > 0 => Network::of_client(address, length),
            _ => {
                let address = self.address();
                Network::of_client(address, if address.is_ipv4() { 32 } else { 128 })
            }
        }
    }

    /// A location database that knows this network, and no other.
    pub fn geo(&self) -> GeoDb {
        let code = |text: &Option<String>| {
            text.as_deref().map(|text| text.as_bytes().try_into().expect("two letters"))
        };
        let coordinates = self.lat.zip(self.lon).and_then(|(lat, lon)| Coordinates::new(lat, lon));
        let subdivision = self.subdivision.as_deref().map(Into::into);
        let mut geo = GeoDbBuilder::default();
        geo.location(
            self.network(),
            Location::new(code(&self.country), subdivision, code(&self.continent), coordinates),
        );
        for (region, &ms) in &self.latency_ms {
            geo.latency(self.network(), region, Latency::from_ms(ms).expect("a latency"));
        }
        geo.build()
    }
}

#[derive(Debug, Deserialize)]
struct Expect {
    rcode: String,
    distribution: Vec<Entry>,
    scope: Option<u8>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    answers: Option<Vec<String>>,
    choose: Option<usize>,
    from: Option<Vec<String>>,
    #[serde(default)]
    ttl: u32,
    p: String,
    #[serde(rename = "type")]
    record_type: Option<String>,
}

/// One possible answer with its exact probability, in the compiler's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Possible {
    /// Type of the answer records.
    pub rtype: RecordType,
    /// The records.
    pub outcome: Outcome,
    /// Its probability.
    pub p: BigRational,
}

/// Every case, in order of name.
pub fn all() -> Vec<Case> {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("the cases are there")
        .map(|entry| entry.expect("the cases can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| -> Case {
        let text = std::fs::read_to_string(path).expect("a case can be read");
        let case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(case.name.as_str()));
        case
    };
    paths.iter().map(read).collect()
}

/// The valid cases, as snapshots after their deletions.
pub fn valid() -> Vec<(Case, Snapshot)> {
    let valid = all().into_iter().filter(|case| case.invalid.is_none());
    valid
        .map(|case| {
            let snapshot = case.snapshot();
            (case, snapshot)
        })
        .collect()
}

/// Whether any policy looks at where the client is.
pub fn depends_on_client(snapshot: &Snapshot) -> bool {
    snapshot.zones.values().flat_map(|zone| zone.groups.values()).any(|group| match group.policy() {
        PolicyKind::Simple | PolicyKind::Weighted | PolicyKind::Failover | PolicyKind::Multivalue => false,
        PolicyKind::Latency | PolicyKind::Geolocation | PolicyKind::Cidr | PolicyKind::Geoproximity => true,
    })
}

impl Case {
    /// The zone's name.
    pub fn zone_name(&self) -> Name {
        Name::from_route53(self.zone.as_deref().unwrap_or("example.com.")).expect("a name")
    }

    /// The CIDR collections as JSON.
    pub fn collections(&self) -> &str {
        self.cidr_collections.as_ref().map_or("[]", |raw| raw.get())
    }

    /// Puts together what is declared, as one batch. Checks exist as far as only their ids matter.
    pub fn build(&self) -> Result<(Snapshot, Vec<Problem>), Findings> {
        const TCP: &str =
            "\"HealthCheckConfig\": {\"Type\": \"TCP\", \"IPAddress\": \"192.0.2.1\", \"Port\": 80}";
        let mut zone = ZoneBuilder::new(self.zone_name(), Some(ZoneId(ZONE_ID.into())));
        zone.add_record_sets(route53::read_record_sets(&self.name, self.records.get()));
        let mut snapshot = SnapshotBuilder::new(Limits::default());
        snapshot.add_zone(zone);
        let (collections, findings) = route53::read_cidr_collections(&self.name, self.collections());
        snapshot.add_collections(collections.into_iter().map(Arc::new));
        snapshot.add_findings(findings);
        let ids: Vec<String> = self.health.keys().map(|id| format!("{{\"Id\": {id:?}, {TCP}}}")).collect();
        let checks = route53::read_health_checks(&self.name, &format!("[{}]", ids.join(",")));
        snapshot.add_findings(checks.findings);
        snapshot.add_checks(checks.checks.into_iter().map(Arc::new));
        snapshot.build(Revision(1))
    }

    /// Whether anything is deleted after loading.
    pub fn deletes(&self) -> bool {
        !self.then_delete.is_empty()
    }

    /// The record sets as an API client has them, in a zone of this id.
    pub fn record_sets(&self, zone: &str) -> Vec<ResourceRecordSet> {
        let text = self.records.get().replace(ZONE_ID, zone);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Whether a record set is deleted after loading.
    pub fn is_deleted(&self, set: &ResourceRecordSet) -> bool {
        self.then_delete.iter().any(|gone| {
            (&gone.name, &gone.record_type, &gone.set_identifier)
                == (&set.name, &set.record_type, &set.set_identifier)
        })
    }

    /// Deletes what is to be deleted after loading; each must be there once.
    pub fn delete(&self, snapshot: &mut Snapshot) {
        let zone = ZoneId(ZONE_ID.into());
        for gone in &self.then_delete {
            let owner = Name::from_route53(&gone.name).expect("a name");
            let rtype = rdata::record_type(&gone.record_type).expect("a type");
            let set_id = gone.set_identifier.as_deref().map(|id| SetId(id.into()));
            assert!(snapshot.remove(&zone, &owner, rtype, set_id.as_ref()), "{}", self.name);
            assert!(!snapshot.remove(&zone, &owner, rtype, set_id.as_ref()), "{}", self.name);
        }
    }

    /// What is served when the queries come.
    pub fn snapshot(&self) -> Snapshot {
        let (mut snapshot, _) =
            self.build().unwrap_or_else(|findings| panic!("{}: refused: {findings}", self.name));
        self.delete(&mut snapshot);
        snapshot
    }

    /// The status of a check; unknown ones are healthy.
    pub fn is_healthy(&self, check: &CheckId) -> bool {
        self.health.get(&*check.0).copied().unwrap_or(true)
    }
}

impl CaseQuery {
    /// The scope prefix length the reply must carry, if the case says so.
    pub fn scope(&self) -> Option<u8> {
        self.expect.scope
    }

    /// QNAME.
    pub fn name(&self) -> Name {
        Name::from_route53(&self.name).expect("a name")
    }

    /// QTYPE.
    pub fn qtype(&self) -> RecordType {
        rdata::record_type(&self.qtype).expect("a type")
    }

    /// The expected RCODE.
    pub fn rcode(&self) -> u8 {
        match self.expect.rcode.as_str() {
            "NOERROR" => rcode::NOERROR,
            "NXDOMAIN" => rcode::NXDOMAIN,
            other => panic!("no case expects {other}"),
        }
    }

    /// Every possible answer; no record at all is one, too.
    pub fn possible(&self) -> Vec<Possible> {
        let entries = &self.expect.distribution;
        let possible: Vec<Possible> = if entries.is_empty() {
            vec![Possible { rtype: self.qtype(), outcome: Outcome::NoData, p: BigRational::one() }]
        } else {
            entries.iter().map(|entry| entry.possible(self.qtype())).collect()
        };
        let sum: BigRational = possible.iter().map(|possible| &possible.p).sum();
        assert!(sum.is_one() && possible.iter().all(|possible| !possible.p.is_zero()), "{self:?}");
        possible
    }
}

impl Entry {
    fn possible(&self, qtype: RecordType) -> Possible {
        let named = |mnemonic| rdata::record_type(mnemonic).expect("a type");
        let rtype = self.record_type.as_deref().map_or(qtype, named);
        let parsed = |texts: &[String]| -> Vec<Rdata> {
            texts.iter().map(|text| rdata::from_route53(rtype, text).expect("RDATA")).collect()
        };
        let outcome = match (&self.answers, self.choose, &self.from) {
            (Some(answers), None, None) if answers.is_empty() => Outcome::NoData,
            (Some(answers), None, None) => {
                let mut rdatas = parsed(answers);
                rdatas.sort_unstable();
                Outcome::Set(Ttl(self.ttl), rdatas.into())
            }
            (None, Some(8), Some(from)) => {
                let mut members: Vec<Arc<[Rdata]>> =
                    parsed(from).into_iter().map(|rdata| Arc::from([rdata])).collect();
                members.sort_unstable();
                Outcome::Choose(Ttl(self.ttl), members.into())
            }
            _ => panic!("neither answers nor eight to choose: {self:?}"),
        };
        Possible { rtype, outcome, p: self.p.parse().expect("a fraction") }
    }
}

/// An answer section as it was given: records of one type and TTL, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Given {
    /// Their type.
    pub rtype: RecordType,
    /// Their TTL.
    pub ttl: Ttl,
    /// Their data.
    pub rdatas: Vec<Rdata>,
}

impl Possible {
    /// Whether an answer section is this answer; none: it has no record.
    pub fn is(&self, given: Option<&Given>) -> bool {
        match (&self.outcome, given) {
            (Outcome::NoData, None) => true,
            (Outcome::Set(ttl, rdatas), Some(given)) => {
                (self.rtype, *ttl, &rdatas[..]) == (given.rtype, given.ttl, &given.rdatas)
            }
            (Outcome::Choose(ttl, members), Some(given)) => {
                (self.rtype, *ttl, 8) == (given.rtype, given.ttl, given.rdatas.len())
                    && given
                        .rdatas
                        .iter()
                        .all(|rdata| members.iter().any(|member| **member == [rdata.clone()]))
            }
            _ => false,
        }
    }
}
