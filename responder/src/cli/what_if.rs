//! `pulse53 check --what-if`: what the failure of health checks would do to answers.

use std::collections::BTreeMap;
use std::fmt;

use pulse53_core::compile::Compiler;
use pulse53_core::explain::{AnswerTold, answers_told};
use pulse53_core::health::{HealthView, suppose};
use pulse53_core::model::{CheckId, Snapshot};
use pulse53_core::what_if::{Effect, effects};
use serde::Serialize;

use super::Failure;
use super::draw::brief;
use crate::explain::supposed;

/// Some health, and what it would do.
#[derive(Debug, Serialize)]
pub struct Supposition {
    /// Checks taken for unhealthy.
    down: Vec<String>,
    /// Checks taken for healthy.
    up: Vec<String>,
    /// The names.
    #[serde(rename = "names")]
    pub effects: Vec<Told>,
}

/// What it would do to one name.
#[derive(Debug, Serialize)]
pub struct Told {
    name: String,
    #[serde(rename = "type")]
    rtype: String,
    /// Whether a group in last resort would have a part in the answer, and has none now.
    last_resort: bool,
    /// Whether only some clients would see another answer.
    some_clients: bool,
    /// The answers now; empty if they stay.
    before: Vec<AnswerTold>,
    /// The answers then.
    after: Vec<AnswerTold>,
}

/// Each check in turn taken down; or, with ids, those together. The compiler follows `now`.
pub fn suppositions(
    snapshot: &Snapshot,
    compiler: &mut Compiler,
    now: &HealthView,
    down: &[String],
    up: &[String],
) -> Result<Vec<Supposition>, Failure> {
    let mut of = |supposed: BTreeMap<CheckId, bool>| {
        let then = suppose(now, &snapshot.checks, &supposed, &|_| false);
        let differs = |id: &&CheckId| now.is_healthy(id) != then.is_healthy(id);
        let changed: Vec<CheckId> = snapshot.checks.keys().filter(differs).cloned().collect();
        let (now, then) = (|id: &CheckId| now.is_healthy(id), |id: &CheckId| then.is_healthy(id));
        let of_status = |wanted: bool| {
            let ids = supposed.iter().filter(|(_, healthy)| **healthy == wanted);
            ids.map(|(id, _)| id.to_string()).collect()
        };
        let effects = effects(compiler, &changed, &now, &then);
        Supposition {
            down: of_status(false),
            up: of_status(true),
            effects: effects.iter().map(Told::new).collect(),
        }
    };
    let together = supposed(snapshot, down, up)?;
    if !together.is_empty() {
        return Ok(vec![of(together)]);
    }
    Ok(snapshot.checks.keys().map(|id| of(BTreeMap::from([(id.clone(), false)]))).collect())
}

impl Told {
    fn new(effect: &Effect) -> Self {
        let (before, after) = match &effect.change {
            Some((before, after)) => (answers_told(effect.rtype, before), answers_told(effect.rtype, after)),
            None => (Vec::new(), Vec::new()),
        };
        Self {
            name: effect.owner.to_string(),
            rtype: effect.rtype.to_string(),
            last_resort: effect.last_resort,
            some_clients: effect.some_clients,
            before,
            after,
        }
    }
}

impl fmt::Display for Supposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |ids: &[String], word: &str| (!ids.is_empty()).then(|| format!("{} {word}", ids.join(", ")));
        let parts: Vec<String> = [of(&self.down, "down"), of(&self.up, "up")].into_iter().flatten().collect();
        write!(f, "what if {}: ", parts.join("; "))?;
        match self.effects.len() {
            0 => f.write_str("no answer changes"),
            1 => f.write_str("1 name changes its answer or comes to last resort"),
            names => write!(f, "{names} names change their answers or come to last resort"),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.name, self.rtype)?;
        if self.after.is_empty() {
            return f.write_str("the same answer, by last resort");
        }
        if self.some_clients {
            f.write_str("for some clients ")?;
        }
        write!(f, "{} → {}", brief(&self.before), brief(&self.after))?;
        if self.last_resort { f.write_str(", by last resort") } else { Ok(()) }
    }
}
