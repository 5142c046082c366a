//! Questions of operators about answers: read, put to core, and given reasons. The running agent and the command without one share this.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pulse53_core::explain::{self, Asked, Explanation, Statuses, Unexplained};
use pulse53_core::geo::GeoDb;
use pulse53_core::health::{HealthState, HealthView, Moment, StoredHealth, suppose};
use pulse53_core::model::{CheckId, Name, RecordType, Snapshot};
use pulse53_core::nearest::nearest;
use pulse53_core::rdata;
use pulse53_core::table::AnswerTable;
use serde::{Deserialize, Serialize};

/// Why the kernel answers nothing where no interface is configured.
pub const NO_INTERFACES: &str = "[xdp] interfaces names no interface";

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// A domain name.
    pub name: String,
    /// A record type.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Who asks; none: a client of whom nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// Health checks to take for unhealthy.
    #[serde(default)]
    pub down: Vec<String>,
    /// Health checks to take for healthy.
    #[serde(default)]
    pub up: Vec<String>,
}

/// Why there is no explanation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The name is none.
    #[error("{name:?} is no domain name: {error}")]
    Name {
        /// As it was written.
        name: String,
        /// Why not.
        error: pulse53_core::model::NameError,
    },
    /// The type is none.
    #[error("{0:?} is no record type; write one such as A, AAAA, CNAME, MX, TXT or TYPE65280")]
    Type(String),
    /// A supposed check does not exist.
    #[error(transparent)]
    Supposed(#[from] Supposed),
    /// The answer needs none, or cannot be explained now.
    #[error(transparent)]
    Unexplained(#[from] Unexplained),
}

/// Why checks cannot be supposed to be healthy or unhealthy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Supposed {
    /// There is no such check.
    #[error("no health check has the id {id:?}{}", nearest.as_ref().map_or_else(
        || "; there are none".to_owned(), |nearest| format!("; did you mean {nearest:?}?")
    ))]
    NoSuchCheck {
        /// As it was written.
        id: String,
        /// The id most like it.
        nearest: Option<String>,
    },
    /// It is in both lists.
    #[error("health check {0:?} is given both as down and as up; keep one")]
    Both(String),
}

/// All that answers follow from.
pub struct Known<'a> {
    /// The declarations.
    pub snapshot: &'a Snapshot,
    /// Where clients are.
    pub geo: &'a GeoDb,
    /// Both compiled, under some health.
    pub table: &'a AnswerTable,
    /// That health.
    pub view: &'a HealthView,
    /// Why a check has its status, and whether an operator set it by hand.
    pub reason: &'a dyn Fn(&CheckId) -> (String, bool),
    /// Why the kernel answers nothing at all, if so.
    pub kernel_off: Option<&'a str>,
    /// Questions that the kernel could answer and has no room for; which ones is not known here.
    pub without_room: usize,
}

/// Explains an answer.
pub fn explain(question: &Question, known: &Known<'_>) -> Result<Explanation, Refused> {
    let Known { snapshot, view, .. } = known;
    let asked = asked(question)?;
    let supposed = supposed(snapshot, &question.down, &question.up)?;
    let by_hand = |id: &CheckId| (known.reason)(id).1;
    let then = suppose(view, &snapshot.checks, &supposed, &by_hand);
    let of = |id: &CheckId| {
        snapshot.checks.get(id)?;
        let healthy = then.is_healthy(id);
        let reason = if supposed.contains_key(id) {
            "supposed".to_owned()
        } else if healthy != view.is_healthy(id) {
            "following from what is supposed".to_owned()
        } else {
            (known.reason)(id).0
        };
        Some((healthy, reason))
    };
    let statuses = Statuses { of: &of, supposed: &supposed };
    let mut explanation = explain::explain(snapshot, known.geo, known.table, &asked, statuses)?;
    if let (true, Some(why)) = (explanation.path.kernel, known.kernel_off) {
        explanation.path.kernel = false;
        explanation.path.why = Some(why.to_owned());
    } else if explanation.path.kernel && known.without_room > 0 {
        let why = format!("unless it is among {} questions for which there is no room", known.without_room);
        explanation.path.why = Some(why);
    }
    Ok(explanation)
}

fn asked(question: &Question) -> Result<Asked, Refused> {
    let name = Name::from_route53(&question.name)
        .map_err(|error| Refused::Name { name: question.name.clone(), error })?;
    let any = question.rtype.eq_ignore_ascii_case("ANY").then_some(RecordType::ANY);
    let rtype = any.or_else(|| rdata::record_type(&question.rtype));
    let rtype = rtype.ok_or_else(|| Refused::Type(question.rtype.clone()))?;
    Ok(Asked { name, rtype, client: question.client })
}

/// The checks named, with the status each is taken to have.
pub fn supposed(
    snapshot: &Snapshot,
    down: &[String],
    up: &[String],
) -> Result<BTreeMap<CheckId, bool>, Supposed> {
    let mut supposed = BTreeMap::new();
    let named = down.iter().map(|id| (id, false)).chain(up.iter().map(|id| (id, true)));
    for (id, healthy) in named {
        let check = CheckId::from(id.as_str());
        if !snapshot.checks.contains_key(&check) {
            let nearest = nearest(id, snapshot.checks.keys().map(|known| &*known.0)).map(str::to_owned);
            return Err(Supposed::NoSuchCheck { id: id.clone(), nearest });
        }
        if supposed.insert(check, healthy).is_some_and(|earlier| earlier != healthy) {
            return Err(Supposed::Both(id.clone()));
        }
    }
    Ok(supposed)
}

/// The statuses of a node that has just been started, and has probed nothing yet (H-34).
pub fn statuses_at_start(snapshot: &Snapshot) -> HealthView {
    let mut state = HealthState::new(Vec::new(), &BTreeMap::new(), StoredHealth::default());
    state.apply(Moment::default(), &snapshot.checks);
    state.view()
}
