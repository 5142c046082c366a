//! SIGKILL under a writing client: what was acknowledged is there afterwards, and no change is there by half.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::harness::agent::{Agent, CONFIG};
use crate::harness::network::{Namespace, SERVED};
use crate::harness::site::Site;

/// How many times it is killed.
const KILLS: usize = 12;

/// At most so many changes are acknowledged before the next kill.
const CHANGES_MAX: u64 = 40;

/// Sends a request; the response, unless the node dies meanwhile.
fn send(server: &Namespace, request: &str) -> Option<String> {
    let mut stream = server.within(|| TcpStream::connect((Ipv4Addr::LOCALHOST, 5380))).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// Puts the number into both record sets of a pair, in one batch; whether that was acknowledged.
fn write(server: &Namespace, zone: &str, number: u64) -> bool {
    let change = |name: &str| {
        format!(
            "<Change><Action>UPSERT</Action><ResourceRecordSet><Name>{name}.example.net</Name><Type>TXT</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>\"{number}\"</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>"
        )
    };
    let changes = change("one") + &change("two");
    let body = format!("<R><ChangeBatch><Changes>{changes}</Changes></ChangeBatch></R>");
    let length = body.len();
    let request = format!(
        "POST /2013-04-01/hostedzone/{zone}/rrset HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let response = send(server, &request);
    response.is_some_and(|response| {
        response.starts_with("HTTP/1.1 200") && response.ends_with("</ChangeResourceRecordSetsResponse>")
    })
}

/// The texts of all elements of a name.
fn elements<'x>(xml: &'x str, name: &str) -> Vec<&'x str> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(start.as_str()).skip(1).filter_map(|rest| rest.split(end.as_str()).next()).collect()
}

/// What is stored: the numbers of the pair.
fn read(agent: &Agent<'_>, zone: &str) -> Vec<u64> {
    let (status, listed) = agent.api("GET", &format!("hostedzone/{zone}/rrset"), "", "");
    assert_eq!(status, 200, "{listed}");
    let values = elements(&listed, "Value").into_iter();
    values.filter_map(|value| value.replace("&quot;", "\"").trim_matches('"').parse().ok()).collect()
}

#[test]
fn what_was_acknowledged_outlives_being_killed_at_any_moment() {
    let Some(site) = Site::make() else { return };
    let (data, address) = (site.place.file("data"), SERVED[0]);
    site.place.write(CONFIG, format!("data_dir = {data:?}\n[dns]\nlisten = [\"{address}\"]\n"));
    let server = &site.network.server;
    let mut agent = Agent::start(server, &site.place);
    let body = "<R><CallerReference>r</CallerReference><Name>example.net</Name></R>";
    let (status, response) = agent.api("POST", "hostedzone", "", body);
    assert_eq!(status, 201, "{response}");
    let zone = elements(&response, "Id")[0].trim_start_matches("/hostedzone/").to_owned();

    let mut random = fastrand::Rng::with_seed(0x53);
    let mut next = 1;
    for kill in 0..KILLS {
        let acknowledged = AtomicU64::new(0);
        let goal = next + random.u64(1..CHANGES_MAX);
        let delay = Duration::from_micros(random.u64(..4000));
        let attempted = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut number = next;
                while write(server, &zone, number) {
                    acknowledged.store(number, Ordering::Release);
                    number += 1;
                }
                number
            });
            while acknowledged.load(Ordering::Acquire) < goal && !writer.is_finished() {
                std::thread::yield_now();
            }
            // Anywhere within a change, not always at the moment of an acknowledgement.
            std::thread::sleep(delay);
            agent.kill();
            writer.join().expect("the writer ends when it is refused")
        });
        let acknowledged = acknowledged.load(Ordering::Acquire);
        assert!(acknowledged >= goal, "only {acknowledged} of {goal} changes were acknowledged");
        agent = Agent::start(server, &site.place);
        let found = read(&agent, &zone);
        assert!(
            matches!(*found, [one, two] if one == two && (acknowledged..=attempted).contains(&one)),
            "kill {kill}: {found:?}, after {acknowledged} was acknowledged and {attempted} attempted"
        );
        next = attempted + 1;
    }
}
