//! Answers replaced while they are read: never one that is neither old nor new, and never a neighbor's loss (laws 4, 5 and 7).

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use pulse53::datapath::{HotTable, LoadError, Loaded, Runner, Sizes};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_core::lower::HotKey;
use pulse53_core::table::Generation;
use pulse53_tests::engines::SERVED;
use pulse53_tests::entries::{self, FORMS, Form};
use pulse53_tests::frame::{Opt, Query, QueryFrame};
use pulse53_tests::reply::Reply;
use pulse53_tests::seed;

const PUTS: u32 = 60_000;
/// Few slots for many neighbors, so that searches go over removed entries.
const NEIGHBORS: u32 = 220;
const SIZES: Sizes = Sizes {
    slots: 512,
    names: 16,
    columns: 1 << 18,
    variants: 1 << 16,
    small: 1 << 17,
    medium: 1 << 15,
    large: 1 << 14,
    ..entries::CLIENT_SIZES
};

/// Version of a question that is not held.
const REMOVED: u32 = 0;

/// What the writer has begun and what it has finished, for the question that changes.
#[derive(Default)]
struct Progress {
    begun: AtomicU32,
    finished: AtomicU32,
    done: AtomicBool,
}

#[test]
fn readers_see_the_old_answer_or_the_new_one() {
    let mut loaded = match Loaded::load(SIZES, &entries::clients(), UDP_PAYLOAD_MAX, 0) {
        Ok(loaded) => loaded,
        Err(error @ (LoadError::NoObject | LoadError::NotPermitted(_))) => {
            return pulse53_tests::skip(&error.to_string());
        }
        Err(error) => panic!("{error:?}"),
    };
    let (mut runner, hot) = loaded.parts().expect("the program is there");
    hot.serve(&[SERVED[0].parse().expect("an address")]);
    let now = Instant::now();
    hot.put(&entries::key("steady"), entries::entry(Form::Inline, 7), Generation(1), now).expect("room");
    let progress = Progress::default();
    let (answers, passes) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(&mut runner, &progress));
        write(hot, &progress);
        progress.done.store(true, Ordering::SeqCst);
        reader.join().expect("the reader holds")
    });
    println!("{answers} answers and {passes} passes during {PUTS} writes");
    assert!(answers > 1000, "only {answers} answers were read");
    let counters = loaded.counters().expect("the counters can be read");
    for (label, count) in counters {
        assert!(!matches!(label, "inconsistent" | "recycled" | "damaged") || count == 0, "{count} {label}");
    }
}

/// Puts, replaces and removes the changing question in every form, with neighbors that come and go.
fn write(hot: &mut HotTable, progress: &Progress) {
    let mut random = seed::random();
    let changing = entries::key("changing");
    let neighbors: Vec<HotKey> = (0..NEIGHBORS).map(|index| entries::key(&format!("n{index}"))).collect();
    let mut refused = 0;
    for step in 1..=PUTS {
        let generation = Generation(u64::from(step));
        let now = Instant::now();
        let neighbor = &neighbors[random.usize(..neighbors.len())];
        if hot.holds(neighbor) {
            hot.remove(neighbor, generation, now);
        } else {
            // Beside a full stretch of the table there may be no slot.
            let _ = hot.put(neighbor, entries::entry(Form::Inline, step), generation, now);
        }
        // Mostly in the slot itself, where a write happens under the reader's eyes.
        let form = if random.u8(..4) == 0 { FORMS[random.usize(..FORMS.len())] } else { Form::Inline };
        // The lowest bit says whether the version is held: a reader that meets one may be passed.
        let version = if random.u8(..16) == 0 { 2 * step } else { 2 * step + 1 };
        progress.begun.store(version, Ordering::SeqCst);
        if version % 2 == 0 {
            hot.remove(&changing, generation, now);
        } else {
            let put = hot.put(&changing, entries::entry(form, version), generation, now);
            refused += u32::from(put.is_err());
            if put.is_err() {
                progress.begun.store(2 * step, Ordering::SeqCst);
                progress.finished.store(2 * step, Ordering::SeqCst);
                continue;
            }
        }
        progress.finished.store(version, Ordering::SeqCst);
    }
    assert!(refused < PUTS / 10, "{refused} of {PUTS} refused: too little was read of what rests");
}

/// Asks the changing question and the steady one in turn until the writer is done; counts answers and passes.
fn read(runner: &mut Runner<'_>, progress: &Progress) -> (usize, usize) {
    const XDP_PASS: u32 = 2;
    const XDP_TX: u32 = 3;
    let [changing, steady] = ["changing", "steady"].map(|name| {
        let opt = Opt { size: UDP_PAYLOAD_MAX, ..Opt::default() };
        let query = Query::new(name, 16).with_edns(opt).octets();
        let client = "198.51.100.1:4242".parse().expect("an address");
        QueryFrame::new(client, SERVED[0].parse().expect("an address"), query)
    });
    let [changing_octets, steady_octets] = [&changing, &steady].map(QueryFrame::octets);
    let (mut answers, mut passes) = (0, 0);
    while !progress.done.load(Ordering::SeqCst) {
        let finished = progress.finished.load(Ordering::SeqCst);
        let (action, octets) = runner.test_run(&changing_octets).expect("the program runs");
        let begun = progress.begun.load(Ordering::SeqCst);
        match action {
            XDP_TX => {
                let message = message(&changing, &octets);
                let version = entries::version(&Reply::read(&message));
                assert!((finished..=begun).contains(&version), "{version} instead of {finished} to {begun}");
                answers += 1;
            }
            XDP_PASS => {
                assert_eq!(octets, changing_octets, "passed, but not untouched");
                let was_held = finished != REMOVED && finished % 2 == 1;
                assert!(!(was_held && finished == begun), "{finished} was there for good, and passed");
                passes += 1;
            }
            action => panic!("action {action}"),
        }
        let (action, octets) = runner.test_run(&steady_octets).expect("the program runs");
        assert_eq!(action, XDP_TX, "the steady question lost its answer");
        assert_eq!(entries::version(&Reply::read(&message(&steady, &octets))), 7);
    }
    (answers, passes)
}

/// The message of a reply, once all around it is found right, checksums included.
fn message(query: &QueryFrame, octets: &[u8]) -> Vec<u8> {
    let message = QueryFrame::read(octets).expect("a whole frame").message;
    assert_eq!(octets, query.reply_octets(&message));
    message
}
