//! Names that come and go: what is absent is absent from one table, and answered as if the tables had been filled anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pulse53::datapath::{self, HotTable, LoadError, Loaded, Sizes};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_core::compile::Compiler;
use pulse53_core::model::{Name, RecordType};
use pulse53_core::table::{AnswerTable, Generation};
use pulse53_tests::frame::{Query, QueryFrame};
use pulse53_tests::tangled::Tangled;
use pulse53_tests::{seed, zone};

use crate::on_host::{empty, frame, in_userspace, random_query, served, spacious, succeed, verdict};

fn hot(sizes: Sizes, table: &AnswerTable) -> HotTable {
    let mut hot = empty(sizes, table);
    datapath::fill(&mut hot, table);
    hot
}

#[test]
fn changes_leave_what_filling_anew_would() {
    let mut random = seed::random();
    let mut in_place = 0;
    for _ in 0..40 {
        let mut tangled = Tangled::new(&mut random, 40);
        let mut compiler = Compiler::new(&tangled.snapshot(1), &|_| true, Generation(1));
        let sizes = spacious(compiler.table());
        let mut changing = hot(sizes, compiler.table());
        for _ in 0..12 {
            let divide = random.u8(..6) == 0;
            tangled.change(&mut random, divide);
            in_place += usize::from(succeed(&mut compiler, &mut changing, &tangled, 1 + random.u8(..2)));
            let anew = hot(sizes, compiler.table());
            assert_eq!((changing.len(), changing.names()), (anew.len(), anew.names()));
            for _ in 0..60 {
                let query = random_query(&mut random, &tangled);
                let expected = verdict(&anew, compiler.table(), &query);
                assert_eq!(verdict(&changing, compiler.table(), &query), expected, "{query:?}");
            }
        }
    }
    assert!(in_place > 100, "only {in_place} changes were taken up in place");
}

/// A server's address changes together with that of a name below it: the referral follows, in whichever order that is told.
#[test]
fn referrals_follow_the_addresses_of_their_servers() {
    let records = |version: u8| {
        let zone = format!(
            "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\ncut NS ns\nns A 192.0.2.{version}\nx.ns A 192.0.2.{version}\n"
        );
        zone::snapshot("example.com", &zone, "")
    };
    let name = |name: &str| Name::from_route53(name).expect("a name");
    let [server, below] = [name("ns.example.com"), name("x.ns.example.com")];
    let compiled =
        [1, 2].map(|version| Compiler::new(&records(version), &|_| true, Generation(version.into())));
    let [before, after] = compiled.each_ref().map(Compiler::table);
    let asked = frame(Query::new("cut.example.com", 1));
    for changed in [[&below, &server], [&server, &below]] {
        let mut hot = hot(Sizes::needed(before).with_headroom(u32::MAX), before);
        assert!(verdict(&hot, before, &asked).is_reply());
        datapath::sync_declared(&mut hot, after, changed.map(|owner| (owner, RecordType::A)));
        assert!(verdict(&hot, after, &asked).is_reply());
    }
}

/// A CNAME comes where records of other types were: those are questions that nothing holds any more.
#[test]
fn an_alias_leaves_nothing_of_what_was_there_before() {
    let records = |record: &str| {
        let zone = format!("$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nwww {record}\n");
        Compiler::new(&zone::snapshot("example.com", &zone, ""), &|_| true, Generation(1))
    };
    let [before, after] = ["TXT text", "CNAME ns"].map(records);
    let [before, after] = [before.table(), after.table()];
    let sizes = Sizes::needed(before).with_headroom(u32::MAX);
    let (mut changing, anew) = (hot(sizes, before), hot(sizes, after));
    let www = Name::from_route53("www.example.com").expect("a name");
    datapath::sync_declared(
        &mut changing,
        after,
        [RecordType::TXT, RecordType::CNAME].map(|rtype| (&www, rtype)),
    );
    assert_eq!(changing.len(), anew.len());
}

/// Where memory runs out nothing is made up: what the tables do not hold, userspace answers.
#[test]
fn without_room_nothing_is_absent_that_exists() {
    let mut random = seed::random();
    let (mut answered, mut passed) = (0, 0);
    for round in 0..40u32 {
        let mut tangled = Tangled::new(&mut random, 60);
        let mut compiler = Compiler::new(&tangled.snapshot(1), &|_| true, Generation(1));
        let whole = Sizes::needed(compiler.table()).with_headroom(u32::MAX);
        let sizes = match round % 5 {
            0 => Sizes { nodes: 64, ..whole },
            1 => Sizes { slots: 64, ..whole },
            2 => Sizes { names: 10, ..whole },
            3 => Sizes { small: 6, ..whole },
            _ => Sizes { zones: 2, ..whole },
        };
        let mut hot = hot(sizes, compiler.table());
        for _ in 0..8 {
            tangled.change(&mut random, true);
            succeed(&mut compiler, &mut hot, &tangled, 1 + random.u8(..2));
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

/// Each reply is that of the one table or of the other, whatever is read while it is written (law 4).
#[test]
fn readers_see_one_namespace_or_the_other() {
    let mut random = seed::random();
    let first = Tangled::new(&mut random, 60);
    let mut second = first.clone();
    (0..20).for_each(|_| second.change(&mut random, true));
    let compiled = [(&first, 1), (&second, 2)]
        .map(|(tangled, version)| Compiler::new(&tangled.snapshot(version), &|_| true, Generation(1)));
    let [here, there] = compiled.each_ref().map(Compiler::table);
    let sizes = [here, there].map(|table| Sizes::needed(table).with_headroom(u32::MAX));
    let larger = |of: fn(&Sizes) -> u32| sizes.iter().map(of).max().unwrap_or(0);
    // What is exchanged rests for a second.
    let sizes = Sizes {
        slots: larger(|s| s.slots),
        nodes: larger(|s| s.nodes),
        names: 1 << 18,
        small: 1 << 18,
        ..sizes[0]
    };
    let mut loaded = match Loaded::load(sizes, here.clients(), UDP_PAYLOAD_MAX, 0) {
        Ok(loaded) => loaded,
        Err(error @ (LoadError::NoObject | LoadError::NotPermitted(_))) => {
            return pulse53_tests::skip(&error.to_string());
        }
        Err(error) => panic!("{error:?}"),
    };
    let queries: Vec<QueryFrame> = (0..400)
        .map(|number| random_query(&mut random, if number % 2 == 0 { &first } else { &second }))
        .collect();
    let (mut runner, hot) = loaded.parts().expect("the program is there");
    hot.serve(&served());
    datapath::fill(hot, here);
    let done = AtomicBool::new(false);
    let (answers, passes) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut answers, mut passes) = (0, 0);
            while !done.load(Ordering::SeqCst) {
                for query in &queries {
                    let (action, octets) = runner.test_run(&query.octets()).expect("the program runs");
                    const XDP_TX: u32 = 3;
                    if action != XDP_TX {
                        passes += 1;
                        continue;
                    }
                    answers += 1;
                    let right = [here, there].map(|table| query.reply_octets(&in_userspace(table, query)));
                    assert!(right.contains(&octets), "{query:?}\nneither of {right:02x?}:\n{octets:02x?}");
                }
            }
            (answers, passes)
        });
        for round in 0..600 {
            let synced = datapath::fill(hot, [there, here][round % 2]);
            assert!(synced.is_whole());
            if round % 4 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        done.store(true, Ordering::SeqCst);
        reader.join().expect("the reader holds")
    });
    println!("{answers} answers and {passes} passes");
    assert!(answers > 1000, "only {answers} answers");
}
