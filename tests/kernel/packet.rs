//! One frame in, one verdict and one frame out, on every engine.

use pulse53_tests::engines::Engines;
use pulse53_tests::frame::{Opt, Query, QueryFrame};

const ZONE: &str = "
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.1
www A 192.0.2.2
www A 192.0.2.3
www AAAA 2001:db8::1
www AAAA 2001:db8::2
one A 192.0.2.9
alias CNAME www
txt TXT \"odd length\" \"and another\"
mx MX 10 mail
mx MX 20 backup.mail
_sip._udp SRV 1 2 5060 sip
many TXT \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"
many TXT \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"
many TXT \"ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\"
";

#[test]
fn every_shape_of_query_is_answered_alike() {
    let Some(mut engines) = Engines::new("example.com", ZONE, "") else { return };
    for vlans in [vec![], vec![7], vec![7, 8]] {
        for (client, server) in
            [("198.51.100.1:4242", "192.0.2.53:53"), ("[2001:db8::9]:4242", "[2001:db8::53]:53")]
        {
            for (name, qtype) in [
                ("www", 1),
                ("WWw", 28),
                ("one", 1),
                ("alias", 1),
                ("alias", 5),
                ("txt", 16),
                ("mx", 15),
                ("_sip._UDP", 33),
                ("many", 16),
            ] {
                for edns in [
                    None,
                    Some(Opt { size: 1232, ..Opt::default() }),
                    Some(Opt { size: 4096, dnssec_ok: true, options: vec![(65001, vec![1; 8])] }),
                    Some(Opt {
                        size: 0,
                        dnssec_ok: true,
                        options: vec![(65001, vec![1; 24]), (12, vec![0; 300])],
                    }),
                ] {
                    let mut query = Query::new(&format!("{name}.Example.COM"), qtype);
                    query.edns = edns;
                    let frame =
                        QueryFrame::new(client.parse().unwrap(), server.parse().unwrap(), query.octets())
                            .in_vlans(&vlans);
                    let agreed = engines.agree(&frame);
                    assert!(agreed.in_kernel, "{query:?} is hot");
                }
            }
        }
    }
}
