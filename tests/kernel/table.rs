//! The hot table against a plain map: whatever is put, replaced and removed, look-ups find exactly what is held.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use fastpath::Scratch;
use fastpath::host::Frame;
use proptest::prelude::*;
use pulse53::datapath::{Asked, HotMemory, HotTable, Sizes};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_abi::verdict::{PassReason, Verdict};
use pulse53_core::compile::GroupIndex;
use pulse53_core::table::Generation;
use pulse53_tests::engines::SERVED;
use pulse53_tests::entries::{self, FORMS};
use pulse53_tests::frame::{Opt, Query, QueryFrame};
use pulse53_tests::reply::Reply;

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// Puts an entry of this form.
    Put {
        key: usize,
        form: usize,
    },
    /// Puts what an older generation made.
    PutLate {
        key: usize,
        form: usize,
    },
    Remove {
        key: usize,
    },
    /// A full synchronization that wants only the keys of this mask.
    Sync {
        wanted: u32,
    },
    Wait {
        ms: u64,
    },
}

const KEYS: usize = 30;

/// So little that every array runs out at times.
const SIZES: Sizes = Sizes {
    slots: 32,
    names: 6,
    columns: 24,
    variants: 12,
    small: 12,
    medium: 4,
    large: 3,
    ..entries::CLIENT_SIZES
};

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..KEYS;
    let form = 0..FORMS.len();
    let step = prop_oneof![
        12 => (key.clone(), form.clone()).prop_map(|(key, form)| Step::Put { key, form }),
        1 => (key.clone(), form).prop_map(|(key, form)| Step::PutLate { key, form }),
        4 => key.prop_map(|key| Step::Remove { key }),
        1 => any::<u32>().prop_map(|wanted| Step::Sync { wanted }),
        3 => (0..1500u64).prop_map(|ms| Step::Wait { ms }),
    ];
    prop::collection::vec(step, 1..120)
}

/// Every third name is longer than a slot holds.
fn name(key: usize) -> String {
    if key.is_multiple_of(3) {
        format!("key-{key}.with-a-name-too-long.for-the-slot.itself")
    } else {
        format!("key-{key}")
    }
}

proptest! {
    #[test]
    fn look_ups_find_what_is_held(steps in steps(), seed in any::<u64>(), random in 1..u64::MAX) {
        let mut hot = HotTable::new(HotMemory::owned(SIZES), SIZES, seed, entries::clients());
        hot.serve(&[SERVED[0].parse().unwrap()]);
        let mut held: HashMap<usize, u32> = HashMap::new();
        let mut now = Instant::now();
        for (at, step) in steps.into_iter().enumerate() {
            let version = at as u32 + 1;
            let generation = Generation(u64::from(version) + 1);
            match step {
                Step::Put { key, form } => {
                    // Two keys for each group: where it was found last is often wrong.
                    let (group, question) = (GroupIndex(key as u32 / 2), entries::key(&name(key)));
                    let entry = entries::entry(FORMS[form], version);
                    match hot.put_for(Some(group), Asked::from(&question), entry, generation, now) {
                        Ok(written) => {
                            prop_assert!(written, "each version is another entry");
                            held.insert(key, version);
                        }
                        // What has no room is answered by userspace, not by its old answer.
                        Err(_) => { held.remove(&key); }
                    }
                }
                Step::PutLate { key, form } => {
                    // A question that is not held has nothing that could tell the generation; law 5 is about those that are.
                    if held.contains_key(&key) {
                        let late = hot.put(&entries::key(&name(key)), entries::entry(FORMS[form], version), Generation(1), now);
                        prop_assert_eq!(late, Ok(false));
                    }
                }
                Step::Remove { key } => {
                    let removed = hot.remove(&entries::key(&name(key)), generation, now);
                    prop_assert_eq!(removed, held.remove(&key).is_some());
                }
                Step::Sync { wanted } => {
                    hot.begin_full();
                    let is_wanted = |key: usize| wanted >> key & 1 == 1;
                    for key in (0..KEYS).filter(|key| is_wanted(*key)) {
                        let entry = entries::entry(FORMS[key % FORMS.len()], version);
                        match hot.put(&entries::key(&name(key)), entry, generation, now) {
                            Ok(_) => { held.insert(key, version); }
                            Err(_) => { held.remove(&key); }
                        }
                    }
                    let before = held.len();
                    held.retain(|key, _| is_wanted(*key));
                    prop_assert_eq!(hot.end_full(generation, now), before - held.len());
                }
                Step::Wait { ms } => now += Duration::from_millis(ms),
            }
            prop_assert_eq!(hot.len(), held.len());
            for key in 0..KEYS {
                prop_assert_eq!(look_up(&hot, &name(key), random), held.get(&key).copied(), "{}", name(key));
            }
        }
    }
}

/// The version that the fast path answers with; none if the question is passed as not hot.
fn look_up(hot: &HotTable, name: &str, random: u64) -> Option<u32> {
    let opt = Opt { size: UDP_PAYLOAD_MAX, ..Opt::default() };
    let query = Query::new(name, 16).with_edns(opt).octets();
    let frame = QueryFrame::new("198.51.100.1:4242".parse().unwrap(), SERVED[0].parse().unwrap(), query);
    let mut packet = Frame::new(frame.octets());
    let tables = hot.memory().tables(&hot.settings(UDP_PAYLOAD_MAX, 0), random, 0);
    match fastpath::run(&mut packet, &tables, &mut Scratch::new()) {
        Verdict::Reply => {
            let message = QueryFrame::read(&packet.octets).expect("a whole frame").message;
            assert_eq!(packet.octets, frame.reply_octets(&message));
            Some(entries::version(&Reply::read(&message)))
        }
        Verdict::Pass(PassReason::NotHot) => None,
        other => panic!("{name}: {other:?}"),
    }
}
