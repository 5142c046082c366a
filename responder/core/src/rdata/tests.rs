//! Tests of RDATA text: known bytes, refusals, and round trips over arbitrary data.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

fn hex(wire: &[u8]) -> String {
    domain::utils::base16::encode_string(wire).to_lowercase()
}

fn check(kind: &str, value: &str, wire: &str) {
    let kind = record_type(kind).unwrap();
    let rdata = from_route53(kind, value).unwrap_or_else(|error| panic!("{value}: {error}"));
    assert_eq!(hex(&rdata.0), wire, "{value}");
    let printed = to_route53(kind, &rdata);
    assert_eq!(from_route53(kind, &printed).unwrap(), rdata, "{value} printed as {printed}");
}

fn fault(kind: &str, value: &str) -> RdataFault {
    from_route53(record_type(kind).unwrap(), value).unwrap_err().fault
}

#[test]
fn values_of_every_route_53_type() {
    check("A", "192.0.2.1", "c0000201");
    check("AAAA", "2001:db8::1", "20010db8000000000000000000000001");
    check("CAA", "0 issue \"ca.example\"", "0005697373756563612e6578616d706c65");
    check("CNAME", "a.b", "0161016200");
    check("DS", "1 13 2 abCD", "00010d02abcd");
    check("HTTPS", "1 . alpn=\"h2,h3\" port=443", "000100000100060268320268330003000201bb");
    check("MX", "10 mail.a.", "000a046d61696c016100");
    check(
        "NAPTR",
        "1 2 \"u\" \"E2U+sip\" \"!^.*$!x!\" .",
        "000100020175074532552b73697008215e2e2a2421782100",
    );
    check("NS", "ns1.a", "036e7331016100");
    check("PTR", "www.a", "03777777016100");
    check(
        "SOA",
        "n.a h.a 1 7200 900 1209600 300",
        "016e01610001680161000000000100001c2000000384001275000000012c",
    );
    check("SPF", "\"v=spf1\"", "06763d73706631");
    check("SRV", "1 2 80 s.a", "0001000200500173016100");
    check("SSHFP", "1 2 ab cd", "0102abcd");
    check("SVCB", "0 a.b", "00000161016200");
    check("TLSA", "3 1 1 abcd", "030101abcd");
    check("TXT", "\"a\\141\\\"\\\\\" \"\"", "046161225c00");
}

#[test]
fn bad_values_say_what_is_wrong() {
    assert!(matches!(fault("A", "192.0.2.256"), RdataFault::Ipv4(_)));
    assert!(matches!(fault("A", "192.0.2.01"), RdataFault::Ipv4(_)));
    assert!(matches!(fault("A", ""), RdataFault::Missing("address")));
    assert!(matches!(fault("A", "192.0.2.1 x"), RdataFault::Extra(_)));
    assert!(matches!(fault("AAAA", "192.0.2.1"), RdataFault::Ipv6(_)));
    assert!(matches!(fault("MX", "65536 a"), RdataFault::Number { .. }));
    assert!(matches!(fault("CNAME", "a..b"), RdataFault::Name { .. }));
    assert!(matches!(fault("TXT", "plain"), RdataFault::NotQuoted(_)));
    assert!(matches!(fault("TXT", "\"open"), RdataFault::OpenQuote));
    assert!(matches!(fault("TXT", "\"\\9\""), RdataFault::Escape(..)));
    assert!(matches!(fault("TXT", "\"ü\""), RdataFault::MustEscape(_)));
    assert!(matches!(fault("TXT", &format!("\"{}\"", "x".repeat(256))), RdataFault::StringTooLong(256)));
    assert!(matches!(fault("DS", "1 13 2 abc"), RdataFault::Encoding { .. }));
    assert!(matches!(fault("HTTPS", "1 . port=1 port=2"), RdataFault::Parameter(..)));
    assert!(matches!(fault("HTTPS", "1 . mandatory=port"), RdataFault::Parameter(..)));
    assert!(matches!(fault("TYPE65280", "x"), RdataFault::NoTextForm(_)));
    assert!(matches!(fault("TXT", "\\# 0"), RdataFault::NotQuoted(_)));
    assert!(matches!(fault("A", "\"192.0.2.1\""), RdataFault::Quoted("address")));
    assert!(matches!(fault("CNAME", "a\\\\b"), RdataFault::Name { .. }));
    assert!(matches!(fault("CNAME", "a b"), RdataFault::Extra(_)));
    let error = from_route53(RecordType::MX, "10 a..b").unwrap_err();
    assert_eq!((error.line, error.column), (1, 4));
}

#[test]
fn canonical_folds_names_only() {
    let mx = from_route53(RecordType::MX, "10 Mail.EXAMPLE").unwrap();
    assert_eq!(*canonical(RecordType::MX, &mx), *from_route53(RecordType::MX, "10 mail.example").unwrap().0);
    assert_eq!(to_route53(RecordType::MX, &mx), "10 Mail.EXAMPLE.");
    let txt = from_route53(RecordType::TXT, "\"ABC\"").unwrap();
    assert_eq!(*canonical(RecordType::TXT, &txt), *txt.0);
}

#[test]
fn names_are_printed_with_octal_escapes() {
    let rdata = from_route53(RecordType::CNAME, "\\052.a\\056b.example").unwrap();
    assert_eq!(to_route53(RecordType::CNAME, &rdata), "\\052.a\\056b.example.");
    assert_eq!(to_master_file(RecordType::CNAME, &rdata), "\\042.a\\046b.example.");
}

/// Every type with a layout.
static KNOWN_TYPES: LazyLock<Vec<RecordType>> = LazyLock::new(|| {
    (0..=u16::MAX).map(RecordType::from_int).filter(|kind| layout::layout(*kind).is_some()).collect()
});

fn read_master(kind: RecordType, text: &str) -> Option<Vec<u8>> {
    // No type's text needs what only whole files have, so the splitter for values serves here, too.
    let tokens = token::split_value(text).ok()?;
    let mut wire = Vec::new();
    read(kind, &tokens, Dialect::MasterFile, &[0], &mut wire).ok()?;
    Some(wire)
}

proptest! {
    #[test]
    fn any_octets_survive_master_file_text(wire in prop::collection::vec(any::<u8>(), 0..40), pick in any::<prop::sample::Index>()) {
        let kind = KNOWN_TYPES[pick.index(KNOWN_TYPES.len())];
        let rdata = Rdata(wire.into());
        let text = to_master_file(kind, &rdata);
        if is_well_formed(kind, &rdata.0) {
            let back = read_master(kind, &text);
            // Bitmaps with idle trailing octets have one shortest form.
            if kind != RecordType::NSEC && kind != RecordType::CSYNC && kind != RecordType::NSEC3 {
                prop_assert_eq!(back.as_deref(), Some(&*rdata.0), "{} {}", kind, text);
            }
        } else {
            prop_assert!(text.starts_with("\\#"));
        }
    }

    #[test]
    fn character_strings_survive_both_texts(strings in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..255), 1..4)) {
        let mut wire = Vec::new();
        for string in &strings {
            wire.push(string.len() as u8);
            wire.extend_from_slice(string);
        }
        let rdata = Rdata(wire.into());
        prop_assert_eq!(&from_route53(RecordType::TXT, &to_route53(RecordType::TXT, &rdata)).unwrap(), &rdata);
        let master = read_master(RecordType::TXT, &to_master_file(RecordType::TXT, &rdata));
        prop_assert_eq!(master.as_deref(), Some(&*rdata.0));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}", words in "[0-9a-zA-Z=,:.\"\\\\ -]{0,60}", pick in any::<prop::sample::Index>()) {
        let kind = KNOWN_TYPES[pick.index(KNOWN_TYPES.len())];
        for text in [text, words] {
            if let Ok(rdata) = from_route53(kind, &text) {
                prop_assert!(is_well_formed(kind, &rdata.0), "{} {:?} {:?}", kind, text, rdata);
            }
            let _ = read_master(kind, &text);
        }
    }

    #[test]
    fn names_survive_text(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) {
        let mut wire = Vec::new();
        for label in &labels {
            wire.push(label.len() as u8);
            wire.extend_from_slice(label);
        }
        wire.push(0);
        let name = Name::from_wire(&wire).unwrap();
        prop_assert_eq!(Name::from_route53(&name.to_string()).unwrap(), name);
        let rdata = Rdata(wire.into());
        prop_assert_eq!(&from_route53(RecordType::PTR, &to_route53(RecordType::PTR, &rdata)).unwrap(), &rdata);
    }
}
