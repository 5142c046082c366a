//! What lies exactly at a limit, and one step beyond it: names, bodies, message sizes, headers.

use std::collections::BTreeSet;

use pulse53_abi::limits::{BODY_LARGE, BODY_SMALL, OPTIONS_MAX, UDP_PAYLOAD_MAX};
use pulse53_tests::engines::{Engines, SERVED};
use pulse53_tests::frame::{Opt, Query, QueryFrame};
use pulse53_tests::reply::Reply;

const APEX: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n";

const A: u16 = 1;
const NS: u16 = 2;
const TXT: u16 = 16;
const AAAA: u16 = 28;

/// Octets of header, question but its name, and OPT.
const AROUND: usize = 12 + 4 + 11;

fn over_v4(query: &Query) -> QueryFrame {
    QueryFrame::new("198.51.100.1:4242".parse().unwrap(), SERVED[0].parse().unwrap(), query.octets())
}

fn over_v6(query: &Query) -> QueryFrame {
    QueryFrame::new("[2001:db8::9]:4242".parse().unwrap(), SERVED[1].parse().unwrap(), query.octets())
}

fn edns(size: u16) -> Opt {
    Opt { size, ..Opt::default() }
}

/// Labels of letters, of so many octets in wire form with the root label; two octets are not possible.
fn labels(wire_len: usize) -> Vec<String> {
    let mut left = wire_len - 1;
    let mut labels = Vec::new();
    while left > 0 {
        // No rest of one octet, which could not be a label.
        let length = if left == 65 { 62 } else { left.min(64) - 1 };
        labels.push((0..length).map(|at| char::from(b'a' + ((wire_len + left + at) % 26) as u8)).collect());
        left -= 1 + length;
    }
    labels
}

#[test]
fn names_of_every_length_are_found_in_any_case() {
    let lengths = || 3..=255;
    let zone: String =
        lengths().map(|length| format!("{}. A 192.0.2.{}\n", labels(length).join("."), length)).collect();
    let Some(mut engines) = Engines::new(".", &format!("{APEX}{zone}"), "") else { return };
    let root = engines.agree(&over_v4(&Query::new(".", NS)));
    assert!(root.in_kernel, "the root is a name, too");
    for length in lengths() {
        let mut query = Query::new(&labels(length).join("."), A);
        assert_eq!(query.name.len(), length);
        let mixed = query.name.iter().enumerate();
        query.name =
            mixed.map(|(at, octet)| if at % 3 == 0 { octet.to_ascii_uppercase() } else { *octet }).collect();
        for frame in [over_v4(&query), over_v6(&query)] {
            let agreed = engines.agree(&frame);
            assert!(agreed.in_kernel, "{length}");
            let reply = Reply::read(&agreed.message.expect("it is answered"));
            assert_eq!(reply.answer.expect("an address").rdatas[0].0[3], length as u8);
        }
        // Another octet anywhere is another name; the last words are compared apart from the first.
        for at in [1, length / 2, length - 2] {
            let mut other = query.clone();
            if other.name[at] >= 64 {
                other.name[at] = b'_';
                let agreed = engines.agree(&over_v4(&other));
                assert!(agreed.in_kernel, "{length} {at}");
                assert_eq!(Reply::read(&agreed.message.expect("a reply")).rcode, 3, "{length} {at}");
            }
        }
    }
}

#[test]
fn a_zero_octet_ends_no_label() {
    // `www`, and a label of six octets whose fourth is zero; the kernel takes a name to end at its first zero octet.
    let zone = "w\\000w A 192.0.2.2\nwww A 192.0.2.1\n";
    let Some(mut engines) = Engines::new(".", &format!("{APEX}{zone}"), "") else { return };
    for (name, in_kernel) in [
        (&b"\x03www\x00"[..], true),
        (b"\x03w\x00w\x00", false),
        (b"\x06www\x00ww\x00", false),
        (b"\x04www\x00\x00", false),
        (b"\x02ww\x00", true),
        // A label that claims more than there is: not even a name.
        (b"\x05www\x00", false),
    ] {
        for query in [Query::of_wire(name, A), Query::of_wire(name, A).with_edns(edns(1232))] {
            assert_eq!(engines.agree(&over_v4(&query)).in_kernel, in_kernel, "{name:?}");
        }
    }
}

/// A TXT record of so many octets, counted from its owner's pointer.
fn txt(octets: usize) -> String {
    let mut left = octets - 12;
    let mut strings = Vec::new();
    while left > 0 {
        let length = left.min(256) - 1;
        strings.push(format!("\"{}\"", "x".repeat(length)));
        left -= 1 + length;
    }
    strings.join(" ")
}

#[test]
fn bodies_of_every_class_are_answered_up_to_the_client_s_size() {
    // Around the limits of records in a slot and of each class of body, and up to the largest message there can be.
    let largest = usize::from(UDP_PAYLOAD_MAX) - AROUND - 6;
    let lengths: Vec<usize> = [13, 14, 63, 64, 65, 66, 239, 240, 241, 242, 495, 496, 497, 498]
        .into_iter()
        .chain(470..=490)
        .chain(largest - 9..=BODY_LARGE + 1)
        .collect();
    let lengths = lengths.into_iter().collect::<BTreeSet<_>>();
    let zone: String = lengths.iter().map(|length| format!("{length:04} TXT {}\n", txt(*length))).collect();
    let Some(mut engines) = Engines::new(".", &format!("{APEX}{zone}"), "") else { return };
    for length in lengths {
        let query = Query::new(&format!("{length:04}"), TXT);
        let mut answered = |query: &Query, max: usize, message: usize| {
            for frame in [over_v4(query), over_v6(query)] {
                let agreed = engines.agree(&frame);
                let fits = message <= max;
                assert_eq!(agreed.in_kernel, fits, "{message} octets for {max}");
                let reply = agreed.message.expect("it is answered");
                assert_eq!(Reply::read(&reply).truncated, !fits, "{message} octets for {max}");
                assert!(!fits || reply.len() == message, "{message} octets, not {}", reply.len());
            }
        };
        let message = AROUND + query.name.len() + length;
        answered(&query, 512, message - 11);
        for size in [0, 511, 512, 513, message - 1, message, message + 1, 1231, 1232, 1233, 4096, 65535] {
            let max = size.clamp(512, usize::from(UDP_PAYLOAD_MAX));
            answered(&query.clone().with_edns(edns(size as u16)), max, message);
        }
    }
}

#[test]
fn options_shrink_the_frame_or_are_left_to_userspace() {
    let Some(mut engines) = Engines::new("example.com", &format!("{APEX}www A 192.0.2.1\n"), "") else {
        return;
    };
    let mut in_kernel = |options: Vec<(u16, Vec<u8>)>, dnssec_ok| {
        let opt = Opt { size: 1232, dnssec_ok, options };
        let query = Query::new("www.example.com", A).with_edns(opt);
        let [v4, v6] = [over_v4(&query), over_v6(&query)].map(|frame| engines.agree(&frame).in_kernel);
        assert_eq!(v4, v6);
        v4
    };
    for length in [0, 1, 2, 3, 15, 16, 17, 27, 28, 29, 200, 800] {
        for dnssec_ok in [false, true] {
            assert!(in_kernel(vec![(12, vec![0; length])], dnssec_ok), "{length} octets of padding");
        }
    }
    for count in 0..=OPTIONS_MAX as usize + 1 {
        let whole = count <= OPTIONS_MAX as usize;
        assert_eq!(in_kernel(vec![(65001, vec![1, 2, 3]); count], false), whole, "{count} options");
    }
    // NSID and cookies that nobody answers are options like others, wherever they stand.
    for (code, data) in [(3, vec![]), (10, vec![1; 8])] {
        for before in 0..OPTIONS_MAX as usize {
            let options = [vec![(65001, vec![0; 8]); before], vec![(code, data.clone())]].concat();
            assert!(in_kernel(options, false), "option {code} behind {before}");
        }
    }
}

#[test]
fn up_to_two_vlan_tags_and_padding_are_no_obstacle() {
    let Some(mut engines) = Engines::new(".", &format!("{APEX}www A 192.0.2.1\n"), "") else { return };
    for query in [Query::new(".", NS), Query::new("www", A), Query::new("www", A).with_edns(edns(1232))] {
        for frame in [over_v4(&query), over_v6(&query)] {
            for (vlans, served) in [(&[][..], true), (&[7], true), (&[7, 8], true), (&[7, 8, 9], false)] {
                let octets = frame.clone().in_vlans(vlans).octets();
                for padded in [octets.len(), 60, 64, octets.len() + 1, octets.len() + 7, 512] {
                    let mut octets = octets.clone();
                    octets.resize(padded.max(octets.len()), 0xee);
                    assert_eq!(engines.agree_on_octets(&octets), served, "{vlans:?} {padded}");
                }
            }
        }
    }
}

#[test]
fn what_is_no_plain_query_is_passed_untouched() {
    let Some(mut engines) = Engines::new("example.com", &format!("{APEX}www A 192.0.2.1\n"), "") else {
        return;
    };
    let query = Query::new("www.example.com", A).with_edns(edns(1232));
    let [v4, v6] = [over_v4(&query).octets(), over_v6(&query).octets()];
    assert!(engines.agree_on_octets(&v4) && engines.agree_on_octets(&v6));

    // Where things stand in the frame over IPv4; the IPv6 header is 20 octets longer.
    const IP: usize = 14;
    const UDP: usize = IP + 20;
    const DNS: usize = UDP + 8;
    const OPT: usize = DNS + 12 + 17 + 4;
    let cases: &[(&str, usize, &[u8])] = &[
        ("ARP", 12, &[0x08, 0x06]),
        ("IPv6 in an IPv4 frame", IP, &[0x65]),
        ("IPv4 with options", IP, &[0x46]),
        ("IPv4 shorter than its header", IP + 2, &[0, 19]),
        ("IPv4 longer than the frame", IP + 2, &[2, 0]),
        ("a first fragment", IP + 6, &[0x20, 0]),
        ("a later fragment", IP + 6, &[0, 1]),
        ("TCP", IP + 9, &[6]),
        ("a sender of this network", IP + 12, &[0]),
        ("a group as sender", IP + 12, &[224]),
        ("broadcast as sender", IP + 12, &[255, 255, 255, 255]),
        ("another address", IP + 19, &[54]),
        ("source port 0", UDP, &[0, 0]),
        ("another port", UDP + 2, &[0, 54]),
        ("UDP shorter than IP says", UDP + 5, &[20]),
        ("UDP shorter than its header", UDP + 4, &[0, 7]),
        ("a response", DNS + 2, &[0x81]),
        ("NOTIFY", DNS + 2, &[0x20]),
        ("a truncated query", DNS + 2, &[0x03]),
        ("no question", DNS + 4, &[0, 0]),
        ("two questions", DNS + 4, &[0, 2]),
        ("256 questions", DNS + 4, &[1, 0]),
        ("an answer", DNS + 6, &[0, 1]),
        ("an authority record", DNS + 8, &[0, 1]),
        ("two additional records", DNS + 10, &[0, 2]),
        ("no additional record, but octets of one", DNS + 10, &[0, 0]),
        ("a compressed name", DNS + 12, &[0xC0, 12]),
        ("a label of 64 octets", DNS + 12, &[64]),
        ("class CHAOS", OPT - 2, &[0, 3]),
        ("class ANY", OPT - 2, &[0, 255]),
        ("another owner of OPT", OPT, &[1]),
        ("an address in place of OPT", OPT + 1, &[0, 1]),
        ("OPT version 1", OPT + 6, &[1]),
        ("options beyond the message", OPT + 9, &[0, 4]),
    ];
    for (what, at, octets) in cases {
        let mut frame = v4.clone();
        frame[*at..*at + octets.len()].copy_from_slice(octets);
        assert!(!engines.agree_on_octets(&frame), "{what}");
        if *at >= UDP {
            let mut frame = v6.clone();
            frame[*at + 20..*at + 20 + octets.len()].copy_from_slice(octets);
            assert!(!engines.agree_on_octets(&frame), "{what}, over IPv6");
        }
    }
    for (what, at, octets) in [
        ("IPv4 in an IPv6 frame", IP, &[0x45][..]),
        ("an extension header", IP + 6, &[0]),
        ("a fragment header", IP + 6, &[44]),
        ("a payload longer than the frame", IP + 4, &[1, 0]),
        ("no sender", IP + 8, &[0; 16]),
        ("a group as sender", IP + 8, &[0xff]),
        ("another address", IP + 39, &[0x54]),
    ] {
        let mut frame = v6.clone();
        frame[at..at + octets.len()].copy_from_slice(octets);
        assert!(!engines.agree_on_octets(&frame), "{what}, over IPv6");
    }
    for length in 14..v4.len() {
        assert!(!engines.agree_on_octets(&v4[..length]), "cut to {length} octets");
    }
    for length in 14..v6.len() {
        assert!(!engines.agree_on_octets(&v6[..length]), "cut to {length} octets, over IPv6");
    }
}

#[test]
fn what_does_not_matter_in_a_header_is_no_obstacle() {
    let Some(mut engines) = Engines::new("example.com", &format!("{APEX}www A 192.0.2.1\n"), "") else {
        return;
    };
    let query = Query::new("www.example.com", A).with_edns(edns(1232));
    let [v4, v6] = [over_v4(&query).octets(), over_v6(&query).octets()];
    for (what, base, at, octets) in [
        ("do not fragment", &v4, 20, &[0x40][..]),
        ("an identification", &v4, 18, &[0xab, 0xcd]),
        ("a type of service", &v4, 15, &[0xb8]),
        ("one hop left", &v4, 22, &[1]),
        ("no UDP checksum", &v4, 40, &[0, 0]),
        ("a partial UDP checksum", &v4, 40, &[0x12, 0x34]),
        ("a flow label", &v6, 15, &[1, 2, 3]),
        ("one hop left, over IPv6", &v6, 21, &[1]),
        ("AA, and RD not", &v4, 44, &[0x04]),
        ("RA, Z, AD, CD and an RCODE", &v4, 45, &[0xff]),
        ("flags of EDNS", &v4, 42 + 12 + 17 + 4 + 7, &[0xff, 0xff]),
        ("an extended RCODE", &v4, 42 + 12 + 17 + 4 + 5, &[9]),
    ] {
        let mut frame = base.clone();
        frame[at..at + octets.len()].copy_from_slice(octets);
        assert!(engines.agree_on_octets(&frame), "{what}");
    }
}

#[test]
fn every_record_comes_first_at_times() {
    const COUNTS: std::ops::RangeInclusive<u16> = 2..=20;
    let mut zone = APEX.to_owned();
    for count in COUNTS {
        for at in 1..=count {
            zone += &format!("n{count} A 192.0.2.{at}\nn{count} AAAA 2001:db8::{at}\n");
            // Each string longer than the one before.
            zone += &format!("n{count} TXT \"{}\"\n", "t".repeat(usize::from(at)));
        }
    }
    let Some(mut engines) = Engines::new("example.com", &zone, "") else { return };
    for count in COUNTS {
        // What does not rotate, unequal records and large bodies, has up to eight orders.
        let firsts = |record_len| if record_len * count <= BODY_SMALL as u16 { count } else { count.min(8) };
        for (qtype, firsts) in [(A, firsts(16)), (AAAA, firsts(28)), (TXT, count.min(8))] {
            let query = Query::new(&format!("n{count}.example.com"), qtype).with_edns(edns(1232));
            let mut seen = BTreeSet::new();
            for draw in 0..32 * count {
                let frame = if draw % 2 == 0 { over_v4(&query) } else { over_v6(&query) };
                let agreed = engines.agree(&frame);
                assert!(agreed.in_kernel, "{count} {qtype}");
                let reply = Reply::read(&agreed.message.expect("it is answered"));
                assert_eq!(reply.answer.expect("records").rdatas.len(), usize::from(count));
                seen.extend(reply.first);
            }
            assert_eq!(seen.len(), usize::from(firsts), "{count} {qtype}");
        }
    }
}
