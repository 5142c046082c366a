//! What an explanation says, in words and numbers that people and scripts read.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::Ttl;

/// Why a question is answered as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The name asked for.
    pub name: String,
    /// The type asked for.
    #[serde(rename = "type")]
    pub rtype: String,
    /// The zone that answers.
    pub zone: String,
    /// Who asks; none if that was left open, and nothing is known of the client.
    pub client: Option<ClientTold>,
    /// Health checks that were taken for healthy or unhealthy, whatever they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supposed: Vec<CheckTold>,
    /// How the name was found.
    pub found: Found,
    /// The owner of the records that answer, if there is one: the name itself, or the wildcard that covers it.
    pub owner: Option<String>,
    /// The record set groups that the answer may come from. The first is the one asked; an alias names its target by its place here.
    pub groups: Vec<GroupTold>,
    /// The answers, likeliest first.
    pub answers: Vec<AnswerTold>,
    /// Where it is answered.
    pub path: PathTold,
}

/// How a name was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// A record set group answers.
    Group,
    /// The name exists and has no record of this type.
    NoType,
    /// The name is delegated to other servers (D-11).
    Delegated,
    /// The name lies below a DNAME (D-12).
    Redirected,
    /// Type ANY, which is answered with one HINFO record (RFC 8482, D-4).
    Any,
    /// The keys of a zone that is signed.
    Keys,
}

/// What is known of a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ClientTold {
    pub address: IpAddr,
    /// Its first 24 or 48 bits, which are what is looked at.
    pub network: String,
    pub country: Option<String>,
    pub subdivision: Option<String>,
    pub continent: Option<String>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
}

/// A group's decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupTold {
    /// Owner.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Topmost name of the group's zone.
    pub zone: String,
    /// `simple`, `weighted`, …
    pub policy: String,
    ///
    pub healthy: bool,
    /// Whether members answer although none of them is healthy.
    pub last_resort: bool,
    /// The members, in order of declaration.
    pub members: Vec<MemberTold>,
}

/// A record set's part in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberTold {
    /// `SetIdentifier`.
    pub set_id: Option<String>,
    /// What its policy field says; empty for simple and multivalue ones.
    pub says: String,
    /// Place in the client's order of preference, from 1; none if it may not answer this client, or the policy does not look at it.
    pub preference: Option<usize>,
    /// Whether it may answer this client at all.
    pub applicable: bool,
    ///
    pub healthy: bool,
    /// Why it is or is not.
    pub why: String,
    /// Whether the policy may choose it.
    pub in_pool: bool,
    /// How often it answers, of the times this group is asked.
    pub share: Share,
    /// Its health check.
    pub check: Option<CheckTold>,
    /// What it answers with.
    #[serde(flatten)]
    pub data: DataTold,
    /// Where it is declared, as `file:line:column`.
    pub source: Option<String>,
}

/// Values or an alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataTold {
    /// Records.
    Values {
        /// Seconds.
        ttl: u32,
        /// As Route 53 writes them.
        values: Vec<String>,
    },
    /// Another group answers.
    Alias {
        /// Its owner.
        name: String,
        /// The id of its zone.
        zone: String,
        /// `EvaluateTargetHealth`.
        evaluate_target_health: bool,
        /// Its place among the groups; none if it does not exist.
        target: Option<usize>,
    },
}

/// A health check's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTold {
    /// Its id.
    pub id: String,
    /// Whether it counts as healthy.
    pub healthy: bool,
    /// Why.
    pub reason: String,
}

/// An exact share of a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// In lowest terms: `0`, `1`, `3/8`.
    pub fraction: String,
    /// The same, as near as a floating-point number comes.
    pub percent: f64,
}

/// One possible answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerTold {
    /// How often.
    pub share: Share,
    /// What.
    pub answer: OutcomeTold,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeTold {
    /// These records together.
    Records {
        /// Their type.
        #[serde(rename = "type")]
        rtype: String,
        /// Seconds.
        ttl: u32,
        /// As Route 53 writes them.
        values: Vec<String>,
    },
    /// The records of eight of these.
    EightOf {
        /// Their type.
        #[serde(rename = "type")]
        rtype: String,
        /// Seconds.
        ttl: u32,
        /// The values of each member.
        members: Vec<Vec<String>>,
    },
    /// NOERROR without an answer record.
    NoData,
    /// The name servers of the delegated zone.
    Referral,
}

impl OutcomeTold {
    /// Lowers a longer lifetime.
    pub(super) fn live_at_most(&mut self, most: Ttl) {
        match self {
            Self::Records { ttl, .. } | Self::EightOf { ttl, .. } => *ttl = most.0.min(*ttl),
            Self::NoData | Self::Referral => {}
        }
    }
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathTold {
    /// The XDP program.
    pub kernel: bool,
    /// Why userspace does, or what may still keep the kernel from it.
    pub why: Option<String>,
}
