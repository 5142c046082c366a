//! `HealthCheckConfig` in XML, both ways.

use pulse53_core::route53::{AlarmIdentifier, HealthCheckConfig};

use crate::api::error::ApiError;
use crate::api::xml::{Element, Xml};

/// Puts every field that is there into a configuration; one that is there but empty unsets it.
pub fn read(xml: &Element, config: &mut HealthCheckConfig) -> Result<(), ApiError> {
    let text = |name: &str, field: &mut Option<String>| {
        if xml.child(name).is_some() {
            *field = xml.value(name);
        }
    };
    text("IPAddress", &mut config.ip_address);
    text("ResourcePath", &mut config.resource_path);
    text("FullyQualifiedDomainName", &mut config.fully_qualified_domain_name);
    text("SearchString", &mut config.search_string);
    text("InsufficientDataHealthStatus", &mut config.insufficient_data_health_status);
    text("RoutingControlArn", &mut config.routing_control_arn);
    for (name, field) in [
        ("Port", &mut config.port),
        ("RequestInterval", &mut config.request_interval),
        ("FailureThreshold", &mut config.failure_threshold),
        ("HealthThreshold", &mut config.health_threshold),
    ] {
        if xml.child(name).is_some() {
            *field = xml.integer(name)?;
        }
    }
    for (name, field) in [
        ("MeasureLatency", &mut config.measure_latency),
        ("Inverted", &mut config.inverted),
        ("Disabled", &mut config.disabled),
        ("EnableSNI", &mut config.enable_sni),
    ] {
        if xml.child(name).is_some() {
            *field = xml.boolean(name)?;
        }
    }
    for (list, item, field) in [
        ("ChildHealthChecks", "ChildHealthCheck", &mut config.child_health_checks),
        ("Regions", "Region", &mut config.regions),
    ] {
        if let Some(items) = xml.items(list, item) {
            let items: Vec<String> = items.map(|item| item.text.clone()).collect();
            *field = Some(items).filter(|items| !items.is_empty());
        }
    }
    if let Some(alarm) = xml.child("AlarmIdentifier") {
        let identifier = AlarmIdentifier { region: alarm.value("Region"), name: alarm.value("Name") };
        config.alarm_identifier = Some(identifier);
    }
    Ok(())
}

/// Writes a configuration in the model's order.
pub fn write(xml: &mut Xml, config: &HealthCheckConfig) {
    xml.element("HealthCheckConfig", |xml| write_fields(xml, config));
}

/// Writes what a configuration holds, as an update has it.
pub fn write_fields(xml: &mut Xml, config: &HealthCheckConfig) {
    xml.optional("IPAddress", config.ip_address.as_deref());
    xml.optional("Port", config.port);
    xml.text("Type", &config.check_type);
    xml.optional("ResourcePath", config.resource_path.as_deref());
    xml.optional("FullyQualifiedDomainName", config.fully_qualified_domain_name.as_deref());
    xml.optional("SearchString", config.search_string.as_deref());
    xml.optional("RequestInterval", config.request_interval);
    xml.optional("FailureThreshold", config.failure_threshold);
    xml.optional("MeasureLatency", config.measure_latency);
    xml.optional("Inverted", config.inverted);
    xml.optional("Disabled", config.disabled);
    xml.optional("HealthThreshold", config.health_threshold);
    if let Some(children) = &config.child_health_checks {
        xml.list("ChildHealthChecks", children, |xml, child| xml.text("ChildHealthCheck", child));
    }
    xml.optional("EnableSNI", config.enable_sni);
    if let Some(regions) = &config.regions {
        xml.list("Regions", regions, |xml, region| xml.text("Region", region));
    }
    if let Some(alarm) = &config.alarm_identifier {
        xml.element("AlarmIdentifier", |xml| {
            xml.optional("Region", alarm.region.as_deref());
            xml.optional("Name", alarm.name.as_deref());
        });
    }
    xml.optional("InsufficientDataHealthStatus", config.insufficient_data_health_status.as_deref());
    xml.optional("RoutingControlArn", config.routing_control_arn.as_deref());
}
