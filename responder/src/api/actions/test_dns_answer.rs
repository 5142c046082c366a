//! `TestDNSAnswer`: the answer that a client would get, from the table that clients are answered from.

use std::net::{IpAddr, Ipv4Addr};

use pulse53_core::dnssec::{self, SigningFailed, Wanted};
use pulse53_core::geo::Network;
use pulse53_core::model::Name;
use pulse53_core::rdata;
use pulse53_core::resolve::{Question, resolve};

use super::hosted_zones::{HostedZone, find};
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, bare_id, route};
use crate::clock;

pub(super) const ROUTES: &[Route] = &[route("GET", "testdnsanswer", "TestDNSAnswer", answer)];

/// Bits of a client subnet when no mask is given.
const MASK_V4: u8 = 24;
const MASK_V6: u8 = 64;

fn answer(api: &Api, request: &Request) -> Result<Reply, ApiError> {
    let needed = |name: &str| {
        let missing = || ApiError::invalid_input(format!("Invalid parameter : {name} is missing"));
        request.query(name).ok_or_else(missing)
    };
    let reading = api.store.read()?;
    let zone = find(&reading, bare_id(needed("hostedzoneid")?))?;
    let text = needed("recordname")?;
    let name = Name::from_route53(text).map_err(|error| {
        ApiError::invalid_input(format!("Invalid parameter : {text:?} is no domain name: {error}"))
    })?;
    let text = needed("recordtype")?;
    let record_type = rdata::record_type(text).ok_or_else(|| {
        ApiError::invalid_input(format!("Invalid parameter : recordtype: '{text}' is no record type"))
    })?;
    if !name.is_at_or_below(&zone.apex) {
        return Err(ApiError::invalid_input(format!(
            "Invalid parameter : {name} is not in the hosted zone {}",
            zone.apex
        )));
    }
    let client = client(request)?;

    // Drawn as for any query: nothing is remembered from one to the next.
    let table = api.table.load();
    let question = Question { qname: name.as_wire(), qtype: record_type };
    let mut answer = resolve(&table, &question, client, fastrand::u64(..));
    if let Some((zone, signing)) = table.signed_zone_for(&question) {
        let wanted = Wanted { signatures: false, at: clock::since_1970() };
        answer = dnssec::answer(&table, zone, signing, &question, answer, wanted)?;
    }
    let mut entries: Vec<String> =
        answer.body.answers().map(|(record_type, data)| rdata::to_route53(record_type, &data)).collect();
    let turned = usize::from(answer.rotation).min(entries.len());
    entries.rotate_left(turned);
    let zone = HostedZone::of(&reading, &zone)?;
    let name_server = zone.row.name_servers.first().cloned().unwrap_or_default();
    Ok(Reply::ok(|xml| {
        xml.text("Nameserver", name_server);
        xml.text("RecordName", &name);
        xml.text("RecordType", record_type);
        xml.list("RecordData", &entries, |xml, entry| xml.text("RecordDataEntry", entry));
        xml.text("ResponseCode", response_code(answer.body.rcode));
        xml.text("Protocol", "UDP");
    }))
}

impl From<SigningFailed> for ApiError {
    fn from(error: SigningFailed) -> Self {
        tracing::error!(%error, "a request failed");
        ApiError::internal()
    }
}

/// The client's network: that of the subnet option, else the resolver's address, else this machine's.
fn client(request: &Request) -> Result<Network, ApiError> {
    let address = |name: &str| match request.query(name) {
        None => Ok(None),
        Some(text) => text.parse::<IpAddr>().map(Some).map_err(|_| {
            ApiError::invalid_input(format!("Invalid parameter : {name}: '{text}' is no IP address"))
        }),
    };
    let resolver = address("resolverip")?;
    let subnet = address("edns0clientsubnetip")?;
    let mask = request.query("edns0clientsubnetmask");
    let Some(subnet) = subnet else {
        if mask.is_some() {
            let what = "Invalid parameter : edns0clientsubnetmask needs edns0clientsubnetip";
            return Err(ApiError::invalid_input(what));
        }
        let client = resolver.unwrap_or(Ipv4Addr::LOCALHOST.into());
        return Ok(Network::of_client(client, 128));
    };
    let (default, bits) = if subnet.is_ipv4() { (MASK_V4, 32) } else { (MASK_V6, 128) };
    let length = match mask {
        None => default,
        Some(text) => text.parse::<u8>().ok().filter(|length| *length <= bits).ok_or_else(|| {
            let what = format!("edns0clientsubnetmask must be 0 to {bits}, not '{text}'");
            ApiError::invalid_input(format!("Invalid parameter : {what}"))
        })?,
    };
    // A client that opts out with length 0 is routed by its resolver.
    match (length, resolver) {
        (0, resolver) => Ok(Network::of_client(resolver.unwrap_or(Ipv4Addr::LOCALHOST.into()), 128)),
        (length, _) => Ok(Network::of_client(subnet, length)),
    }
}

/// The mnemonic (RFC 1035 section 4.1.1); answers of a table have no other.
fn response_code(rcode: u8) -> &'static str {
    use pulse53_core::body::rcode::{NOERROR, NXDOMAIN, REFUSED};
    match rcode {
        NOERROR => "NOERROR",
        NXDOMAIN => "NXDOMAIN",
        REFUSED => "REFUSED",
        _ => "SERVFAIL",
    }
}
