//! All final statuses at one moment: what the compiler reads.

use crate::model::CheckId;

/// Final statuses by check. Cloning is cheap whatever the size: clones share what did not change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HealthView {
    healthy: imbl::HashMap<CheckId, bool>,
}

impl HealthView {
    /// A view of no checks: everything counts as healthy.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the check is healthy; an unknown one is.
    pub fn is_healthy(&self, id: &CheckId) -> bool {
        self.healthy.get(id).copied().unwrap_or(true)
    }

    /// Sets the final status of a check.
    pub fn set(&mut self, id: CheckId, healthy: bool) {
        self.healthy.insert(id, healthy);
    }

    /// Forgets a check, which then counts as healthy.
    pub fn remove(&mut self, id: &CheckId) {
        self.healthy.remove(id);
    }

    /// How many checks are known.
    pub fn len(&self) -> usize {
        self.healthy.len()
    }

    /// Whether no check is known.
    pub fn is_empty(&self) -> bool {
        self.healthy.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_check_is_healthy_r54() {
        let mut view = HealthView::new();
        let id = CheckId::from("a");
        assert!(view.is_healthy(&id));
        view.set(id.clone(), false);
        let before = view.clone();
        assert!(!view.is_healthy(&id));
        view.remove(&id);
        assert!(view.is_healthy(&id));
        assert!(!before.is_healthy(&id), "a clone keeps its moment");
    }
}
