//! The time limits of a probe, and how long a report stays fresh (H-9, H-13, H-24).

use std::time::Duration;

use crate::model::check::{EndpointCheck, Protocol};

/// One limit a phase, each counted from the end of the phase before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// TCP connection established.
    pub connect: Duration,
    /// TLS handshake, request and final status code; HTTP(S) only.
    pub response: Option<Duration>,
    /// Search string found in the body; STR_MATCH only.
    pub body: Option<Duration>,
}

impl TimeLimits {
    /// The limits of one check.
    pub fn of(check: &EndpointCheck) -> Self {
        let limit = |standard: u64| {
            let standard = Duration::from_secs(standard);
            match check.timeout {
                Some(timeout) => timeout,
                None if check.interval < Duration::from_secs(10) => {
                    standard.min((2 * check.interval).max(Duration::from_millis(200)))
                }
                None => standard,
            }
        };
        match &check.protocol {
            Protocol::Tcp => Self { connect: limit(10), response: None, body: None },
            Protocol::Http { search, .. } => {
                Self { connect: limit(4), response: Some(limit(2)), body: search.as_ref().map(|_| limit(2)) }
            }
        }
    }

    /// All phases together.
    pub fn sum(&self) -> Duration {
        self.connect + self.response.unwrap_or_default() + self.body.unwrap_or_default()
    }
}

/// How long after a checker's latest report it is still counted (H-24).
pub fn freshness_window(check: &EndpointCheck) -> Duration {
    3 * check.interval.max(Duration::from_secs(1)) + TimeLimits::of(check).sum()
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::endpoint;
    use super::*;

    fn http(search: Option<&str>) -> Protocol {
        Protocol::Http { tls: None, path: "/".into(), search: search.map(Into::into) }
    }

    #[test]
    fn limits_of_h9() {
        let mut check = endpoint();
        let seconds = Duration::from_secs;
        check.protocol = Protocol::Tcp;
        assert_eq!(TimeLimits::of(&check), TimeLimits { connect: seconds(10), response: None, body: None });
        check.protocol = http(None);
        assert_eq!(
            TimeLimits::of(&check),
            TimeLimits { connect: seconds(4), response: Some(seconds(2)), body: None }
        );
        check.protocol = http(Some("ok"));
        assert_eq!(TimeLimits::of(&check).sum(), seconds(8));
        assert_eq!(freshness_window(&check), seconds(3 * 30 + 8));
    }

    #[test]
    fn fast_checks_have_shorter_limits_h13() {
        let mut check = endpoint();
        let millis = Duration::from_millis;
        check.protocol = http(None);
        for (interval, connect, response) in
            [(50, 200, 200), (100, 200, 200), (500, 1000, 1000), (1500, 3000, 2000), (9999, 4000, 2000)]
        {
            check.interval = millis(interval);
            let limits = TimeLimits::of(&check);
            assert_eq!(
                (limits.connect, limits.response),
                (millis(connect), Some(millis(response))),
                "{interval}"
            );
        }
        check.timeout = Some(millis(70));
        assert_eq!(TimeLimits::of(&check).sum(), millis(140));
        assert_eq!(freshness_window(&check), 3 * millis(9999) + millis(140));
    }
}
