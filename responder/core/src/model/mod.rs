//! What operators declare: zones, record sets, policies, aliases and health checks, in Route 53's terms.
//!
//! Everything here is plain data, validated when it is built: a [`Zone`] that exists obeys the rules of
//! the routing specification, so what reads it need not check again. Nothing here knows health status, clients
//! or DNS messages.

pub mod check;
pub mod cidr;
pub mod name;
pub mod places;
pub mod policy;
pub mod problem;
pub mod record;
pub mod snapshot;
pub mod zone;

pub use check::{CheckId, CheckKind, HealthCheck};
pub use cidr::{CidrBlock, CidrBlockError, CidrCollection};
pub use domain::base::iana::Rtype as RecordType;
pub use name::{Name, NameError};
pub use policy::{FailoverRole, PolicyKind, RoutingPolicy};
pub use problem::{Findings, Problem};
pub use record::{AliasTarget, Rdata, RecordData, RecordSet, SetId, Source, Ttl};
pub use snapshot::{Revision, Snapshot};
pub use zone::{RRsetGroup, Zone, ZoneId};
