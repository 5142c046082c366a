//! One answer: from the table, as a message in userspace, and on the host build of the fast path.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use fastpath::Scratch;
use fastpath::host::Frame;
use pulse53::datapath::{self, HotMemory, HotTable, Sizes};
use pulse53::serve::reply::{Received, ReplySettings, Transport, respond};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_abi::verdict::Verdict;
use pulse53_bench::plain;
use pulse53_core::compile::Compiler;
use pulse53_core::table::Generation;
use pulse53_tests::engines::SERVED;
use pulse53_tests::frame::{Query, QueryFrame};

fn answers(criterion: &mut Criterion) {
    let compiler = Compiler::new(&plain(1_000), &|_| true, Generation(1));
    let table = compiler.table();
    let message = Query::new("host-500.Example.com", 1).octets();
    let client = "198.51.100.1:4242".parse().expect("an address");
    let server = SERVED[0].parse().expect("an address");

    let settings = ReplySettings::default();
    let received = Received {
        packet: &message,
        source: std::net::SocketAddr::ip(&client),
        transport: Transport::Udp,
        at: Duration::ZERO,
    };
    let mut out = Vec::new();
    criterion.bench_function("answer/userspace", |bencher| {
        bencher.iter(|| respond(black_box(table), &settings, black_box(&received), 1 << 60, &mut out));
    });

    let sizes = Sizes::needed(table).with_headroom(u32::MAX);
    let mut hot = HotTable::new(HotMemory::owned(sizes), sizes, 7, table.clients().clone());
    hot.serve(&[server]);
    datapath::fill(&mut hot, table);
    let query = QueryFrame::new(client, server, message.clone()).octets();
    let tables = hot.memory().tables(&hot.settings(UDP_PAYLOAD_MAX, 0), 1, 0);
    let mut scratch = Scratch::new();
    criterion.bench_function("answer/fast path on the host", |bencher| {
        bencher.iter_batched_ref(
            || Frame::new(query.clone()),
            |frame| assert_eq!(fastpath::run(frame, &tables, &mut scratch), Verdict::Reply),
            criterion::BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, answers);
criterion_main!(benches);
