//! Tests of the master-file reader.

use proptest::prelude::*;

use super::*;

fn apex() -> Name {
    Name::from_route53("example.com").unwrap()
}

fn read_text(text: &str) -> ZoneFile {
    read("zones/example.com.zone", text.as_bytes(), &apex(), &mut |path| Err(format!("no {path}")))
}

/// `owner ttl type hex` of each record.
fn lines(zone: &ZoneFile) -> Vec<String> {
    assert!(zone.findings.errors.is_empty(), "{}", zone.findings);
    let hex = |rdata: &Rdata| domain::utils::base16::encode_string(&rdata.0).to_lowercase();
    zone.records
        .iter()
        .map(|record| {
            format!("{} {} {} {}", record.owner, record.ttl.0, record.record_type, hex(&record.rdata))
        })
        .collect()
}

fn errors(text: &str) -> Vec<String> {
    read_text(text).findings.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn syntax() {
    let zone = read_text(
        "\u{feff}; a comment\n\
         $TTL 1h30m\n\
         @ IN SOA ns1 host\\.master ( 1 ; serial\n\
         \t2h 15m 2w 5m )\n\
         \tNS ns1\n\
         \t60 IN NS ns2.example.net.\n\
         ns1 A 192.0.2.1\n\
         WWW IN 30 CNAME @\n\
         $ORIGIN sub\n\
         a\\046b TXT unquoted \"two words; (still)\" \"\\\"\\200\"\n\
         * A 192.0.2.2\r\n\
         x CLASS1 TYPE65280 \\# 3 ab cdef\n\
         x TYPE1 \\# 4 c0000203\n\
         \\100ollar CLASS1 5 A 192.0.2.4",
    );
    assert_eq!(
        lines(&zone),
        [
            "example.com. 5400 SOA 036e7331076578616d706c6503636f6d000b686f73742e6d6173746572076578616d706c6503636f6d0000000001\
             00001c2000000384001275000000012c",
            "example.com. 5400 NS 036e7331076578616d706c6503636f6d00",
            "example.com. 60 NS 036e7332076578616d706c65036e657400",
            "ns1.example.com. 5400 A c0000201",
            "www.example.com. 30 CNAME 076578616d706c6503636f6d00",
            "a\\056b.sub.example.com. 5400 TXT 08756e71756f7465641274776f20776f7264733b20287374696c6c290222c8",
            "\\052.sub.example.com. 5400 A c0000202",
            "x.sub.example.com. 5400 TYPE65280 abcdef",
            "x.sub.example.com. 5400 A c0000203",
            "dollar.sub.example.com. 5 A c0000204",
        ]
    );
    let last = &zone.records[9].source;
    assert_eq!(last.to_string(), "zones/example.com.zone:14:1");
}

/// Every common type, against bytes written down by hand.
#[test]
fn types() {
    let check = |data: &str, wire: &str| {
        let zone = read_text(&format!("@ 1 {data}\n"));
        let line = lines(&zone).remove(0);
        let hex = line.rsplit(' ').next().unwrap();
        assert_eq!(hex, wire.replace(' ', ""), "{data}");
        let record = &zone.records[0];
        let printed = crate::rdata::to_master_file(record.record_type, &record.rdata);
        let again = read_text(&format!("@ 1 {} {printed}\n", record.record_type));
        assert_eq!(again.records[0].rdata, record.rdata, "{data} printed as {printed}");
    };
    check("A 192.0.2.1", "c0000201");
    check("AAAA 2001:db8::1", "20010db8 00000000 00000000 00000001");
    check("AFSDB 1 a.", "0001 016100");
    check("CAA 128 issue \"a;b\"", "80 05 6973737565 613b62");
    check("CDNSKEY 0 3 0 AA==", "0000 03 00 00");
    check("CDS 0 0 0 00", "0000 00 00 00");
    check("CERT PGP 0 0 AQID", "0003 0000 00 010203");
    check("CSYNC 66 3 A NS AAAA", "00000042 0003 00 04 60000008");
    check("DHCID AQID", "010203");
    check("DNAME a.", "016100");
    check("DNSKEY 257 3 ECDSAP256SHA256 AQ ID", "0101 03 0d 010203");
    check("DS 60485 5 1 2BB1 83AF", "ec45 05 01 2bb183af");
    check("EUI48 00-00-5e-00-53-2a", "00005e00532a");
    check("EUI64 00-00-5e-ef-10-00-00-2a", "00005eef1000002a");
    check("GPOS -32.6882 116.8652 10.0", "08 2d33322e36383832 08 3131362e38363532 04 31302e30");
    check("HINFO \"PC\" Linux", "02 5043 05 4c696e7578");
    check("HTTPS 0 a.", "0000 016100");
    check(
        "HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1",
        "0001 00 0001 0006 026832026833 0004 0008 c0000201c0000202 0006 0010 20010db8000000000000000000000001",
    );
    check("KX 10 a.", "000a 016100");
    check("L32 10 192.0.2.1", "000a c0000201");
    check("L64 10 2001:0db8:1140:1000", "000a 20010db811401000");
    check(
        "LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m",
        "00 00 16 13 8b3cf018 810cbce0 009895b8",
    );
    check("LP 10 a.", "000a 016100");
    check("MX 10 a.b.", "000a 0161016200");
    check("NAPTR 100 50 \"s\" \"z\" \"\" a.", "0064 0032 0173 017a 00 016100");
    check("NID 10 0014:4fff:ff20:ee64", "000a 00144fffff20ee64");
    check("NS a.", "016100");
    check(
        "NSEC a. A MX RRSIG NSEC TYPE1234",
        "016100 0006400100000003 041b 000000000000000000000000000000000000000000000000000020",
    );
    check(
        "NSEC3 1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG",
        "01 01 000c 04aabbccdd 14 17f3df17b2b2adaef615257de4d2020b80ac6c7c 0006400000000002",
    );
    check("NSEC3PARAM 1 0 0 -", "01 00 0000 00");
    check("OPENPGPKEY AQID", "010203");
    check("PTR a.", "016100");
    check("PX 10 a. b.", "000a 016100 016200");
    check("RP a. b.", "016100 016200");
    check(
        "RRSIG A 5 3 86400 20030322173103 20030220173103 2642 example.com. AQID",
        "0001 05 03 00015180 3e7c9dd7 3e5510d7 0a52 076578616d706c6503636f6d00 010203",
    );
    check("SMIMEA 3 0 0 01", "03 00 00 01");
    check("SPF \"v=spf1 -all\"", "0b 763d73706631202d616c6c");
    check("SRV 1 2 443 a.", "0001 0002 01bb 016100");
    check("SSHFP 4 2 0102", "04 02 0102");
    check(
        "SVCB 1 a. mandatory=alpn alpn=\"h2\" port=\"53\" key667=hello",
        "0001 016100 0000 0002 0001 0001 0003 026832 0003 0002 0035 029b 0005 68656c6c6f",
    );
    check("SVCB 16 a. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"", "0010 016100 0001 000c 08 665c6f6f2c626172 02 6832");
    check("TLSA 3 1 1 0102", "03 01 01 0102");
    check("TXT \"a\" b", "0161 0162");
    check("URI 10 1 \"ftp://a/\"", "000a 0001 6674703a2f2f612f");
    check("X25 311061700956", "0c 333131303631373030393536");
    check("ISDN 150862028003217 004", "0f 313530383632303238303033323137 03 303034");
    check("ZONEMD 1 1 1 0102", "00000001 01 01 0102");
}

#[test]
fn every_error_is_reported_with_its_place() {
    let found = errors(
        "$TTL 60\n\
         www A 192.0.2.300\n\
         www MX 10\n\
         www A 192.0.2.1\n\
         www NOSUCH x\n\
         www CH TXT \"x\"\n\
         www TXT \"open\n\
         www A ( 192.0.2.1 ) )\n\
         www.example.org. A 192.0.2.1\n\
         $GENERATE 1-2 a A 192.0.2.$\n\
         $TTL forever\n\
         a..b A 192.0.2.1\n\
         \tA 192.0.2.1\n\
         www TXT (\n",
    );
    let places: Vec<&str> = found.iter().filter_map(|error| error.split(": ").next()).collect();
    let place = |position: &str| format!("zones/example.com.zone:{position}");
    assert_eq!(
        places,
        ["2:7", "3:10", "5:5", "6:5", "7:9", "8:21", "9:1", "10:1", "11:6", "12:1", "13:2", "14:9"]
            .map(place)
    );
    assert!(found[6].ends_with("(R-13)"), "{}", found[6]);
}

#[test]
fn a_ttl_comes_from_somewhere() {
    assert_eq!(
        errors("a A 192.0.2.1\n"),
        ["zones/example.com.zone:1:1: the record has no TTL; write one, or $TTL above it"]
    );
    let zone = read_text("@ SOA a. b. 1 2 3 4 5\na A 192.0.2.1\nb 7 A 192.0.2.1\nc A 192.0.2.1\n");
    let ttls: Vec<u32> = zone.records.iter().map(|record| record.ttl.0).collect();
    assert_eq!(ttls, [5, 5, 7, 7]);
}

#[test]
fn includes_stay_inside_and_end() {
    let mut include = |path: &str| match path {
        "hosts/a.inc" => {
            Ok(b"$TTL 5\n$ORIGIN inner\nx A 192.0.2.1\n$INCLUDE loop.inc\n$INCLUDE b.inc".to_vec())
        }
        "b.inc" => Ok(b"broken".to_vec()),
        "loop.inc" => Ok(b"$INCLUDE loop.inc\n".to_vec()),
        _ => Err("no such file".to_owned()),
    };
    let text = "$TTL 60\n$INCLUDE hosts/a.inc sub\ny A 192.0.2.2\n\
                $INCLUDE /etc/passwd\n$INCLUDE ../x\n$INCLUDE a/../../x\n$INCLUDE gone\n";
    let zone = read("zones/z", text.as_bytes(), &apex(), &mut include);
    let records: Vec<String> =
        zone.records.iter().map(|record| format!("{} {}", record.owner, record.ttl.0)).collect();
    assert_eq!(records, ["x.inner.sub.example.com. 5", "y.example.com. 60"]);
    let places: Vec<String> =
        zone.findings.errors.iter().map(|error| error.source.as_ref().unwrap().to_string()).collect();
    assert_eq!(
        places,
        [
            "zones/loop.inc:1:10",
            "zones/b.inc:1:1",
            "zones/z:4:10",
            "zones/z:5:10",
            "zones/z:6:10",
            "zones/z:7:10"
        ]
    );
}

#[test]
fn include_depth_is_bounded() {
    let mut count = 0;
    let mut include = |_: &str| {
        count += 1;
        Ok(format!("$INCLUDE {count}\n$INCLUDE x{count}\n").into_bytes())
    };
    let zone = read("z", b"$INCLUDE 0", &apex(), &mut include);
    assert!(!zone.findings.errors.is_empty());
    assert!(count <= INCLUDES_MAX);
}

#[test]
fn a_file_of_garbage_ends_early() {
    assert_eq!(errors(&"x\n".repeat(5000)).len(), ERRORS_MAX + 1);
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        read("z", &octets, &apex(), &mut |_| Err(String::new()));
    }

    #[test]
    fn any_words_are_read_or_refused(
        words in prop::collection::vec("[a-c.@*\\\\\"();$#=0-9 \t\n-]{1,6}|TXT|A|MX|SOA|IN|SVCB|LOC|NAPTR|NSEC3|RRSIG|\\$TTL|\\$ORIGIN|192.0.2.1|\n", 0..40)
    ) {
        let text = words.join(" ");
        let zone = read_text(&text);
        for record in &zone.records {
            prop_assert!(crate::rdata::is_well_formed(record.record_type, &record.rdata.0));
        }
    }
}
