//! The routing policy of one record set (routing specification, section 4).

/// How a record set takes part in its group; one field of the Route 53 object says which.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RoutingPolicy {
    /// No policy field: the only member of its group.
    Simple,
    /// `Weight`, 0 to 255.
    Weighted(u8),
    /// `Failover`.
    Failover(FailoverRole),
    /// `MultiValueAnswer: true`.
    Multivalue,
    /// `Region`.
    Latency(String),
    /// `GeoLocation`.
    Geolocation(GeoLocation),
    /// `CidrRoutingConfig`.
    Cidr {
        /// Id of the CIDR collection.
        collection: String,
        /// Name of one of its locations, or `*`.
        location: String,
    },
    /// `GeoProximityLocation`.
    Geoproximity {
        /// Where the resource is.
        place: GeoProximityPlace,
        /// -99 to 99.
        bias: i8,
    },
}

/// The place a geolocation record set is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GeoLocation {
    /// One of AF AN AS EU NA OC SA.
    Continent([u8; 2]),
    /// ISO 3166-1 alpha-2.
    Country([u8; 2]),
    /// A state of the US.
    Subdivision(String),
    /// `CountryCode` `*`.
    Default,
}

/// Where a geoproximity resource is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GeoProximityPlace {
    /// `AWSRegion`.
    Region(String),
    /// `LocalZoneGroup`.
    LocalZoneGroup(String),
    /// `Coordinates`, in hundredths of a degree, cut and not rounded.
    Coordinates {
        /// -9000 to 9000.
        latitude_centi: i16,
        /// -18000 to 18000.
        longitude_centi: i16,
    },
}

/// Which half of a failover pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailoverRole {
    /// Answers while it is in the pool.
    Primary,
    /// Answers otherwise.
    Secondary,
}

/// The policy that all members of one group share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of `RoutingPolicy`")]
pub enum PolicyKind {
    Simple,
    Weighted,
    Failover,
    Multivalue,
    Latency,
    Geolocation,
    Cidr,
    Geoproximity,
}

impl PolicyKind {
    /// The most members a group of this policy may hold.
    pub fn members_max(self) -> usize {
        match self {
            Self::Simple => 1,
            Self::Failover => 2,
            Self::Geoproximity => 30,
            Self::Weighted | Self::Multivalue | Self::Latency | Self::Geolocation | Self::Cidr => 100,
        }
    }

    /// The field of a record set that says so; none for simple, which is said by the absence of all.
    pub fn field(self) -> Option<&'static str> {
        match self {
            Self::Simple => None,
            Self::Weighted => Some("Weight"),
            Self::Failover => Some("Failover"),
            Self::Multivalue => Some("MultiValueAnswer"),
            Self::Latency => Some("Region"),
            Self::Geolocation => Some("GeoLocation"),
            Self::Cidr => Some("CidrRoutingConfig"),
            Self::Geoproximity => Some("GeoProximityLocation"),
        }
    }

    /// The word used in messages: `simple`, `weighted`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Weighted => "weighted",
            Self::Failover => "failover",
            Self::Multivalue => "multivalue",
            Self::Latency => "latency",
            Self::Geolocation => "geolocation",
            Self::Cidr => "IP-based",
            Self::Geoproximity => "geoproximity",
        }
    }
}

impl RoutingPolicy {
    /// Which policy this is, without its parameters.
    pub fn kind(&self) -> PolicyKind {
        match self {
            Self::Simple => PolicyKind::Simple,
            Self::Weighted(_) => PolicyKind::Weighted,
            Self::Failover(_) => PolicyKind::Failover,
            Self::Multivalue => PolicyKind::Multivalue,
            Self::Latency(_) => PolicyKind::Latency,
            Self::Geolocation(_) => PolicyKind::Geolocation,
            Self::Cidr { .. } => PolicyKind::Cidr,
            Self::Geoproximity { .. } => PolicyKind::Geoproximity,
        }
    }
}
