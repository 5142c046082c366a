//! Facts in, findings out: what is well, what is not, and the command that mends it.

use super::drivers::{self, Driver, MTU_MAX, Queues};
use super::probe::{Interface, Machine};
use super::routes::Address;
use super::{Finding, Weight, routed};

/// The oldest kernel that takes the program.
const OLDEST: (u32, u32) = (6, 1);

/// A receive ring below this may lose bursts.
const RING_MIN: u32 = 1024;

/// Our programs, by their names in the object.
const OURS: [&str; 2] = ["pulse53", "pass"];

/// The program with which libxdp lets several share an interface.
const LIBXDP: &str = "xdp_dispatcher";

/// Collects findings about one thing.
pub(super) struct Findings<'a> {
    about: &'a str,
    pub(super) all: Vec<Finding>,
}

impl<'a> Findings<'a> {
    pub(super) fn about(about: &'a str) -> Self {
        Self { about, all: Vec::new() }
    }

    pub(super) fn good(&mut self, what: impl Into<String>) {
        self.add(Weight::Good, what.into(), None);
    }

    pub(super) fn warning(&mut self, what: impl Into<String>, mend: impl Into<String>) {
        self.add(Weight::Warning, what.into(), Some(mend.into()));
    }

    pub(super) fn bad(&mut self, what: impl Into<String>, mend: impl Into<String>) {
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
    match &machine.takes_program {
        Some(Ok(())) => findings.good("this kernel's verifier takes the program"),
        Some(Err(error)) => findings.bad(
            format!("the program cannot be loaded: {error}"),
            "the kernel's log (dmesg) and `pulse53 serve` say more; sockets answer meanwhile",
        ),
        None => {}
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

/// What is to be said of an interface; `is_routed`: whether the kernel half sends replies where routes lead.
pub fn interface(interface: &Interface, processors: u32, is_routed: bool) -> Vec<Finding> {
    let name = interface.name.as_str();
    let mut findings = Findings::about(name);
    if !interface.is_up {
        findings.bad("it is down", format!("ip link set dev {name} up"));
    }
    let driver = interface.driver.as_deref();
    let known = driver.and_then(drivers::find);
    mode(&mut findings, interface, known);
    membership(&mut findings, interface);
    let mtu_max = known.map_or(MTU_MAX, |driver| driver.mtu_max);
    let has_pieces = match interface.xdp {
        Some(features) => features.takes_pieces(),
        None => known.is_some_and(|driver| driver.has_pieces),
    };
    if interface.mtu > mtu_max && driver.is_some() && !has_pieces {
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
    way_back(&mut findings, interface, is_routed);
    if is_routed {
        routed::interface(&mut findings, interface);
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
            // Names are told to who may look at all programs; pulse53 itself may not any more while it serves.
            None => findings.warning(
                format!("an XDP program is attached, in {mode} mode; whose it is, this user is not told"),
                format!("sudo pulse53 doctor {name}"),
            ),
            Some(program) => findings.bad(
                format!("another XDP program, `{program}`, is attached, in {mode} mode"),
                match program {
                    LIBXDP => format!("xdp-loader unload {name} --all: its dispatcher holds no program of pulse53's (README)"),
                    _ => format!("ip link set dev {name} xdp off, or stop who attached it"),
                },
            ),
        }
    }
    if interface.xdp.is_some_and(|features| !features.is_native()) {
        return findings.warning(
            format!(
                "the driver{} has no native XDP as things are, so generic XDP alone, which is slower",
                interface.driver.as_ref().map_or_else(String::new, |driver| format!(" {driver}"))
            ),
            known
                .and_then(|driver| driver.note)
                .unwrap_or("`mode = \"auto\"` takes it; another card would be faster"),
        );
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
        (Some(driver), _) if interface.xdp.is_some() => {
            findings.good(format!("{driver} has native XDP, as the kernel tells"));
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
}

/// What it belongs to.
fn membership(findings: &mut Findings<'_>, interface: &Interface) {
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

/// Whether what is answered goes back as it came, and what is passed on gets in.
fn way_back(findings: &mut Findings<'_>, interface: &Interface, is_routed: bool) {
    let name = interface.name.as_str();
    for (family, way_out) in ["IPv4", "IPv6"].into_iter().zip(&interface.ways_out) {
        match way_out {
            Some(other) if other != name && is_routed => {
                findings.good(format!("{family} packets to clients far away leave by {other}: so do replies"));
            }
            Some(other) if other != name => findings.good(format!(
                "{family} packets to clients far away leave by {other}: so do replies of sockets, while the kernel half replies where the \
                 query came in, unless `[xdp] reply_route` is \"kernel\""
            )),
            _ => {}
        }
    }
    // Reverse paths are filtered for IPv4 alone.
    if interface.rp_filter == Some(1) && interface.ways_out[0].as_deref() != Some(name) {
        findings.warning(
            "strict reverse path filtering: what the kernel half passes on is lost unless the route back to the client leaves here",
            format!("sysctl -w net.ipv4.conf.{}.rp_filter=2", name.replace('.', "/")),
        );
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
pub fn address(address: &Address, interfaces: &[Interface]) -> Finding {
    let about = address.socket.to_string();
    let ip = address.socket.ip();
    let mut findings = Findings::about(&about);
    let on = |name: &str| interfaces.iter().find(|interface| interface.name == name);
    let beside = |name: &str| {
        interfaces.iter().find(|interface| {
            let master = interface.master.as_ref().map(|(master, _)| master.as_str());
            master == Some(name) || interface.vlans.iter().any(|vlan| vlan == name)
        })
    };
    match address.interface.as_deref() {
        _ if !address.can_be_taken => findings.bad(
            "it is no address of this machine, so that no socket can listen there",
            format!("ip address add {ip}/{} dev lo, or mend `[dns] listen`", if ip.is_ipv4() { 32 } else { 128 }),
        ),
        None => findings.good("a local route makes it an address of this machine"),
        Some("lo") => findings.good("it is an address of lo, answered wherever routes lead to it"),
        Some(name) if interfaces.is_empty() || on(name).is_some() => {
            findings.good(format!("it is an address of {name}"));
        }
        Some(name) => match beside(name) {
            Some(below) => findings.good(format!("it is an address of {name}, which {} carries", below.name)),
            None => findings.warning(
                format!("it is an address of {name}, where no program will be: what comes in there is left to sockets"),
                format!("put {name} into `[xdp] interfaces`"),
            ),
        },
    }
    findings.all.remove(0)
}

#[cfg(test)]
mod tests {
    use super::super::netdev::XdpFeatures;
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
        let findings = interface(facts, 4, false);
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
            attached: vec![("generic", Some("filter".into())), ("native", Some(LIBXDP.into()))],
            master: Some(("bond0".into(), "bond".into())),
            rp_filter: Some(1),
            ways_out: [Some("eth1".into()), None],
            ring: Some((256, 4096)),
            ..card("ice")
        };
        let bad = mended(&facts, Weight::Bad);
        assert!(bad[0].starts_with("ip link set dev eth0 xdp off"), "{bad:?}");
        assert!(bad[1].starts_with("xdp-loader unload eth0") && bad[2].contains("bond0"), "{bad:?}");
        let warnings = mended(&facts, Weight::Warning);
        assert_eq!(warnings, ["ethtool -G eth0 rx 4096", "sysctl -w net.ipv4.conf.eth0.rp_filter=2"]);
    }

    #[test]
    fn a_program_that_cannot_be_named_is_not_taken_for_another_s() {
        let facts = Interface { attached: vec![("native", None)], ..card("ice") };
        assert_eq!(mended(&facts, Weight::Bad), Vec::<String>::new());
        assert_eq!(mended(&facts, Weight::Warning), ["sudo pulse53 doctor eth0"]);
    }

    #[test]
    fn strict_filtering_does_no_harm_where_the_way_back_leaves() {
        let strict = |way_out: Option<&str>| {
            let ways_out = [way_out.map(str::to_owned), None];
            mended(&Interface { rp_filter: Some(1), ways_out, ..card("ice") }, Weight::Warning).len()
        };
        assert_eq!([strict(Some("eth0")), strict(Some("eth1")), strict(None)], [0, 1, 1]);
    }

    #[test]
    fn what_the_driver_says_outweighs_the_table() {
        let long =
            |driver: &str, xdp| mended(&Interface { mtu: 9000, xdp, ..card(driver) }, Weight::Bad).len();
        assert_eq!([long("ice", None), long("mlx5_core", None)], [1, 0]);
        assert_eq!(
            [long("ice", Some(XdpFeatures::ALL)), long("mlx5_core", Some(XdpFeatures::NATIVE))],
            [0, 1]
        );
        let without = Interface { xdp: Some(XdpFeatures::NONE), ..card("e1000e") };
        let findings = interface(&without, 4, false);
        assert!(findings.iter().any(|finding| finding.what.contains("no native XDP")), "{findings:?}");
    }

    #[test]
    fn addresses_are_told_by_where_they_are() {
        let vlans = vec!["eth0.7".to_owned()];
        let interfaces = [Interface { vlans, master: Some(("br0".into(), "bridge".into())), ..card("ice") }];
        let told = |interface: Option<&str>, can_be_taken| {
            let socket = "192.0.2.53:53".parse().unwrap();
            address(&Address { socket, can_be_taken, interface: interface.map(str::to_owned) }, &interfaces)
        };
        for fine in [Some("eth0"), Some("eth0.7"), Some("br0"), Some("lo"), None] {
            assert_eq!(told(fine, true).weight, Weight::Good, "{fine:?}");
        }
        assert_eq!(told(Some("eth1"), true).mend.as_deref(), Some("put eth1 into `[xdp] interfaces`"));
        let missing = told(None, false);
        assert_eq!(missing.weight, Weight::Bad);
        assert!(missing.mend.unwrap().starts_with("ip address add 192.0.2.53/32 dev lo"));
    }

    #[test]
    fn a_machine_is_judged_by_kernel_file_system_and_privileges() {
        let well = Machine {
            release: "6.1.0-56-cloud-amd64".into(),
            pin_dir: ("/sys/fs/bpf/pulse53".into(), true),
            compiles: Some(true),
            takes_program: Some(Ok(())),
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
            takes_program: Some(Err("the verifier said no".into())),
            ..well
        };
        let weights: Vec<Weight> = machine(&ill).iter().map(|finding| finding.weight).collect();
        assert_eq!(
            weights,
            [Weight::Bad, Weight::Bad, Weight::Bad, Weight::Bad, Weight::Warning, Weight::Bad]
        );
    }
}
