//! A table that outgrows its unit: nothing waits for the larger one, which holds what changed meanwhile, too.

use pulse53_core::route53::ResourceRecordSet;

use crate::harness::client::Client;
use crate::harness::eventually;
use crate::harness::route53::{address_record, carry_out, changes, make_zone};
use crate::harness::site::Site;

/// As many as one request may have.
const BATCH: usize = 1000;
/// Enough to outgrow the smallest unit twice.
const BATCHES: usize = 3;
/// Records of each batch that are changed as soon as it is in sync.
const CHANGED: usize = 10;

/// The address of a record that was changed so many times.
fn address(number: usize, changed: u8) -> [u8; 4] {
    let [.., high, low] = (number as u32).to_be_bytes();
    [10, changed, high, low]
}

fn owner(number: usize) -> String {
    format!("host-{number}.grow.example")
}

fn record(number: usize, changed: u8) -> ResourceRecordSet {
    address_record(&owner(number), address(number, changed))
}

#[test]
fn a_table_that_outgrows_its_unit_is_answered_all_along() {
    let Some(site) = Site::make() else { return };
    site.configure("", "");
    let agent = site.start();
    let mut client = site.client();
    let zone = make_zone(&agent, "grow.example", "grow");
    let is_answered = |client: &mut Client<'_>, number: usize, changed: u8| {
        assert_eq!(client.address(0, &owner(number)), Some(address(number, changed)), "{number}");
    };
    for batch in 0..BATCHES {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        let sets: Vec<ResourceRecordSet> = numbers.clone().map(|number| record(number, 0)).collect();
        carry_out(&agent, &zone, &changes("CREATE", &sets));
        is_answered(&mut client, numbers.start, 0);
        is_answered(&mut client, numbers.end - 1, 0);
        let sets: Vec<ResourceRecordSet> =
            numbers.clone().take(CHANGED).map(|number| record(number, 1)).collect();
        carry_out(&agent, &zone, &changes("UPSERT", &sets));
        is_answered(&mut client, numbers.start, 1);
    }
    let all = BATCHES * BATCH;
    eventually("all of them in the kernel", || {
        let held = agent.status()["kernel_table"]["questions"].as_u64();
        if held >= Some(all as u64) { Ok(()) } else { Err(held) }
    });
    let before = agent.kernel_replies();
    let mut asked = 0;
    for number in (0..all).filter(|number| number % BATCH < 2 * CHANGED) {
        is_answered(&mut client, number, u8::from(number % BATCH < CHANGED));
        asked += 1;
    }
    assert_eq!(agent.kernel_replies() - before, asked);
}
