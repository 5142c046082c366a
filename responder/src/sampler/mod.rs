//! Answers again, in userspace, what the kernel has answered, and compares: a small share of all, in production.
//!
//! The kernel half sends query, reply and draw of one answer in so many. Userspace answers the same query with the same draw
//! from the table in force; law 1 says that both are the same octets. Where they are not, the question is left to userspace until the next
//! start, counted, and told with both packets. Answers that may have met a change are not judged (see [`publish::Quiet`]).

mod frame;
mod judge;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

use pulse53_abi::sample::Sample;
use pulse53_core::lower::HotKey;

use crate::publish;
use crate::serve;
pub use judge::{Difference, Judged, judge};

/// What became of samples.
#[derive(Debug, Default)]
pub struct Counts {
    same: AtomicU64,
    different: AtomicU64,
    unsure: AtomicU64,
    /// Told by who should have passed them on.
    lost: Arc<AtomicU64>,
}

impl Counts {
    /// By outcome, as the metric names it.
    pub fn by_outcome(&self) -> [(&'static str, u64); 4] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("same", of(&self.same)),
            ("different", of(&self.different)),
            ("unsure", of(&self.unsure)),
            ("lost", of(&self.lost)),
        ]
    }

    /// Where those are counted that do not arrive.
    pub fn lost(&self) -> Arc<AtomicU64> {
        self.lost.clone()
    }
}

/// Judges samples on a thread of its own until nobody sends any more. `is_routed`: whether replies go where routes lead.
pub fn start(
    samples: Receiver<Sample>,
    published: publish::Shared,
    served: Arc<serve::Shared>,
    is_routed: bool,
    counts: Arc<Counts>,
) -> std::io::Result<()> {
    std::thread::Builder::new().name("sampler".to_owned()).spawn(move || {
        for sample in samples {
            take(&sample, &published, &served, is_routed, &counts);
        }
    })?;
    Ok(())
}

fn take(
    sample: &Sample,
    published: &publish::Shared,
    served: &serve::Shared,
    is_routed: bool,
    counts: &Counts,
) {
    let count = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed);
    // Nothing may have changed from before the answer until after it was judged.
    let Some(quiet) = published.quiet.since(sample.began_at) else {
        count(&counts.unsure);
        return;
    };
    let table = served.table.load();
    let judged = judge(sample, &table, &served.settings.load(), is_routed);
    if !published.quiet.is_still(quiet) {
        count(&counts.unsure);
        return;
    }
    match judged {
        Judged::Same => _ = count(&counts.same),
        Judged::Unreadable => _ = count(&counts.unsure),
        Judged::Different(difference) => {
            count(&counts.different);
            tell(&difference);
            if let (Some(key), Some(datapath)) = (difference.key, published.datapath().as_mut()) {
                datapath.distrust(key, table.generation());
            }
        }
    }
}

fn tell(difference: &Difference) {
    let Difference { key, what, query, reply, expected } = difference;
    let question = key.as_ref().map(|HotKey { name, qtype }| format!("{name} {qtype}"));
    tracing::error!(
        question,
        what,
        query = hex::encode(query),
        reply = hex::encode(reply),
        expected = hex::encode(expected),
        "the kernel's answer differs from userspace's; userspace alone answers this question until the next start; please report it"
    );
}
