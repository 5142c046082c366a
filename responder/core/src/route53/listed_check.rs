//! Health checks as Route 53 lists them: with every default filled in, and from the model for those that were never submitted.

use super::health_check::HealthCheckConfig;
use crate::model::HealthCheck;
use crate::model::check::{CheckKind, EndpointCheck, InsufficientData, Protocol};

impl HealthCheckConfig {
    /// The same with the defaults that clients index; what has no default stays absent.
    pub fn with_defaults(mut self) -> Self {
        self.inverted.get_or_insert(false);
        self.disabled.get_or_insert(false);
        let is_https = self.check_type.starts_with("HTTPS");
        if is_https || self.check_type.starts_with("HTTP") || self.check_type == "TCP" {
            if self.check_type != "TCP" {
                self.port.get_or_insert(if is_https { 443 } else { 80 });
            }
            self.request_interval.get_or_insert(30);
            self.failure_threshold.get_or_insert(3);
            self.measure_latency.get_or_insert(false);
            self.enable_sni.get_or_insert(is_https);
        }
        self
    }

    /// What declares this check.
    pub fn listed(check: &HealthCheck) -> Self {
        let mut config =
            Self { inverted: Some(check.inverted), disabled: Some(check.disabled), ..Self::default() };
        match &check.kind {
            CheckKind::Endpoint(endpoint) => config.set_endpoint(endpoint),
            CheckKind::Calculated { children, threshold } => {
                config.check_type = "CALCULATED".to_owned();
                config.health_threshold = Some((*threshold).into());
                config.child_health_checks = Some(children.iter().map(|child| child.0.to_string()).collect());
            }
            CheckKind::Alarm(alarm) => {
                config.check_type = "CLOUDWATCH_METRIC".to_owned();
                let status = match alarm.insufficient_data {
                    InsufficientData::Healthy => "Healthy",
                    InsufficientData::Unhealthy => "Unhealthy",
                    InsufficientData::LastKnownStatus => "LastKnownStatus",
                };
                config.insufficient_data_health_status = Some(status.to_owned());
            }
            CheckKind::RecoveryControl { arn } => {
                config.check_type = "RECOVERY_CONTROL".to_owned();
                config.routing_control_arn = Some(arn.clone());
            }
        }
        config.with_defaults()
    }

    fn set_endpoint(&mut self, check: &EndpointCheck) {
        self.ip_address = check.endpoint.address.map(|address| address.to_string());
        self.fully_qualified_domain_name.clone_from(&check.endpoint.name);
        self.port = Some(check.port.into());
        self.failure_threshold = Some(check.failure_threshold.into());
        self.measure_latency = Some(check.measure_latency);
        // An interval of ours is told by its tag.
        self.request_interval = Some(if check.interval.as_secs() == 10 { 10 } else { 30 });
        self.regions = Some(check.regions.clone()).filter(|regions| !regions.is_empty());
        match &check.protocol {
            Protocol::Tcp => self.check_type = "TCP".to_owned(),
            Protocol::Http { tls, path, search } => {
                let http = if tls.is_some() { "HTTPS" } else { "HTTP" };
                let matching = if search.is_some() { "_STR_MATCH" } else { "" };
                self.check_type = format!("{http}{matching}");
                self.resource_path = Some(path.clone()).filter(|path| path != "/");
                self.search_string.clone_from(search);
                self.enable_sni = Some(tls.is_some_and(|sni| sni.0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::route53::declare_health_check;

    #[test]
    fn what_is_listed_declares_the_same() {
        for text in [
            r#"{"Type":"HTTPS","FullyQualifiedDomainName":"a.example","ResourcePath":"/x","Inverted":true}"#,
            r#"{"Type":"HTTP_STR_MATCH","IPAddress":"192.0.2.1","Port":8080,"SearchString":"ok","RequestInterval":10}"#,
            r#"{"Type":"TCP","IPAddress":"192.0.2.1","Port":53,"Regions":["a","b","c"],"Disabled":true}"#,
            r#"{"Type":"CALCULATED","ChildHealthChecks":["a","b"],"HealthThreshold":1}"#,
        ] {
            let config: HealthCheckConfig = serde_json::from_str(text).unwrap();
            let declare = |config: &HealthCheckConfig| {
                declare_health_check("id", 1, config, None, BTreeMap::new(), None).unwrap()
            };
            let declared = declare(&config);
            assert_eq!(declare(&HealthCheckConfig::listed(&declared)), declared, "{text}");
            assert_eq!(declare(&config.clone().with_defaults()), declared, "{text}");
        }
    }
}
