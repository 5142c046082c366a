//! Random zones of few labels, so that names collide: delegations with and without glue, DNAME, wildcards, empty non-terminals, CNAME.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use fastrand::Rng;
use hickory_proto::rr::RecordType;

/// A zone's text, and the names it may be asked for.
#[derive(Debug)]
pub struct RandomZone {
    /// Without the final dot.
    pub apex: String,
    /// A master file.
    pub text: String,
    names: Vec<String>,
}

const LABELS: [&str; 5] = ["a", "b", "c", "d", "*"];
const QTYPES: [RecordType; 10] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::TXT,
    RecordType::MX,
    RecordType::NS,
    RecordType::SOA,
    RecordType::CNAME,
    RecordType::DS,
    RecordType::Unknown(39), // DNAME
    RecordType::Unknown(65280),
];

impl RandomZone {
    /// Another zone for each index.
    pub fn new(index: usize, random: &mut Rng) -> Self {
        let apex = format!("z{index}.test");
        let mut text = format!(
            "$ORIGIN {apex}.\n$TTL {}\n@ IN SOA ns.a hostmaster 1 7200 900 1209600 {}\n@ IN NS ns.a\n@ IN NS ns.elsewhere.test.\n",
            random.u32(1..9999),
            random.u32(1..9999),
        );
        let mut rrsets: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        let mut redirected: Vec<String> = Vec::new();
        for _ in 0..random.usize(5..40) {
            let owner = name(random);
            // Servers refuse or warn of what lies below a DNAME; that it is hidden our own tests show.
            if redirected.iter().any(|above| owner.ends_with(&format!(".{above}"))) {
                continue;
            }
            let present = rrsets.entry(owner.clone()).or_default();
            let is_wildcard = owner.starts_with('*');
            let mut types = vec!["A", "AAAA", "TXT", "MX", "TYPE65280"];
            if !is_wildcard {
                types.extend(["NS", "NS", "NS"]);
            }
            if present.is_empty() {
                types.extend(["CNAME", "CNAME"]);
            }
            let rtype = *random.choice(&types).expect("there are types");
            if present.contains("CNAME") || !present.insert(rtype) {
                continue;
            }
            for _ in 0..if rtype == "CNAME" { 1 } else { random.usize(1..4) } {
                let data = data(rtype, &owner, random);
                writeln!(text, "{owner} IN {rtype} {data}").expect("memory");
            }
            if rtype == "NS" && random.bool() {
                present.insert("DS");
                writeln!(text, "{owner} IN DS 1 13 2 {:064x}", random.u128(..)).expect("memory");
            }
        }
        // DNAMEs last: at names without any below them.
        for _ in 0..random.usize(..3) {
            let owner = name(random);
            let is_free = !owner.contains('*')
                && rrsets.keys().all(|other| *other != owner && !other.ends_with(&format!(".{owner}")))
                && redirected.iter().all(|other| !is_related(other, &owner));
            if is_free {
                writeln!(text, "{owner} IN DNAME {}", target(random)).expect("memory");
                redirected.push(owner);
            }
        }
        let names = rrsets.into_keys().chain(redirected).chain(["ns.a".to_owned()]).collect();
        Self { apex, text, names }
    }

    /// Whether a name, in full, has records.
    pub fn has(&self, name: &str) -> bool {
        let relative = name.strip_suffix(&format!(".{}.", self.apex));
        relative.is_some_and(|relative| self.names.iter().any(|known| known == relative))
    }

    /// A name in, below, above or beside what there is, and a type.
    pub fn question(&self, random: &mut Rng) -> (String, RecordType) {
        let known = random.choice(&self.names).expect("there are names").clone();
        let relative = match random.u8(..8) {
            0..3 => known,
            3..5 => format!("{}.{known}", random.choice(LABELS).expect("a label")),
            5 => format!("x.y.{known}"),
            6 => known.split_once('.').map_or(String::new(), |(_, above)| above.to_owned()),
            _ => name(random),
        };
        let dot = if relative.is_empty() { "" } else { "." };
        let qtype = *random.choice(&QTYPES).expect("a type");
        (format!("{relative}{dot}{}.", self.apex), qtype)
    }
}

fn is_related(one: &str, other: &str) -> bool {
    one == other || one.ends_with(&format!(".{other}")) || other.ends_with(&format!(".{one}"))
}

/// A name of one to four labels below the apex. An asterisk is the leftmost label only: further right it would make wildcards that own
/// nothing, which are wildcards to other servers (RFC 4592 section 2.2.1) and none to pulse53.
fn name(random: &mut Rng) -> String {
    let count = random.usize(1..5);
    let labels: Vec<&str> = (0..count)
        .map(|index| LABELS[random.usize(..if index == 0 { LABELS.len() } else { LABELS.len() - 1 })])
        .collect();
    labels.join(".")
}

/// A name inside or outside the zone.
fn target(random: &mut Rng) -> String {
    if random.u8(..3) == 0 { format!("{}.elsewhere.test.", name(random)) } else { name(random) }
}

fn data(rtype: &str, owner: &str, random: &mut Rng) -> String {
    match rtype {
        "A" => format!("192.0.2.{}", random.u8(..)),
        "AAAA" => format!("2001:db8::{:x}", random.u16(..)),
        "TXT" => format!("\"{:x}\"", random.u64(..)),
        "MX" => format!("{} {}", random.u16(..), target(random)),
        // A server within the cut, or anywhere.
        "NS" if random.bool() => format!("{}.{owner}", random.choice(["a", "b"]).expect("a label")),
        "TYPE65280" => format!("\\# 2 {:04x}", random.u16(..)),
        _ => target(random),
    }
}
