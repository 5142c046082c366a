//! Where the rate limit's budgets are kept: in memory of this process, or in the kernel half's, so that both halves spend from the same ones.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use pulse53_abi::limits::RATE_BUCKETS;
use pulse53_abi::shared::Shared;

/// As many words as there are buckets.
pub type Words = Box<dyn Deref<Target = [Shared]> + Send + Sync>;

/// The buckets, wherever they are.
pub struct Buckets(ArcSwap<Words>);

impl Default for Buckets {
    /// Full budgets for everyone, in memory of this process.
    fn default() -> Self {
        let words: Box<[Shared]> = (0..RATE_BUCKETS).map(|_| Shared::default()).collect();
        Self(ArcSwap::from_pointee(Box::new(words)))
    }
}

impl Buckets {
    /// Those in use now.
    pub fn words(&self) -> Guard<Arc<Words>> {
        self.0.load()
    }

    /// Goes on in other memory. What is spent in this moment may be forgotten.
    pub fn move_to(&self, words: Words) {
        for (to, from) in words.iter().zip(self.words().iter()) {
            to.store(from.load());
        }
        self.0.store(Arc::new(words));
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Buckets(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spent_goes_along() {
        let buckets = Buckets::default();
        buckets.words()[7].store(53);
        let elsewhere: Arc<[Shared]> = (0..RATE_BUCKETS).map(|_| Shared::new(1)).collect();
        buckets.move_to(Box::new(elsewhere.clone()));
        assert_eq!([&elsewhere[7], &elsewhere[8]].map(Shared::load), [53, 0]);
        buckets.words()[8].store(54);
        assert_eq!(elsewhere[8].load(), 54);
    }
}
