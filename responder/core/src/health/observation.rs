//! One probe's result, and the text users see for it (H-17, H-41).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one probe of one checker found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// How the probe ended; decides between pass and fail.
    pub outcome: Outcome,
    /// The address probed, for a check by name (H-41).
    pub resolved: Option<IpAddr>,
    /// Measured if the check asks for it and the probe passed (H-17).
    pub latency: Option<Latency>,
    /// From the start of the probe to its end.
    pub duration: Duration,
}

impl Observation {
    /// Whether the probe passed.
    pub fn passed(&self) -> bool {
        self.outcome.kind() == OutcomeKind::Success
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome.fmt(f)?;
        match self.resolved {
            Some(address) => write!(f, ". Resolved IP: {address}"),
            None => Ok(()),
        }
    }
}

/// The latencies of one passing probe (H-17); a phase the check's type does not measure is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Latency {
    /// TCP connect time; all types but the HTTPS ones.
    pub connect: Option<Duration>,
    /// From the request to the first byte of the response; HTTP and HTTPS types.
    pub first_byte: Option<Duration>,
    /// TLS handshake time; HTTPS types.
    pub tls_handshake: Option<Duration>,
}

/// How a probe or another observation ended. `Display` gives the status strings of H-41.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A final status code came, and with a passing code the search string if there is one.
    HttpStatus {
        /// Passes from 200 to 399 (H-10).
        code: u16,
        /// The reason phrase, perhaps empty.
        reason: Arc<str>,
    },
    /// The connection stands (H-12).
    TcpEstablished,
    /// The connection limit was exceeded.
    ConnectTimedOut,
    /// The endpoint refused the connection.
    ConnectionRefused,
    /// The network or host cannot be reached.
    HostUnreachable,
    /// The connection was reset.
    ConnectionReset,
    /// The configuration forbids to probe this address (H-6).
    AddressRefused(IpAddr),
    /// TLS handshake, request and status code took too long.
    NoStatusCode,
    /// The endpoint closed before the answer was complete.
    ConnectionClosed,
    /// Not HTTP, or headers that RFC 7230 section 3.2 does not allow (H-10).
    MalformedHeaders,
    /// More header bytes than H-10 allows.
    HeadersTooLong,
    /// The body ended or 5,120 bytes were seen without the string (H-11).
    StringNotFound,
    /// The body took too long (H-11).
    BodyTimedOut,
    /// The endpoint sent this TLS alert.
    TlsAlert(u8),
    /// Any other TLS error.
    TlsFailed,
    /// No address for the name, and why (H-5).
    ResolutionFailed(Arc<str>),
    /// An alarm in state OK.
    AlarmOk,
    /// An alarm in state ALARM.
    Alarm,
    /// An alarm without enough data, and why.
    InsufficientData(Arc<str>),
    /// A routing control, On or Off.
    RoutingControl(bool),
    /// What a calculated check counted (H-32).
    Calculated {
        /// Children with final status healthy.
        healthy: usize,
        /// All children.
        children: usize,
        /// `HealthThreshold`.
        needed: u16,
    },
}

/// The three beginnings of a status string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    /// `Success: `
    Success,
    /// `Failure: `
    Failure,
    /// `Insufficient data: `
    InsufficientData,
}

impl Outcome {
    /// Pass, fail or neither.
    pub fn kind(&self) -> OutcomeKind {
        let success = match self {
            Self::HttpStatus { code, .. } => (200..400).contains(code),
            Self::TcpEstablished | Self::AlarmOk => true,
            Self::RoutingControl(on) => *on,
            Self::Calculated { healthy, needed, .. } => *healthy >= usize::from(*needed),
            Self::InsufficientData(_) => return OutcomeKind::InsufficientData,
            _ => false,
        };
        if success { OutcomeKind::Success } else { OutcomeKind::Failure }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind() {
            OutcomeKind::Success => "Success: ",
            OutcomeKind::Failure => "Failure: ",
            OutcomeKind::InsufficientData => "Insufficient data: ",
        })?;
        match self {
            Self::HttpStatus { code, reason } if reason.is_empty() => write!(f, "HTTP Status Code {code}"),
            Self::HttpStatus { code, reason } => write!(f, "HTTP Status Code {code}, {reason}"),
            Self::TcpEstablished => f.write_str("TCP connection established"),
            Self::ConnectTimedOut => f.write_str("Connection timed out"),
            Self::ConnectionRefused => f.write_str("Connection refused"),
            Self::HostUnreachable => f.write_str("Host unreachable"),
            Self::ConnectionReset => f.write_str("Connection reset"),
            Self::AddressRefused(address) => write!(f, "Address {address} not allowed by the configuration"),
            Self::NoStatusCode => f.write_str("No HTTP status code within the time limit"),
            Self::ConnectionClosed => f.write_str("Connection closed by the endpoint"),
            Self::MalformedHeaders => f.write_str("Malformed response headers"),
            Self::HeadersTooLong => f.write_str("Response headers too long"),
            Self::StringNotFound => f.write_str("Search string not found in the first 5120 bytes"),
            Self::BodyTimedOut => f.write_str("Body not received within the time limit"),
            Self::TlsAlert(code) => match alert_name(*code) {
                Some(name) => write!(f, "SSL alert {name}"),
                None => write!(f, "SSL alert {code}"),
            },
            Self::TlsFailed => f.write_str("TLS handshake failed"),
            Self::ResolutionFailed(cause) => write!(f, "DNS resolution failed: {cause}"),
            Self::AlarmOk => f.write_str("Alarm state OK"),
            Self::Alarm => f.write_str("Alarm state ALARM"),
            Self::InsufficientData(cause) => f.write_str(cause),
            Self::RoutingControl(true) => f.write_str("Routing control On"),
            Self::RoutingControl(false) => f.write_str("Routing control Off"),
            Self::Calculated { healthy, children, needed } => {
                write!(f, "{healthy} of {children} child health checks healthy, {needed} needed")
            }
        }
    }
}

/// The registered name of a TLS alert (RFC 8446 section 6, and the TLS alert registry for older ones).
pub fn alert_name(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_strings_are_those_of_h41() {
        let http = |code, reason: &str| Outcome::HttpStatus { code, reason: reason.into() };
        for (outcome, text) in [
            (http(200, "OK"), "Success: HTTP Status Code 200, OK"),
            (http(399, ""), "Success: HTTP Status Code 399"),
            (http(404, "Not Found"), "Failure: HTTP Status Code 404, Not Found"),
            (http(199, "x"), "Failure: HTTP Status Code 199, x"),
            (http(400, "x"), "Failure: HTTP Status Code 400, x"),
            (Outcome::TcpEstablished, "Success: TCP connection established"),
            (Outcome::ConnectTimedOut, "Failure: Connection timed out"),
            (Outcome::NoStatusCode, "Failure: No HTTP status code within the time limit"),
            (Outcome::StringNotFound, "Failure: Search string not found in the first 5120 bytes"),
            (Outcome::TlsAlert(40), "Failure: SSL alert handshake_failure"),
            (Outcome::TlsAlert(255), "Failure: SSL alert 255"),
            (Outcome::ResolutionFailed("no A record".into()), "Failure: DNS resolution failed: no A record"),
            (Outcome::AlarmOk, "Success: Alarm state OK"),
            (Outcome::Alarm, "Failure: Alarm state ALARM"),
            (Outcome::InsufficientData("query refused".into()), "Insufficient data: query refused"),
            (Outcome::RoutingControl(true), "Success: Routing control On"),
            (Outcome::RoutingControl(false), "Failure: Routing control Off"),
            (
                Outcome::Calculated { healthy: 2, children: 3, needed: 2 },
                "Success: 2 of 3 child health checks healthy, 2 needed",
            ),
        ] {
            assert_eq!(outcome.to_string(), text);
        }
    }

    #[test]
    fn checks_by_name_append_the_address_h41() {
        let observation = Observation {
            outcome: Outcome::ConnectionRefused,
            resolved: Some([192, 0, 2, 7].into()),
            latency: None,
            duration: Duration::ZERO,
        };
        assert_eq!(observation.to_string(), "Failure: Connection refused. Resolved IP: 192.0.2.7");
    }
}
