//! More names than the kernel is to hold: it answers those that are asked most, and a steady load moves nothing.

use std::fmt::Write;

use crate::harness::agent::Agent;
use crate::harness::client::Client;
use crate::harness::eventually;
use crate::harness::site::Site;

const NAMES: usize = 512;
const CAPACITY: usize = 64;
/// Names that are asked again and again, all of them without room at first.
const BUSY: usize = 12;

fn zone(names: usize) -> String {
    let mut zone = "*.wild IN A 198.51.100.9\n".to_owned();
    for name in 0..names {
        writeln!(zone, "n{name} IN A 198.51.{}.{}", name / 256, name % 256).expect("memory");
    }
    zone
}

fn ask(client: &mut Client<'_>, name: usize) {
    let expected = Some([198, 51, (name / 256) as u8, (name % 256) as u8]);
    assert_eq!(client.address(0, &format!("n{name}.example.com")), expected);
}

/// Which of some names the kernel answers.
fn in_kernel(agent: &Agent<'_>, client: &mut Client<'_>, names: impl Iterator<Item = usize>) -> Vec<bool> {
    let replies = || {
        let labels = "path=\"kernel\",transport=\"udp\",rcode=\"NOERROR\"";
        agent.metric(&format!("pulse53_replies_total{{{labels}}}"))
    };
    let mut before = replies();
    let answered = names.map(|name| {
        ask(client, name);
        let after = replies();
        std::mem::replace(&mut before, after) < after
    });
    answered.collect()
}

#[test]
fn the_busiest_names_find_room_and_then_nothing_moves() {
    let Some(site) = Site::make() else { return };
    site.serve_zone(&format!("capacity = {CAPACITY}"), &zone(NAMES));
    let agent = site.start();
    let mut client = site.client();
    let held = in_kernel(&agent, &mut client, 0..NAMES / 2);
    let table = agent.status()["kernel_table"].clone();
    // SOA, NS, the server's address and the wildcard are questions, too.
    assert_eq!(
        (&table["questions"], &table["capacity"], &table["without_room"], &table["promoted"]),
        (&CAPACITY.into(), &CAPACITY.into(), &(NAMES + 4 - CAPACITY).into(), &0.into()),
        "{table:#}"
    );
    assert!(held.iter().any(|is_held| *is_held));
    let busy: Vec<usize> = (0..held.len()).filter(|name| !held[*name]).take(BUSY).collect();
    let round = |client: &mut Client<'_>| busy.iter().for_each(|name| ask(client, *name));
    let kernel = |agent: &Agent<'_>| agent.metric("pulse53_kernel_promoted_entries_total") as usize;
    eventually("the busiest names in the kernel", || {
        (0..20).for_each(|_| round(&mut client));
        if kernel(&agent) >= BUSY { Ok(()) } else { Err(kernel(&agent)) }
    });
    assert_eq!(in_kernel(&agent, &mut client, busy.iter().copied()), [true; BUSY]);
    // What made room is answered, by userspace; and what does not exist, by the kernel as before.
    let before = agent.kernel_replies();
    assert_eq!(client.ask(0, &pulse53_tests::frame::Query::new("nobody.example.com", 1)).rcode, 3);
    assert_eq!(agent.kernel_replies(), before + 1);
    (0..NAMES).for_each(|name| ask(&mut client, name));

    // The same load goes on: who has room keeps it.
    let settled = (kernel(&agent), agent.metric("pulse53_kernel_evicted_entries_total") as usize);
    assert_eq!(settled, (BUSY, BUSY));
    for _ in 0..100 {
        (0..10).for_each(|_| round(&mut client));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!((kernel(&agent), agent.metric("pulse53_kernel_evicted_entries_total") as usize), settled);
    let table = agent.status()["kernel_table"].clone();
    assert_eq!((&table["promoted"], &table["evicted"]), (&BUSY.into(), &BUSY.into()), "{table:#}");
    let share = agent.metric("pulse53_kernel_hit_share");
    assert!(share > 0.2 && share < 1.0, "{share}");
    let told = agent.pulse53(&["status"]);
    assert!(told.contains(&format!("{BUSY} brought in")) && told.contains("by the kernel"), "{told}");

    // What has changed since is what all are answered, and as soon as all fit, all are hot.
    site.write_zone(&zone(CAPACITY - 4));
    agent.reload_until("room for all", |agent| agent.metric("pulse53_kernel_refused_entries") == 0.0);
    assert_eq!(in_kernel(&agent, &mut client, 0..CAPACITY - 4), [true; CAPACITY - 4]);
}

/// A wildcard's names are many, and its question is one: it finds room as names do.
#[test]
fn a_busy_wildcard_finds_room() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("capacity = 8", &zone(NAMES));
    let agent = site.start();
    let mut client = site.client();
    let mut number = 0;
    let mut ask = |times: usize| {
        for _ in 0..times {
            number += 1;
            let address = client.address(0, &format!("x{number}.wild.example.com"));
            assert_eq!(address, Some([198, 51, 100, 9]));
        }
    };
    eventually("the wildcard in the kernel", || {
        ask(200);
        let before = agent.kernel_replies();
        ask(1);
        if agent.kernel_replies() > before { Ok(()) } else { Err("userspace") }
    });
}
