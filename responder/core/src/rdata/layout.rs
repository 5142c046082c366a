//! Which fields the data of each record type has, in order: the one table that reading, printing and comparing walk.

use crate::model::RecordType;

/// What a field holds, on the wire and in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Four octets, dotted quad.
    Ipv4,
    /// Sixteen octets, RFC 4291 text.
    Ipv6,
    /// A domain name.
    Name,
    /// One octet, decimal.
    U8,
    /// Two octets, decimal.
    U16,
    /// Four octets, decimal.
    U32,
    /// Four octets: seconds, or a period such as `1h30m` in a master file.
    Period,
    /// One character string.
    Text,
    /// Character strings to the end, at least one.
    Texts,
    /// One or two character strings (ISDN).
    TextPair,
    /// Letters and digits with a length octet, never quoted (CAA).
    Tag,
    /// Octets to the end, one quoted string without a length (CAA, URI).
    Tail,
    /// Octets to the end, hexadecimal; blanks allowed inside.
    Hex,
    /// Octets to the end, base64; blanks allowed inside.
    Base64,
    /// A length octet, then octets in hexadecimal; `-` for none (NSEC3).
    Salt,
    /// A length octet, then octets in base32hex (NSEC3).
    Hash,
    /// Record types to the end, as window blocks (NSEC).
    Types,
    /// One record type (RRSIG).
    Type,
    /// A DNSSEC algorithm, number or mnemonic.
    Algorithm,
    /// A certificate type, number or mnemonic (CERT).
    Certificate,
    /// Four octets: seconds since 1970, or `YYYYMMDDHHmmSS`.
    Time,
    /// Service parameters to the end (SVCB, HTTPS).
    Parameters,
    /// A place on earth (LOC).
    Location,
    /// Six octets, `00-00-5e-00-53-2a`.
    Eui48,
    /// Eight octets, `00-00-5e-ef-10-00-00-2a`.
    Eui64,
    /// Eight octets as four groups, `0014:4fff:ff20:ee64` (NID, L64).
    Node,
}

impl Kind {
    /// Whether quotation marks may enclose the text.
    pub(super) fn may_be_quoted(self) -> bool {
        // Service parameters say better themselves where their quotation marks belong.
        matches!(self, Self::Text | Self::Texts | Self::TextPair | Self::Tail | Self::Parameters)
    }
}

/// A field's name, for messages, and what it holds.
pub(super) type Field = (&'static str, Kind);

/// The fields of a type; none where only RFC 3597 text can write it.
pub(super) fn layout(record_type: RecordType) -> Option<&'static [Field]> {
    use Kind::*;
    use RecordType as T;
    const TARGET: &[Field] = &[("target", Name)];
    const TWO_NAMES: &[Field] = &[("first name", Name), ("second name", Name)];
    const PREFERENCE: &[Field] = &[("preference", U16), ("target", Name)];
    const DIGEST: &[Field] =
        &[("key tag", U16), ("algorithm", Algorithm), ("digest type", U8), ("digest", Hex)];
    const KEY: &[Field] =
        &[("flags", U16), ("protocol", U8), ("algorithm", Algorithm), ("public key", Base64)];
    const SIGNATURE: &[Field] = &[
        ("type covered", Type),
        ("algorithm", Algorithm),
        ("labels", U8),
        ("original TTL", U32),
        ("expiration", Time),
        ("inception", Time),
        ("key tag", U16),
        ("signer", Name),
        ("signature", Base64),
    ];
    const ASSOCIATION: &[Field] =
        &[("usage", U8), ("selector", U8), ("matching type", U8), ("association data", Hex)];
    const SERVICE: &[Field] = &[("priority", U16), ("target", Name), ("parameters", Parameters)];
    Some(match record_type {
        T::A => &[("address", Ipv4)],
        T::AAAA => &[("address", Ipv6)],
        T::NS | T::CNAME | T::PTR | T::DNAME | T::MB | T::MD | T::MF | T::MG | T::MR => TARGET,
        T::SOA => &[
            ("primary server", Name),
            ("mailbox", Name),
            ("serial", U32),
            ("refresh", Period),
            ("retry", Period),
            ("expire", Period),
            ("minimum", Period),
        ],
        T::MX | T::AFSDB | T::KX | T::RT | T::LP => PREFERENCE,
        T::TXT | T::SPF | T::AVC | T::NINFO => &[("text", Texts)],
        T::HINFO => &[("CPU", Text), ("OS", Text)],
        T::MINFO | T::RP | T::TALINK => TWO_NAMES,
        T::SRV => &[("priority", U16), ("weight", U16), ("port", U16), ("target", Name)],
        T::NAPTR => &[
            ("order", U16),
            ("preference", U16),
            ("flags", Text),
            ("services", Text),
            ("regular expression", Text),
            ("replacement", Name),
        ],
        T::CAA => &[("flags", U8), ("tag", Tag), ("value", Tail)],
        T::URI => &[("priority", U16), ("weight", U16), ("target", Tail)],
        T::DS | T::CDS | T::DLV | T::TA => DIGEST,
        T::DNSKEY | T::CDNSKEY | T::KEY | T::RKEY => KEY,
        T::RRSIG | T::SIG => SIGNATURE,
        T::NSEC => &[("next name", Name), ("types", Types)],
        T::NSEC3 => &[
            ("hash algorithm", U8),
            ("flags", U8),
            ("iterations", U16),
            ("salt", Salt),
            ("next hashed owner", Hash),
            ("types", Types),
        ],
        T::NSEC3PARAM => &[("hash algorithm", U8), ("flags", U8), ("iterations", U16), ("salt", Salt)],
        T::CSYNC => &[("serial", U32), ("flags", U16), ("types", Types)],
        T::ZONEMD => &[("serial", U32), ("scheme", U8), ("hash algorithm", U8), ("digest", Hex)],
        T::TLSA | T::SMIMEA => ASSOCIATION,
        T::SSHFP => &[("algorithm", U8), ("fingerprint type", U8), ("fingerprint", Hex)],
        T::OPENPGPKEY => &[("public key", Base64)],
        T::DHCID => &[("digest", Base64)],
        T::CERT => &[
            ("certificate type", Certificate),
            ("key tag", U16),
            ("algorithm", Algorithm),
            ("certificate", Base64),
        ],
        T::SVCB | T::HTTPS => SERVICE,
        T::LOC => &[("location", Location)],
        T::X25 => &[("address", Text)],
        T::ISDN => &[("address", TextPair)],
        T::PX => &[("preference", U16), ("RFC 822 name", Name), ("X.400 name", Name)],
        T::GPOS => &[("longitude", Text), ("latitude", Text), ("altitude", Text)],
        T::EUI48 => &[("address", Eui48)],
        T::EUI64 => &[("address", Eui64)],
        T::NID | T::L64 => &[("preference", U16), ("node", Node)],
        T::L32 => &[("preference", U16), ("locator", Ipv4)],
        _ => return None,
    })
}

/// Numbers and mnemonics of DNSSEC algorithms.
pub(super) const ALGORITHMS: [(u8, &str); 16] = [
    (1, "RSAMD5"),
    (2, "DH"),
    (3, "DSA"),
    (5, "RSASHA1"),
    (6, "DSA-NSEC3-SHA1"),
    (7, "RSASHA1-NSEC3-SHA1"),
    (8, "RSASHA256"),
    (10, "RSASHA512"),
    (12, "ECC-GOST"),
    (13, "ECDSAP256SHA256"),
    (14, "ECDSAP384SHA384"),
    (15, "ED25519"),
    (16, "ED448"),
    (252, "INDIRECT"),
    (253, "PRIVATEDNS"),
    (254, "PRIVATEOID"),
];

/// Numbers and mnemonics of certificate types.
pub(super) const CERTIFICATES: [(u16, &str); 10] = [
    (1, "PKIX"),
    (2, "SPKI"),
    (3, "PGP"),
    (4, "IPKIX"),
    (5, "ISPKI"),
    (6, "IPGP"),
    (7, "ACPKIX"),
    (8, "IACPKIX"),
    (253, "URI"),
    (254, "OID"),
];
