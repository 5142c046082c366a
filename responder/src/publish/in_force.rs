//! The table in force, and those before it for as long as somebody answers from them.
//!
//! A large table takes long to take apart. Whoever is the last to look at it would have to, and let queries wait meanwhile; so the one who replaced it
//! holds it until nobody else does.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pulse53_core::table::AnswerTable;

/// What userspace answers from.
#[derive(Debug)]
pub struct InForce {
    table: Arc<ArcSwap<AnswerTable>>,
    /// Few: a query looks at a table for microseconds, an explanation for moments.
    before: Vec<Arc<AnswerTable>>,
}

impl InForce {
    /// The first table.
    pub fn new(table: AnswerTable) -> Self {
        Self { table: Arc::new(ArcSwap::from_pointee(table)), before: Vec::new() }
    }

    /// Where the table in force is always found.
    pub fn table(&self) -> &Arc<ArcSwap<AnswerTable>> {
        &self.table
    }

    /// Puts another table into force.
    pub fn replace(&mut self, table: AnswerTable) {
        self.before.push(self.table.swap(Arc::new(table)));
    }

    /// Takes apart what nobody else looks at any more; from time to time, and not while something waits for it.
    pub fn tidy(&mut self) {
        self.before.retain(|table| Arc::strong_count(table) > 1);
    }
}

#[cfg(test)]
mod tests {
    use pulse53_core::compile::Compiler;
    use pulse53_core::model::Snapshot;
    use pulse53_core::table::Generation;

    use super::*;

    #[test]
    fn a_reader_is_never_the_last_to_hold_a_table() {
        let table = |generation| {
            let compiler = Compiler::new(&Snapshot::default(), &|_| true, Generation(generation));
            compiler.table().clone()
        };
        let mut in_force = InForce::new(table(1));
        let reader = in_force.table().load();
        in_force.replace(table(2));
        let first = Arc::downgrade(&in_force.before[0]);
        in_force.tidy();
        assert_eq!(reader.generation(), Generation(1));
        drop(reader);
        assert!(first.upgrade().is_some(), "not taken apart by the reader");
        in_force.tidy();
        assert!(first.upgrade().is_none());
        assert_eq!(in_force.table().load().generation(), Generation(2));
    }
}
