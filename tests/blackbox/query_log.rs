//! Query logs on the wire: while a zone is logged, userspace sees every query for it, and its lines are there after a kill.

use pulse53_core::model::RecordType;
use pulse53_tests::frame::{Opt, Query};

use crate::harness::agent::Agent;
use crate::harness::eventually;
use crate::harness::route53::{carry_out, element, make_zone};
use crate::harness::site::{Site, ZONE};

const ADDRESS: [u8; 4] = [198, 51, 100, 1];

fn record(name: &str) -> String {
    format!(
        "<Change><Action>CREATE</Action><ResourceRecordSet><Name>{name}</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>198.51.100.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>"
    )
}

fn lines(site: &Site) -> Vec<String> {
    let text = std::fs::read_to_string(site.place.file("data/query-log/aws-route53-a.log"));
    text.unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Replies of the kernel to a few queries, which all must come.
fn by_kernel(site: &Site, agent: &Agent<'_>, name: &str) -> u64 {
    let before = agent.kernel_replies();
    let mut client = site.client();
    for family in [0, 1, 0, 1] {
        assert_eq!(client.address(family, name), Some(ADDRESS), "{name}");
    }
    agent.kernel_replies() - before
}

#[test]
fn a_zone_that_is_logged_is_left_to_userspace() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", "www IN A 198.51.100.1\n");
    let agent = site.start();
    let zone = make_zone(&agent, "logged.example", "logged");
    carry_out(&agent, &zone, &record("www.logged.example"));
    assert_eq!(by_kernel(&site, &agent, "www.logged.example"), 4);

    let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/route53/a";
    let body = format!(
        "<R><HostedZoneId>{zone}</HostedZoneId><CloudWatchLogsLogGroupArn>{arn}</CloudWatchLogsLogGroupArn></R>"
    );
    let (status, response) = agent.api("POST", "queryloggingconfig", "", &body);
    assert_eq!(status, 201, "{response}");
    let config = element(&response, "Id").to_owned();
    eventually("a zone that the kernel does not answer", || {
        match by_kernel(&site, &agent, "www.logged.example") {
            0 => Ok(()),
            replies => Err(replies),
        }
    });
    assert_eq!(by_kernel(&site, &agent, &format!("www.{ZONE}")), 4, "no other zone is left out");
    let told = agent.pulse53(&["explain", "www.logged.example", "A"]);
    assert!(told.contains("the zone's queries are logged"), "{told}");

    // Every reply from now on has its line, those to what does not exist as well, over both transports.
    let before = lines(&site).len();
    let mut client = site.client();
    let address = |family: usize| ["10.53.0.1", "fd53::1"][family];
    let mut expected = Vec::new();
    for at in 0..200 {
        let family = at % 2;
        let (name, code) = if at % 3 == 0 { ("none", "NXDOMAIN") } else { ("www", "NOERROR") };
        let mut query = Query::new(&format!("{name}.logged.example"), RecordType::A.to_int());
        let subnet = if at % 5 == 0 { "192.0.2.0/24" } else { "-" };
        if at % 5 == 0 {
            let options = vec![(8, vec![0, 1, 24, 0, 192, 0, 2])];
            query = query.with_edns(Opt { size: 1232, dnssec_ok: false, options });
        }
        let protocol = if at % 7 == 0 {
            client.ask_over_tcp(family, &query);
            "TCP"
        } else {
            client.ask(family, &query);
            "UDP"
        };
        expected.push(format!(
            " {zone} {name}.logged.example A {code} {protocol} local {} {subnet}",
            address(family)
        ));
    }
    let logged = eventually("a line for each", || {
        let logged = lines(&site).split_off(before);
        if logged.len() < expected.len() { Err(logged.len()) } else { Ok(logged) }
    });
    let mut told: Vec<&str> = logged.iter().map(|line| line.split_at(28).1).collect();
    // Threads write side by side.
    told.sort_unstable();
    expected.sort_unstable();
    assert_eq!(told, expected);
    assert!((agent.metric("pulse53_query_log_lost_lines_total")).abs() < f64::EPSILON);

    // A restart logs on.
    agent.kill();
    let agent = site.start();
    let before = lines(&site).len();
    assert_eq!(by_kernel(&site, &agent, "www.logged.example"), 0);
    eventually("lines after a restart", || {
        let now = lines(&site).len();
        if now == before + 4 { Ok(()) } else { Err(now - before) }
    });
    let (status, response) = agent.api("DELETE", &format!("queryloggingconfig/{config}"), "", "");
    assert_eq!(status, 200, "{response}");
    eventually("answers of the kernel", || match by_kernel(&site, &agent, "www.logged.example") {
        4 => Ok(()),
        replies => Err(replies),
    });
    let before = lines(&site).len();
    assert_eq!(by_kernel(&site, &agent, "www.logged.example"), 4);
    assert!(agent.terminate().success());
    // The last lines are written before the end.
    assert_eq!(lines(&site).len(), before);
}
