//! Facts in, findings out: what is well, what is not, and the command that mends it.

use std::net::SocketAddr;

use super::drivers::{self, Driver, MTU_MAX, Queues};
use super::probe::{Interface, Machine};
use super::{Finding, Weight};

/// The oldest kernel that takes the program.
const OLDEST: (u32, u32) = (6, 1);

/// A receive ring below this may lose bursts.
const RING_MIN: u32 = 1024;

/// Our programs, by their names in the object.
const OURS: [&str; 2] = ["pulse53", "pass"];

/// Collects findings about one thing.
struct Findings<'a> {
    about: &'a str,
    all: Vec<Finding>,
}

impl<'a> Findings<'a> {
    fn about(about: &'a str) -> Self {
        Self { about, all: Vec::new() }
    }

    fn good(&mut self, what: impl Into<String>) {
        self.add(Weight::Good, what.into(), None);
    }

    fn warning(&mut self, what: impl Into<String>, mend: impl Into<String>) {
        self.add(Weight::Warning, what.into(), Some(mend.into()));
    }

    fn bad(&mut self, what: impl Into<String>, mend: impl Into<String>) {
        self.add(Weight::Bad, what.into(), Some(mend.into()));
    }

    fn add(&mut self, weight: Weight, what: String, mend: Option<String>) {
        self.all.push(Finding { weight, about: self.about.to_owned(), what, mend });
    }
}

/// What is to be said of the machine.
pub fn machine(machine: &Machine) -> Vec<Finding> {
    let mut findings = Findings::about("this machine");
    let mut numbers = machine.release.split(|character: char| !character.is_ascii_digit());
    let mut number = || numbers.next().and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
    let version = (number(), number());
    let release = &machine.release;
    if version < OLDEST {
        findings.bad(
            format!("Linux {release} does not take the program, which needs 6.1; sockets answer"),
            "boot a newer kernel",
        );
    } else {
        findings.good(format!("Linux {release}; memory for maps is not limited by memlock since 5.11"));
    }
    match &machine.lacking {
        Some(lacking) => findings.bad(lacking, "sudo pulse53 doctor"),
        None => findings.good("this user may load and attach programs"),
    }
    let (pin_dir, is_bpf) = &machine.pin_dir;
    if *is_bpf {
        findings.good(format!("{pin_dir} is in a BPF file system"));
    } else {
        findings.bad(
            format!("{pin_dir} is not in a BPF file system"),
            "mount -t bpf bpf /sys/fs/bpf, or set `[xdp] pin_dir`",
        );
    }
    if machine.compiles == Some(false) {
        findings.warning(
            "BPF programs are interpreted, several times slower",
            "sysctl -w net.core.bpf_jit_enable=1",
        );
    }
    if machine.lockdown.as_deref() == Some("confidentiality") {
        findings.bad(
            "kernel lockdown in confidentiality mode refuses BPF programs that read kernel memory",
            "boot with lockdown=integrity, or without lockdown=",
        );
    }
    findings.all
}

/// What is to be said of an interface.
pub fn interface(interface: &Interface, processors: u32) -> Vec<Finding> {
    let name = interface.name.as_str();
    let mut findings = Findings::about(name);
    if !interface.is_up {
        findings.bad("it is down", format!("ip link set dev {name} up"));
    }
    let driver = interface.driver.as_deref();
    let known = driver.and_then(drivers::find);
    mode(&mut findings, interface, known);
    let mtu_max = known.map_or(MTU_MAX, |driver| driver.mtu_max);
    if interface.mtu > mtu_max && driver.is_some() {
        findings.bad(
            format!("an MTU of {} is too much for native XDP, which takes {mtu_max} here", interface.mtu),
            format!("ip link set dev {name} mtu 1500"),
        );
    }
    if let Some(driver) = known {
        refused_features(&mut findings, interface, driver);
        queues_for_xdp(&mut findings, interface, driver, processors);
    }
    if interface.features.contains("rx-lro") && known.is_none_or(|driver| driver.refuses.is_empty()) {
        findings
            .warning("LRO joins packets before a program sees them", format!("ethtool -K {name} lro off"));
    }
    if interface.features.contains("rx-vlan-hw-parse") && !interface.vlans.is_empty() {
        findings.bad(
            format!(
                "the card takes off VLAN tags, so that queries for {} would be answered without a tag",
                interface.vlans.join(", ")
            ),
            format!("ethtool -K {name} rxvlan off"),
        );
    }
    receiving(&mut findings, interface, processors);
    if interface.rp_filter == Some(1) {
        findings.warning(
            "strict reverse path filtering: what the kernel half passes on is lost unless the route back to the client leaves here",
            format!("sysctl -w net.ipv4.conf.{}.rp_filter=2", name.replace('.', "/")),
        );
    }
    findings.all
}

/// Which mode can be had, and who is there already.
fn mode(findings: &mut Findings<'_>, interface: &Interface, known: Option<&Driver>) {
    let name = interface.name.as_str();
    for (mode, program) in &interface.attached {
        match program.as_deref() {
            Some(program) if OURS.contains(&program) => {
                findings.good(format!("our program `{program}` is attached, in {mode} mode"));
            }
            program => findings.bad(
                format!(
                    "another XDP program{} is attached, in {mode} mode",
                    program.map_or_else(String::new, |program| format!(", `{program}`,"))
                ),
                format!("ip link set dev {name} xdp off, or stop who attached it"),
            ),
        }
    }
    match (interface.driver.as_deref(), known) {
        (_, Some(driver)) => {
            findings.good(format!("{} has native XDP ({})", driver.name, driver.source));
            if let Some(note) = driver.note {
                findings.good(format!("of {} it is known: {note}", driver.name));
            }
        }
        (Some("bond"), _) => findings.warning(
            "a bond has native XDP if all its members have, in modes balance-rr, active-backup, balance-xor and 802.3ad",
            "pulse53 doctor MEMBER, for each",
        ),
        (Some(kind @ ("bridge" | "vlan" | "macvlan" | "ipvlan" | "dummy" | "wireguard")), _) => {
            findings.warning(
                format!("a {kind} has generic XDP alone, which is slower"),
                "name the interface below it in `[xdp] interfaces`",
            );
        }
        (Some(driver), _) => findings.warning(
            format!("{driver} is not among the drivers known here; `mode = \"auto\"` finds out"),
            "pulse53 serve, then pulse53 status shows the mode",
        ),
        (None, _) if !interface.is_in_sys => findings.warning(
            "its driver cannot be told: /sys is that of another network namespace",
            "ip netns exec NAMESPACE pulse53 doctor",
        ),
        (None, _) => findings.good("no driver, so generic XDP alone: slower, and enough for a try"),
    }
    match &interface.master {
        Some((master, kind)) if kind == "bond" => findings.bad(
            format!("it belongs to the bond {master}: programs go onto the bond, not onto its members"),
            format!("put {master} into `[xdp] interfaces`"),
        ),
        Some((master, kind)) => {
            findings.good(format!(
                "it belongs to the {kind} {master}, which does not see what the program answers"
            ));
        }
        None => {}
    }
}

fn refused_features(findings: &mut Findings<'_>, interface: &Interface, driver: &Driver) {
    for (feature, short) in driver.refuses {
        if interface.features.contains(*feature) {
            findings.bad(
                format!("{} refuses XDP while {feature} is on", driver.name),
                format!("ethtool -K {} {short} off", interface.name),
            );
        }
    }
}

fn queues_for_xdp(findings: &mut Findings<'_>, interface: &Interface, driver: &Driver, processors: u32) {
    let Some((combined, most)) = interface.combined else { return };
    let name = interface.name.as_str();
    // Queues for XDP are there already while a program is attached.
    let is_attached = interface.attached.iter().any(|(mode, _)| *mode == "native");
    match driver.queues {
        Queues::HalfOfMaximum if 2 * combined > most && !is_attached => findings.bad(
            format!(
                "{} refuses XDP with {combined} of {most} queues in use: half of them are for XDP",
                driver.name
            ),
            format!("ethtool -L {name} combined {}", (most / 2).max(1)),
        ),
        Queues::OneAProcessor if combined + processors > most => findings.warning(
            format!(
                "{combined} queues of at most {most}: there is none a processor for replies, which are sent under a lock"
            ),
            format!(
                "give the guest {} queues (libvirt: <driver queues=…>, qemu: queues=…), or ethtool -L {name} combined {}",
                combined + processors,
                most.saturating_sub(processors).max(1)
            ),
        ),
        Queues::Combined if combined == 0 => findings.bad(
            format!("{} refuses XDP while receive and transmit queues are apart", driver.name),
            format!("ethtool -L {name} rx 0 tx 0 combined {}", most.min(processors).max(1)),
        ),
        _ => {}
    }
}

/// Queues and rings on the way in.
fn receiving(findings: &mut Findings<'_>, interface: &Interface, processors: u32) {
    let name = interface.name.as_str();
    let could = interface.combined.map_or(interface.queues, |(_, most)| most).min(processors);
    if interface.queues < could {
        findings.warning(
            format!(
                "{} receive queues for {processors} processors: no more than so many answer",
                interface.queues
            ),
            format!("ethtool -L {name} combined {could}"),
        );
    } else {
        findings.good(format!("{} receive queues, {processors} processors", interface.queues));
    }
    if let Some((slots, most)) = interface.ring.filter(|(slots, most)| *slots < RING_MIN && slots < most) {
        findings.warning(
            format!("a receive ring of {slots} of at most {most} slots loses bursts"),
            format!("ethtool -G {name} rx {}", most.min(4096)),
        );
    }
}

/// What is to be said of a served address.
pub fn address(address: SocketAddr, can_be_taken: bool) -> Finding {
    let about = address.to_string();
    let ip = address.ip();
    if can_be_taken {
        return Finding {
            weight: Weight::Good,
            about,
            what: "it is an address of this machine".into(),
            mend: None,
        };
    }
    let bits = if ip.is_ipv4() { 32 } else { 128 };
    Finding {
        weight: Weight::Bad,
        about,
        what: "it is no address of this machine, so that no socket can listen there".into(),
        mend: Some(format!("ip address add {ip}/{bits} dev lo, or mend `[dns] listen`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(driver: &str) -> Interface {
        Interface {
            name: "eth0".into(),
            driver: Some(driver.into()),
            is_up: true,
            mtu: 1500,
            queues: 4,
            combined: Some((4, 8)),
            ..Interface::default()
        }
    }

    /// What mends the findings of a weight.
    fn mended(facts: &Interface, weight: Weight) -> Vec<String> {
        let findings = interface(facts, 4);
        findings
            .into_iter()
            .filter(|finding| finding.weight == weight)
            .filter_map(|finding| finding.mend)
            .collect()
    }

    #[test]
    fn a_card_that_is_well_needs_nothing() {
        for driver in drivers::DRIVERS {
            let facts = card(driver.name);
            assert_eq!(mended(&facts, Weight::Bad), Vec::<String>::new(), "{}", driver.name);
            assert_eq!(mended(&facts, Weight::Warning), Vec::<String>::new(), "{}", driver.name);
        }
    }

    #[test]
    fn ena_and_gve_want_half_of_their_queues_and_a_small_mtu() {
        let facts = Interface { combined: Some((8, 8)), mtu: 9001, ..card("ena") };
        assert_eq!(
            mended(&facts, Weight::Bad),
            ["ip link set dev eth0 mtu 1500", "ethtool -L eth0 combined 4"]
        );
        let attached = vec![("native", Some("pulse53".to_owned()))];
        let facts = Interface { combined: Some((8, 8)), attached, ..card("gve") };
        assert_eq!(mended(&facts, Weight::Bad), Vec::<String>::new());
    }

    #[test]
    fn features_that_a_driver_refuses_are_to_be_turned_off() {
        let features = ["rx-lro", "rx-gro-hw", "rx-vlan-hw-parse"].map(str::to_owned).into();
        let facts = Interface { features, vlans: vec!["eth0.7".into()], ..card("mlx5_core") };
        assert_eq!(
            mended(&facts, Weight::Bad),
            ["ethtool -K eth0 lro off", "ethtool -K eth0 rx-gro-hw off", "ethtool -K eth0 rxvlan off"]
        );
    }

    #[test]
    fn virtio_without_spare_queues_sends_under_a_lock() {
        let facts = Interface { combined: Some((4, 4)), ..card("virtio_net") };
        let mends = mended(&facts, Weight::Warning);
        assert!(mends.len() == 1 && mends[0].contains("8 queues"), "{mends:?}");
    }

    #[test]
    fn bnxt_wants_combined_queues() {
        let facts = Interface { combined: Some((0, 8)), ..card("bnxt_en") };
        assert_eq!(mended(&facts, Weight::Bad), ["ethtool -L eth0 rx 0 tx 0 combined 4"]);
    }

    #[test]
    fn programs_of_others_and_bonds_are_in_the_way() {
        let facts = Interface {
            attached: vec![("generic", Some("xdp_dispatcher".into()))],
            master: Some(("bond0".into(), "bond".into())),
            rp_filter: Some(1),
            ring: Some((256, 4096)),
            ..card("ice")
        };
        let bad = mended(&facts, Weight::Bad);
        assert!(bad[0].starts_with("ip link set dev eth0 xdp off") && bad[1].contains("bond0"), "{bad:?}");
        let warnings = mended(&facts, Weight::Warning);
        assert_eq!(warnings, ["ethtool -G eth0 rx 4096", "sysctl -w net.ipv4.conf.eth0.rp_filter=2"]);
    }

    #[test]
    fn a_machine_is_judged_by_kernel_file_system_and_privileges() {
        let well = Machine {
            release: "6.1.0-56-cloud-amd64".into(),
            pin_dir: ("/sys/fs/bpf/pulse53".into(), true),
            compiles: Some(true),
            processors: 2,
            ..Machine::default()
        };
        assert!(machine(&well).iter().all(|finding| finding.weight == Weight::Good));
        let ill = Machine {
            release: "5.10.0-32-cloud-amd64".into(),
            lacking: Some("this process lacks CAP_BPF".into()),
            pin_dir: ("/tmp/pins".into(), false),
            compiles: Some(false),
            lockdown: Some("confidentiality".into()),
            ..well
        };
        let weights: Vec<Weight> = machine(&ill).iter().map(|finding| finding.weight).collect();
        assert_eq!(weights, [Weight::Bad, Weight::Bad, Weight::Bad, Weight::Warning, Weight::Bad]);
    }
}
