//! `pulse53 doctor` on an interface that serves: nothing is bad, and who is attached is known.

use serde_json::Value;

use crate::harness::agent::{CONFIG, binary};
use crate::harness::command::{run, text};
use crate::harness::network::INTERFACE;
use crate::harness::site::Site;

#[test]
fn doctor_finds_a_serving_interface_well() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", "");
    let _agent = site.start();
    let doctor = |interface: &str| {
        let mut doctor = site.network.server.command(&binary());
        run(doctor.args(["doctor", "--json", interface, "--config"]).arg(site.place.file(CONFIG)))
    };

    let output = doctor(INTERFACE);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    let attached = findings.iter().find(|finding| {
        finding["about"] == INTERFACE
            && finding["what"]
                .as_str()
                .is_some_and(|what| what.contains("`pulse53` is attached, in native mode"))
    });
    assert_eq!(attached.map(|finding| &finding["weight"]), Some(&"good".into()), "{findings:#?}");
    let is_said = |what: &str| findings.iter().filter(|finding| finding["what"] == what).count();
    assert_eq!(is_said(&format!("it is an address of {INTERFACE}")), 2, "{findings:#?}");
    assert_eq!(is_said("this kernel's verifier takes the program"), 1, "{findings:#?}");

    let output = doctor("no-such0");
    let said = text(&output);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("no-such0") && said.contains("ip link"), "{said}");
}
