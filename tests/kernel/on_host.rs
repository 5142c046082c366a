//! A hot table in plain memory, read by the host build of the fast path: whatever is answered, is answered as userspace does.

use std::net::SocketAddr;
use std::time::Duration;

use fastpath::Scratch;
use fastpath::host::Frame;
use fastrand::Rng;
use pulse53::datapath::{self, HotMemory, HotTable, Sizes};
use pulse53::serve::reply::{Received, ReplySettings, Transport, respond};
use pulse53_abi::limits::UDP_PAYLOAD_MAX;
use pulse53_abi::verdict::Verdict;
use pulse53_core::compile::Compiler;
use pulse53_core::geo::GeoDb;
use pulse53_core::table::AnswerTable;
use pulse53_tests::engines::SERVED;
use pulse53_tests::frame::{Opt, Query, QueryFrame};
use pulse53_tests::tangled::Tangled;

/// No answer here goes by lot.
const DRAW: u64 = 53;

/// The addresses answered for.
pub fn served() -> Vec<SocketAddr> {
    SERVED.iter().map(|address| address.parse().expect("an address")).collect()
}

/// A query in its frame, which takes as long a reply as there is.
pub fn frame(query: Query) -> QueryFrame {
    let query = query.with_edns(Opt { size: UDP_PAYLOAD_MAX, ..Opt::default() });
    QueryFrame::new("198.51.100.1:4242".parse().expect("an address"), served()[0], query.octets())
}

/// A query at random for what may be there.
pub fn random_query(random: &mut Rng, tangled: &Tangled) -> QueryFrame {
    frame(tangled.query(random))
}

/// Userspace's reply.
pub fn in_userspace(table: &AnswerTable, query: &QueryFrame) -> Vec<u8> {
    let source = query.client.ip();
    let received = Received { packet: &query.message, source, transport: Transport::Udp, at: Duration::ZERO };
    let mut message = Vec::new();
    respond(table, &ReplySettings::default(), &received, DRAW, &mut message).expect("a reply");
    message
}

/// Sizes with room for what a table becomes by many changes, too.
pub fn spacious(table: &AnswerTable) -> Sizes {
    Sizes {
        names: 4096,
        small: 4096,
        medium: 4096,
        large: 4096,
        ..Sizes::needed(table).with_headroom(u32::MAX)
    }
}

/// A hot table without entries.
pub fn empty(sizes: Sizes, table: &AnswerTable) -> HotTable {
    let mut hot = HotTable::new(HotMemory::owned(sizes), sizes, 53, table.clients().clone());
    hot.serve(&served());
    hot
}

/// What the fast path does with a query; if it answers, then as userspace does.
pub fn verdict(hot: &HotTable, table: &AnswerTable, query: &QueryFrame) -> Verdict {
    let mut frame = Frame::new(query.octets());
    let tables = hot.memory().tables(&hot.settings(UDP_PAYLOAD_MAX, 0), DRAW, 0);
    let verdict = fastpath::run(&mut frame, &tables, &mut Scratch::new());
    if verdict.is_reply() {
        assert_eq!(frame.octets, query.reply_octets(&in_userspace(table, query)), "{query:?}");
    }
    verdict
}

/// Takes up what is declared next, as the agent does; whether in place.
pub fn succeed(compiler: &mut Compiler, hot: &mut HotTable, tangled: &Tangled, version: u8) -> bool {
    let generation = compiler.table().generation().next();
    let snapshot = tangled.snapshot(version);
    let succession = compiler.succeed(&snapshot, &GeoDb::default(), &|_| true, generation);
    *compiler = succession.compiler;
    match &succession.changed {
        Some(changed) => {
            let changed = changed.iter().map(|(owner, rtype)| (owner, *rtype));
            datapath::sync_declared(hot, compiler.table(), changed);
        }
        None => {
            datapath::fill(hot, compiler.table());
        }
    }
    succession.changed.is_some()
}
