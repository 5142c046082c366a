//! Databases and tables on disk, as operators have them, read and asked.

use std::path::{Path, PathBuf};

use pulse53_core::geo::{CidrCollections, Client, GeoDb, Location, Network};
use tempfile::TempDir;

use super::load;
use super::mmdb_writer::{Value, Writer};

fn city(country: &'static str, state: &'static str, continent: &'static str, at: (f64, f64)) -> Value {
    use Value::{Array, Double, Map, Text};
    let name = || ("names", Map(vec![("en", Text("a name that is longer than twenty-eight characters"))]));
    Map(vec![
        ("city", Map(vec![name()])),
        ("continent", Map(vec![("code", Text(continent)), name()])),
        ("country", Map(vec![name(), ("iso_code", Text(country)), ("geoname_id", Value::Unsigned32(7))])),
        ("location", Map(vec![("latitude", Double(at.0)), ("longitude", Double(at.1))])),
        (
            "subdivisions",
            Array(vec![Map(vec![("iso_code", Text(state))]), Map(vec![("iso_code", Text("XX"))])]),
        ),
    ])
}

fn country(code: &'static str) -> Value {
    Value::Map(vec![("country", Value::Map(vec![("iso_code", Value::Text(code))]))])
}

fn file(name: &str, octets: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, octets).unwrap();
    (directory, path)
}

fn database(octets: Vec<u8>) -> Result<GeoDb, String> {
    let (_directory, path) = file("city.mmdb", octets);
    told(&path, load(Some(&path), None, []))
}

fn latencies(text: impl AsRef<[u8]>) -> Result<GeoDb, String> {
    let (_directory, path) = file("latency.csv", text);
    told(&path, load(None, Some(&path), []))
}

/// Problems a line each, without the directory.
fn told(path: &Path, loaded: Result<GeoDb, Vec<pulse53_core::model::Problem>>) -> Result<GeoDb, String> {
    let directory = format!("{}/", path.parent().unwrap().display());
    loaded.map_err(|problems| {
        let lines: Vec<String> =
            problems.iter().map(|problem| problem.to_string().replace(&directory, "")).collect();
        lines.join("\n")
    })
}

/// `country/subdivision continent latitude,longitude`
fn place(geo: &GeoDb, address: &str) -> String {
    let location: &Location = geo.location(address.parse().unwrap());
    let code = |code: Option<[u8; 2]>| {
        code.map_or_else(|| "--".to_owned(), |code| String::from_utf8(code.to_vec()).unwrap())
    };
    let state = location.subdivision().map_or("--", |state| state);
    let at = location.coordinates().map(|at| format!(" {},{}", at.latitude(), at.longitude()));
    let (country, continent) = (code(location.country()), code(location.continent()));
    format!("{country}/{state} {continent}{}", at.unwrap_or_default())
}

#[test]
fn nothing_configured_is_nothing_known() {
    assert_eq!(place(&load(None, None, []).unwrap(), "192.0.2.0"), "--/-- --");
}

#[test]
fn both_families_of_one_tree_are_read_once() {
    let mut writer = Writer::new(6);
    writer
        .insert("10.0.0.0/8", &city("US", "CA", "NA", (37.5, -122.25)))
        .insert("10.1.0.0/16", &city("TR", "34", "AS", (41.0, 29.0)))
        .insert("10.1.2.0/26", &country("fr"))
        .insert("10.1.3.128/25", &country("DE"))
        .insert("2001:db8::/32", &city("JP", "13", "AS", (35.5, 139.5)))
        .insert("2001:db8:1::/48", &country("EH"))
        .alias("2002::/16", "0.0.0.0/0")
        .alias("::ffff:0:0/96", "0.0.0.0/0");
    let geo = database(writer.finish("Test-City")).unwrap();
    let check = |address: &str, expect: &str| assert_eq!(place(&geo, address), expect, "{address}");
    check("10.200.0.0", "US/CA NA 37.5,-122.25");
    check("10.1.0.0", "TR/34 EU 41,29");
    check("10.1.2.0", "FR/-- EU");
    check("10.1.3.0", "TR/34 EU 41,29");
    check("11.0.0.0", "--/-- --");
    check("2001:db8:2::", "JP/13 AS 35.5,139.5");
    check("2001:db8:1::", "EH/-- --");
    check("2001:db9::", "--/-- --");
    // The other ways to IPv4 in the tree are no clients of their own.
    check("2002:a01::", "--/-- --");
}

#[test]
fn a_tree_of_ipv4_alone_is_read() {
    let mut writer = Writer::new(4);
    writer.insert("128.0.0.0/1", &country("BR"));
    let geo = database(writer.finish("Test-Country")).unwrap();
    assert_eq!(place(&geo, "255.0.0.0"), "BR/-- SA");
    assert_eq!(place(&geo, "1.0.0.0"), "--/-- --");
    assert_eq!(place(&geo, "8000::"), "--/-- --");
}

/// A tree of IPv6 may say something of all IPv4 at once, above where IPv4 has its branch.
#[test]
fn a_record_above_ipv4_holds_for_all_of_it() {
    let mut writer = Writer::new(6);
    writer.insert("::/1", &country("BR"));
    let geo = database(writer.finish("Test-Country")).unwrap();
    assert_eq!(place(&geo, "192.0.2.0"), "BR/-- SA");
    assert_eq!(place(&geo, "2001:db8::"), "BR/-- SA");
    assert_eq!(place(&geo, "8000::"), "--/-- --");
}

#[test]
fn missing_and_senseless_parts_are_unknown() {
    let mut writer = Writer::new(4);
    let location = |fields| Value::Map(vec![("location", Value::Map(fields))]);
    writer
        .insert("1.0.0.0/8", &Value::Map(Vec::new()))
        .insert("2.0.0.0/8", &location(vec![("latitude", Value::Double(3.0))]))
        .insert("3.0.0.0/8", &city("USA", "", "EUROPE", (91.0, 0.0)))
        .insert("4.0.0.0/8", &Value::Map(vec![("subdivisions", Value::Array(Vec::new()))]))
        .insert("5.0.0.0/8", &Value::Map(vec![("continent", Value::Map(vec![("code", Value::Text("AF"))]))]));
    let geo = database(writer.finish("Test")).unwrap();
    for octet in 1..=4 {
        assert_eq!(place(&geo, &format!("{octet}.0.0.0")), "--/-- --");
    }
    assert_eq!(place(&geo, "5.0.0.0"), "--/-- AF");
}

#[test]
fn unusable_databases_say_what_to_do() {
    let error = |octets: Vec<u8>| database(octets).unwrap_err();
    let check = |octets: Vec<u8>, start: &str, end: &str| {
        let error = error(octets);
        assert!(error.starts_with(start) && error.ends_with(end), "{error}");
    };
    let format = "[geo] database wants a file in MaxMind DB format (.mmdb)";
    check(b"network,country\n".to_vec(), "city.mmdb:1:1: not a usable location database: ", format);
    check(Vec::new(), "city.mmdb:1:1: not a usable location database: ", format);

    let mut owners = Writer::new(4);
    owners.insert("1.0.0.0/8", &Value::Map(vec![("autonomous_system_number", Value::Unsigned32(1))]));
    let places = "city.mmdb:1:1: the database type is Test-ASN and no network in it has a place; \
        use a city or country database";
    assert_eq!(error(owners.finish("Test-ASN")), places);

    let mut odd = Writer::new(4);
    odd.insert("1.0.0.0/8", &Value::Map(vec![("country", Value::Text("DE"))]));
    check(odd.finish("Odd"), "city.mmdb:1:1: the record of 1.0.0.0/8 is not", "download the file again");

    let missing = load(Some(Path::new("no/such.mmdb")), Some(Path::new("no/such.csv")), []).unwrap_err();
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let [database, latency] = &missing[..] else { panic!("{missing:?}") };
    assert!(database.starts_with("no/such.mmdb:1:1: cannot read the location database: "), "{database}");
    assert!(latency.starts_with("no/such.csv:1:1: cannot read the latency table: "), "{latency}");
}

#[test]
fn rows_of_the_table_are_latencies() {
    let geo = latencies(
        "\u{feff}network,region,latency_ms\r\n10.0.0.0/8,eu-west-1,23.5\r\n10.1.0.0/16,eu-west-1,0\n\
         10.0.0.0/8,\"rack 7, left\",7\n\n2001:db8::/32,eu-west-1,.5\n",
    )
    .unwrap();
    let ms = |network: &str, region: &str| {
        let network: Network = network.parse().unwrap();
        Client::at(&geo, &CidrCollections::new(), network).measured_latency(region).map(|found| found.as_ms())
    };
    assert_eq!(ms("10.2.0.0/24", "eu-west-1"), Some(23.5));
    assert_eq!(ms("10.1.0.0/24", "eu-west-1"), Some(0.0));
    assert_eq!(ms("10.1.0.0/24", "rack 7, left"), Some(7.0));
    assert_eq!(ms("2001:db8:7::/48", "eu-west-1"), Some(0.5));
    assert_eq!(ms("11.0.0.0/24", "eu-west-1"), None);
}

#[test]
fn every_bad_row_is_told() {
    let error = latencies(
        "network,region,latency_ms\n\
         10.0.0.0/33,eu-west-1,23.5\n\
         10.0.0.0,,-1\n\
         10.0.0.0/8,eu-west-1\n\
         10.0.0.0/8, eu-west-1,1\n\
         10.0.0.0/8,eu-west-1,1e3\n\
         10.0.0.0/8,eu-west-1,1\n\
         10.9.9.9/8,eu-west-1,2\n",
    );
    let expect = "\
latency.csv:2:1: network `10.0.0.0/33`: the length must be 0 to 32 for IPv4, 0 to 128 for IPv6
latency.csv:3:1: network `10.0.0.0`: not an address, a slash and a length such as 198.51.100.0/24
latency.csv:3:10: the region must have 1 to 64 characters, not 0
latency.csv:3:11: latency_ms `-1`: write milliseconds as a number from 0, such as 23.5
latency.csv:4:1: 2 instead of 3 fields: a line is network,region,latency_ms, as in 198.51.100.0/24,eu-west-1,23.5
latency.csv:5:12: region ` eu-west-1`: remove the space around it
latency.csv:6:22: latency_ms `1e3`: write milliseconds as a number from 0, such as 23.5
latency.csv:8:1: line 7 already gives 10.0.0.0/8 a latency to eu-west-1: remove one of them";
    assert_eq!(error.unwrap_err(), expect);
}

#[test]
fn the_header_is_asked_for() {
    let error = |text: &[u8]| latencies(text).unwrap_err();
    assert_eq!(
        error(b""),
        "latency.csv:1:1: the file is empty: its first line must be network,region,latency_ms"
    );
    assert_eq!(
        error(b"network;region;latency_ms\n"),
        "latency.csv:1:1: the first line must be network,region,latency_ms"
    );
    let latin = b"network,region,latency_ms\n10.0.0.0/8,\xe9,1\n10.0.0.0/8,e,x\n";
    assert_eq!(
        error(latin),
        "latency.csv:2:1: not UTF-8: save the file as UTF-8 text\n\
         latency.csv:3:14: latency_ms `x`: write milliseconds as a number from 0, such as 23.5"
    );
}

#[test]
fn a_flood_of_problems_is_cut() {
    let error = latencies(format!("network,region,latency_ms\n{}", "x\n".repeat(1000))).unwrap_err();
    assert_eq!(error.lines().count(), 101);
    assert!(error.ends_with("more than the 100 problems above: mend these first"), "{error}");
}
