//! Multivalue answer routing.

use super::Selection;

/// The most record sets in one multivalue answer.
pub(crate) const TOGETHER_MAX: usize = 8;

/// The whole pool together; what happens above [`TOGETHER_MAX`] is decided when answers are prepared.
pub(super) fn select(pool: &[usize]) -> Selection {
    Selection::Together(pool.into())
}
