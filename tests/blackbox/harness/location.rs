//! What is known of a case's client, as the files an operator would have: a location database and a latency table.

#[path = "../../../responder/src/geo/mmdb_writer.rs"]
#[expect(dead_code, reason = "the tests of the format itself use more of it")]
mod mmdb_writer;

use pulse53_tests::cases::CaseClient;

use super::place::Place;
use mmdb_writer::{Value, Writer};

/// Writes what is known of a client into files whose names begin so, and returns the section that names them.
pub fn write(place: &Place, name: &str, client: &CaseClient) -> String {
    let mut section = String::from("[geo]\n");
    if let Some(record) = record(client) {
        let mut writer = Writer::new(6);
        writer.insert(&client.network().to_string(), &record);
        let file = format!("{name}.mmdb");
        place.write(&file, writer.finish("Test-City"));
        section += &format!("database = {file:?}\n");
    }
    if !client.latency_ms.is_empty() {
        let network = client.network();
        let row = |(region, ms): (&String, &f64)| format!("{network},{region},{ms}\n");
        let rows: String = client.latency_ms.iter().map(row).collect();
        let file = format!("{name}.csv");
        place.write(&file, format!("network,region,latency_ms\n{rows}"));
        section += &format!("latency = {file:?}\n");
    }
    section
}

/// A record of a city database, if there is anything to put into one.
fn record(client: &CaseClient) -> Option<Value> {
    // The writer takes texts that live for ever; a few dozen of two letters do no harm.
    let code = |key, code: &Option<String>| {
        let text: &'static str = code.clone()?.leak();
        Some(Value::Map(vec![(key, Value::Text(text))]))
    };
    let coordinates = client.lat.zip(client.lon).map(|(lat, lon)| {
        Value::Map(vec![("latitude", Value::Double(lat)), ("longitude", Value::Double(lon))])
    });
    let parts: Vec<_> = [
        ("country", code("iso_code", &client.country)),
        ("subdivisions", code("iso_code", &client.subdivision).map(|part| Value::Array(vec![part]))),
        ("continent", code("code", &client.continent)),
        ("location", coordinates),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value?)))
    .collect();
    (!parts.is_empty()).then_some(Value::Map(parts))
}
