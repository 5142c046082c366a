//! Where there is no room for all: what is held is exchanged for what is asked more, and whatever is not held is passed, never absent.

use std::time::{Duration, Instant};

use pulse53::datapath::{self, HotTable, LoadError, LoadOptions, Loaded, Sizes};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_abi::verdict::{NoAnswer, PassReason, Verdict};
use pulse53_core::compile::Compiler;
use pulse53_core::heat::{Exchange, HITS_ONE_IN};
use pulse53_core::lower::HotKey;
use pulse53_core::model::{Name, RecordType};
use pulse53_core::nodes;
use pulse53_core::table::{AnswerTable, Generation};
use pulse53_tests::frame::{Query, QueryFrame};
use pulse53_tests::tangled::Tangled;
use pulse53_tests::{seed, zone};

use crate::on_host::{empty, frame, in_userspace, random_query, served, spacious, succeed, verdict};

const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;
const A: u16 = 1;

fn compiler(records: &str) -> Compiler {
    let zone = format!("$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\n{records}");
    Compiler::new(&zone::snapshot("example.com", &zone, ""), &|_| true, Generation(1))
}

/// The loaded program, of whose replies one in so many is counted; none where it cannot be loaded.
fn load(table: &AnswerTable, heat_one_in: u32, capacity: usize) -> Option<Loaded> {
    let sizes = Sizes::needed(table).with_headroom(u32::MAX);
    let options = LoadOptions { heat_one_in, ..LoadOptions::default() };
    let mut kernel = match Loaded::load_with(sizes, table.clients(), UDP_PAYLOAD_MAX, 0, &options) {
        Ok(kernel) => kernel,
        Err(error @ (LoadError::NoObject | LoadError::NotPermitted(_))) => {
            pulse53_tests::skip(&error.to_string());
            return None;
        }
        Err(error) => panic!("{error:?}"),
    };
    kernel.hot_table_mut().serve(&served());
    kernel.hot_table_mut().set_capacity(capacity);
    datapath::fill(kernel.hot_table_mut(), table);
    Some(kernel)
}

fn ask(name: &str, qtype: u16) -> QueryFrame {
    frame(Query::new(name, qtype))
}

fn key(name: &str) -> HotKey {
    HotKey { name: Name::from_route53(name).expect("a name"), qtype: RecordType::A }
}

#[test]
fn the_program_counts_replies_where_they_come_from() {
    let compiler =
        compiler("a A 192.0.2.1\nb A 192.0.2.2\n*.w A 192.0.2.3\nalias CNAME a\nmute A 192.0.2.4\n");
    let table = compiler.table();
    let asked = [
        ("a.example.com", A, 3, "a.example.com", RecordType::A),
        ("B.example.COM", A, 1, "b.example.com", RecordType::A),
        ("x.w.example.com", A, 5, "*.w.example.com", RecordType::A),
        ("alias.example.com", A, 2, "alias.example.com", RecordType::A),
        ("alias.example.com", 99, 4, "alias.example.com", RecordType::CNAME),
        // Neither is an answer out of a slot.
        ("nobody.example.com", A, 6, "mute.example.com", RecordType::A),
        ("mute.example.com", 28, 7, "mute.example.com", RecordType::A),
    ];
    for (one_in, weight) in [(1, 1), (0, 0)] {
        let Some(mut kernel) = load(table, one_in, usize::MAX) else { return };
        for &(name, qtype, times, ..) in &asked {
            for _ in 0..times {
                assert_eq!(kernel.test_run(&ask(name, qtype).octets()).expect("it runs").0, XDP_TX, "{name}");
            }
        }
        let hot = kernel.hot_table_mut();
        hot.measure(1.0);
        for &(_, _, times, owner, qtype) in &asked {
            let key = HotKey { qtype, ..key(owner) };
            let expected = if owner.starts_with("mute") { 0 } else { times * HITS_ONE_IN * weight };
            assert_eq!(hot.heat(&key), f64::from(expected), "{owner} {qtype}");
        }
        hot.measure(0.5);
        assert_eq!(hot.heat(&key("a.example.com")), f64::from(3 * HITS_ONE_IN * weight) / 2.0);
    }
}

/// Whatever the step in which clients ask, each name has its share of samples.
#[test]
fn samples_are_spread_evenly_over_names_that_take_turns() {
    const ROUNDS: u32 = 4000;
    for names in [1u32, 2, 8, 64] {
        let records: String = (0..names).map(|name| format!("n{name} A 192.0.2.1\n")).collect();
        let compiler = compiler(&records);
        let Some(mut kernel) = load(compiler.table(), HITS_ONE_IN, usize::MAX) else { return };
        let names: Vec<String> = (0..names).map(|name| format!("n{name}.example.com")).collect();
        let frames: Vec<Vec<u8>> = names.iter().map(|name| ask(name, A).octets()).collect();
        let rounds = ROUNDS / names.len().min(16) as u32;
        for frame in (0..rounds).flat_map(|_| &frames) {
            kernel.test_run(frame).expect("it runs");
        }
        let hot = kernel.hot_table_mut();
        hot.measure(1.0);
        for name in &names {
            let (heat, asked) = (hot.heat(&key(name)), f64::from(rounds));
            assert!(
                (heat - asked).abs() < 0.2 * asked + 128.0,
                "{name} of {}: {heat}, not {asked}",
                names.len()
            );
        }
    }
}

#[test]
fn what_makes_room_is_passed_and_what_gets_it_is_answered() {
    const NAMES: usize = 40;
    let records: String = (0..NAMES).map(|name| format!("n{name} A 192.0.2.{name}\n")).collect();
    let compiler = compiler(&records);
    let table = compiler.table();
    let Some(mut kernel) = load(table, HITS_ONE_IN, 10) else { return };
    let names: Vec<String> = (0..NAMES).map(|name| format!("n{name}.example.com")).collect();
    let mut random = seed::random();
    for _ in 0..50 {
        let hot = kernel.hot_table_mut();
        assert_eq!((hot.len(), hot.free(), hot.without_room().len()), (10, 0, NAMES + 2 - 10));
        let mut held: Vec<HotKey> = hot.heats().map(|(key, _)| key.clone()).collect();
        let mut outside: Vec<HotKey> = hot.without_room().iter().cloned().collect();
        random.shuffle(&mut held);
        random.shuffle(&mut outside);
        let count = random.usize(1..=10);
        let wanted = Exchange { admitted: outside[..count].to_vec(), evicted: held[..count].to_vec() };
        let synced = datapath::exchange(hot, table, &wanted, Instant::now());
        assert_eq!((synced.written, synced.removed, synced.is_whole()), (count, count, true));
        assert!(wanted.admitted.iter().all(|key| hot.holds(key)));
        let is_held: Vec<bool> = names.iter().map(|name| hot.holds(&key(name))).collect();
        for (name, is_held) in names.iter().zip(is_held) {
            let query = ask(name, A);
            let (action, octets) = kernel.test_run(&query.octets()).expect("it runs");
            assert_eq!(action, if is_held { XDP_TX } else { XDP_PASS }, "{name}");
            if is_held {
                assert_eq!(octets, query.reply_octets(&in_userspace(table, &query)));
            }
            // Of a type that does not exist nothing is certain where one that does is not held.
            let (action, _) = kernel.test_run(&ask(name, 28).octets()).expect("it runs");
            assert_eq!(action, if is_held { XDP_TX } else { XDP_PASS }, "{name} AAAA");
        }
        let (action, octets) = kernel.test_run(&ask("nobody.example.com", A).octets()).expect("it runs");
        assert_eq!(action, XDP_TX, "all names are known, whatever is held of them");
        assert_eq!(
            octets,
            ask("nobody.example.com", A).reply_octets(&in_userspace(table, &ask("nobody.example.com", A)))
        );
    }
}

/// Exchanges amid changes of what is declared: no reply but userspace's, and in the end as much is held as may be.
#[test]
fn exchanges_make_nothing_absent_that_exists() {
    let mut random = seed::random();
    let (mut answered, mut passed) = (0, 0);
    for _ in 0..30 {
        let mut tangled = Tangled::new(&mut random, 60);
        let mut compiler = Compiler::new(&tangled.snapshot(1), &|_| true, Generation(1));
        let mut hot = empty(spacious(compiler.table()), compiler.table());
        hot.set_capacity(random.usize(5..60));
        datapath::fill(&mut hot, compiler.table());
        for _ in 0..12 {
            if random.bool() {
                tangled.change(&mut random, true);
                succeed(&mut compiler, &mut hot, &tangled, 1 + random.u8(..2));
            } else {
                let evicted: Vec<HotKey> =
                    hot.heats().filter(|_| random.u8(..4) == 0).map(|(key, _)| key.clone()).collect();
                let room = hot.free() + evicted.len();
                let admitted: Vec<HotKey> = hot.without_room().iter().take(room).cloned().collect();
                let wanted = Exchange { admitted, evicted };
                datapath::exchange(&mut hot, compiler.table(), &wanted, Instant::now());
                assert!(wanted.admitted.iter().all(|key| hot.holds(key)));
                assert!(wanted.evicted.iter().all(|key| hot.without_room().contains(key)));
            }
            for _ in 0..100 {
                match verdict(&hot, compiler.table(), &random_query(&mut random, &tangled)).is_reply() {
                    true => answered += 1,
                    false => passed += 1,
                }
            }
        }
    }
    println!("{answered} answered, {passed} passed");
    assert!(answered > 1000 && passed > 1000, "{answered} answered, {passed} passed");
}

const CUTS: &str = "www A 192.0.2.1\nother A 192.0.2.2\n*.wild A 192.0.2.3\ncut NS ns.cut\nns.cut A 192.0.2.54\n\
                    cut DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000\nopen NS ns.example.org.\n";

/// What the sampler has found wrong is not said again: not by the node, not by a referral, not after a change, not by another unit.
#[test]
fn what_is_distrusted_stays_with_userspace() {
    let compiler = compiler(CUTS);
    let table = compiler.table();
    let sizes = Sizes::needed(table).with_headroom(u32::MAX);
    let passed = Verdict::Pass(PassReason::NotHot);
    let referral = Verdict::NoAnswer(NoAnswer::Referral);
    // What is asked when the answer is found wrong; what is passed then; and what goes on.
    let cases = [
        (
            "nobody.example.com",
            vec![("nobody.example.com", A), ("somebody.example.com", A)],
            ("cut.example.com", A),
        ),
        ("cut.example.com", vec![("cut.example.com", A), ("x.cut.example.com", A)], ("open.example.com", A)),
        (
            "x.y.cut.example.com",
            vec![("cut.example.com", A), ("x.y.cut.example.com", A)],
            ("open.example.com", A),
        ),
        ("www.example.com", vec![("www.example.com", 28), ("www.example.com", A)], ("other.example.com", 28)),
        (
            "x.wild.example.com",
            vec![("x.wild.example.com", A), ("y.wild.example.com", A)],
            ("other.example.com", A),
        ),
    ];
    for (name, silenced, (going_on, qtype)) in cases {
        let mut first = empty(sizes, table);
        datapath::fill(&mut first, table);
        for (name, qtype) in &silenced {
            assert!(verdict(&first, table, &ask(name, *qtype)).is_reply(), "{name}");
        }
        first.distrust(key(name), table.generation(), Instant::now());
        let check = |hot: &HotTable, when: &str| {
            for (silent, qtype) in &silenced {
                assert_eq!(
                    verdict(hot, table, &ask(silent, *qtype)),
                    passed,
                    "{name}: {silent} {qtype} {when}"
                );
            }
            assert!(verdict(hot, table, &ask(going_on, qtype)).is_reply(), "{name}: {going_on} {when}");
        };
        check(&first, "at once");
        assert!(datapath::fill(&mut first, table).is_whole());
        check(&first, "when all is put once more");
        let mut second = empty(sizes, table);
        second.set_distrusted(first.all_distrusted());
        assert!(datapath::fill(&mut second, table).is_whole());
        check(&second, "in another unit");
        assert_eq!(second.all_distrusted(), first.all_distrusted());
    }
    // The other cut's referral is not touched by that of a neighbor.
    let mut hot = empty(sizes, table);
    datapath::fill(&mut hot, table);
    hot.distrust(key("cut.example.com"), table.generation(), Instant::now());
    assert_eq!(verdict(&hot, table, &ask("x.open.example.com", A)), referral);
    let ds = ask("cut.example.com", 43);
    assert_eq!(verdict(&hot, table, &ds), Verdict::Reply, "DS at the cut is held as any question");
}

/// A referral without room is one of the names that are tried again, and is given as soon as there is room.
#[test]
fn a_referral_without_room_is_tried_again() {
    let servers: String =
        (0..12).map(|server| format!("cut NS a-name-server-{server}.example.org.\n")).collect();
    let text = "x".repeat(250);
    let compiler = compiler(&format!("{servers}text TXT \"{text}\"\n"));
    let table = compiler.table();
    let sizes = Sizes { medium: 1, ..Sizes::needed(table).with_headroom(u32::MAX) };
    let mut hot = empty(sizes, table);
    let synced = datapath::fill(&mut hot, table);
    assert_eq!((synced.refused, synced.refused_names, synced.is_whole()), (0, 1, false));
    let cut = Name::from_route53("cut.example.com").expect("a name");
    assert_eq!(hot.names_without_room().collect::<Vec<_>>(), [&cut]);
    let asked = ask("x.cut.example.com", A);
    assert_eq!(verdict(&hot, table, &asked), Verdict::Pass(PassReason::NotHot));
    assert!(verdict(&hot, table, &ask("nobody.example.com", A)).is_reply(), "its name is known all the same");
    // The room of another body, once that has rested.
    let now = Instant::now();
    hot.remove(&HotKey { qtype: RecordType::TXT, ..key("text.example.com") }, table.generation(), now);
    let node = nodes::node(table, &cut).expect("it exists");
    assert!(hot.put_node(&node, now).is_err());
    assert_eq!(hot.names_without_room().count(), 1);
    assert_eq!(hot.put_node(&node, now + Duration::from_secs(2)), Ok(()));
    assert_eq!(hot.names_without_room().count(), 0);
    hot.settle();
    assert_eq!(verdict(&hot, table, &asked), Verdict::NoAnswer(NoAnswer::Referral));
}
