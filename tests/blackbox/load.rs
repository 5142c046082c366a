//! Load from the usual tools: nothing is lost, and the kernel answers.

use std::path::Path;
use std::process::Stdio;

use pulse53_tests::programs::has;

use crate::harness::command::{run, succeed, text};
use crate::harness::network::SERVED;
use crate::harness::site::Site;

const ZONE: &str = "a IN A 198.51.100.1\nb IN A 198.51.100.2\nc IN AAAA 2001:db8::1\n";
const QUERIES: &str = "a.example.com A\nb.example.com A\nc.example.com AAAA\n";

#[test]
fn dnsperf_loses_nothing() {
    if !has("dnsperf", "dnsperf") {
        return;
    }
    let Some(site) = Site::make() else { return };
    site.serve_zone("", ZONE);
    site.place.write("queries", QUERIES);
    let agent = site.start();
    for server in SERVED {
        let [kernel, all] = [agent.kernel_replies(), agent.replies()];
        let mut dnsperf = site.network.client.command(Path::new("dnsperf"));
        dnsperf.args(["-s", &server.ip().to_string(), "-l", "2", "-d"]).arg(site.place.file("queries"));
        let said = succeed(&mut dnsperf);
        let count = |what| number_after(&said, what).unwrap_or_else(|| panic!("no {what:?} in\n{said}"));
        let sent = count("Queries sent:");
        assert!(sent > 1000, "{said}");
        assert_eq!((count("Queries lost:"), count("Queries completed:")), (0, sent), "{said}");
        assert_eq!(count("Response codes:       NOERROR"), sent, "{said}");
        let [kernel, all] = [agent.kernel_replies() - kernel, agent.replies() - all];
        assert!(all >= sent, "{all} replies to {sent} queries");
        assert!(kernel * 100 > all * 99, "{kernel} of {all} replies from the kernel");
    }
}

/// A flood of names that do not exist costs userspace nothing, and a well-behaved client no answer.
#[test]
fn a_flood_of_random_subdomains_is_answered_in_the_kernel() {
    if !has("dnsperf", "dnsperf") {
        return;
    }
    let Some(site) = Site::make() else { return };
    site.serve_zone("", &format!("{ZONE}d.ent IN TXT \"below\"\n*.wild IN A 198.51.100.3\n"));
    site.place.write("queries", QUERIES);
    let mut random = pulse53_tests::seed::random();
    let mut flood = String::new();
    for _ in 0..20_000 {
        let below = ["", "", "a.", "ent.", "wild.", "x.y."][random.usize(..6)];
        let label: String = (0..random.usize(4..16)).map(|_| random.alphanumeric()).collect();
        flood += &format!("{label}.{below}example.com {}\n", ["A", "AAAA", "TXT"][random.usize(..3)]);
    }
    site.place.write("flood", flood);
    let agent = site.start();
    for server in SERVED {
        let [kernel, all] = [agent.kernel_replies(), agent.replies()];
        let dnsperf = |queries, arguments: &[&str]| {
            let mut dnsperf = site.network.client.command(Path::new("dnsperf"));
            dnsperf.args(["-s", &server.ip().to_string()]).args(arguments);
            dnsperf.arg("-d").arg(site.place.file(queries));
            dnsperf
        };
        let mut flood = dnsperf("flood", &["-l", "4", "-q", "1000"]);
        let flood = flood.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("dnsperf starts");
        let said = succeed(&mut dnsperf("queries", &["-l", "2", "-Q", "1000"]));
        let count =
            |said: &str, what| number_after(said, what).unwrap_or_else(|| panic!("no {what:?} in\n{said}"));
        let sent = count(&said, "Queries sent:");
        assert!(sent > 500, "{said}");
        assert_eq!(
            (count(&said, "Queries lost:"), count(&said, "Response codes:       NOERROR")),
            (0, sent),
            "{said}"
        );
        let flooded = text(&flood.wait_with_output().expect("dnsperf ends"));
        assert!(count(&flooded, "Queries completed:") > 10_000, "{flooded}");
        assert!(flooded.contains("NXDOMAIN"), "{flooded}");
        let [kernel, all] = [agent.kernel_replies() - kernel, agent.replies() - all];
        assert!(kernel * 100 > all * 99, "{kernel} of {all} replies from the kernel");
    }
}

#[test]
fn kxdpgun_is_answered_in_the_kernel() {
    const KXDPGUN: &str = "kxdpgun";
    if !has(KXDPGUN, "knot-dnsutils") {
        return;
    }
    let Some(mut site) = Site::make() else { return };
    site.serve_zone("", ZONE);
    site.place.write("queries", QUERIES);
    // Its own program takes this one's place, and receives what the other end sends by XDP_TX.
    site.peer = None;
    let agent = site.start();
    for server in SERVED {
        let before = agent.kernel_replies();
        let mut kxdpgun = site.network.client.command(Path::new(KXDPGUN));
        kxdpgun.args(["-t", "1", "-Q", "2000", "-i"]).arg(site.place.file("queries"));
        let output = run(kxdpgun.arg(server.ip().to_string()));
        let said = text(&output);
        if !output.status.success() {
            return pulse53_tests::skip(&format!("kxdpgun on veth, which says: {}", said.trim()));
        }
        let count = |what| number_after(&said, what).unwrap_or_else(|| panic!("no {what:?} in\n{said}"));
        let [sent, received] = ["total queries:", "total replies:"].map(count);
        assert!(sent > 1000, "{said}");
        assert_eq!(agent.kernel_replies() - before, sent, "{said}");
        // On a busy machine it may end before it has looked at the last of them.
        assert!(received * 100 >= sent * 99, "{said}");
        assert_eq!(count("responded NOERROR:"), received, "{said}");
    }
}

/// The number that follows these words.
fn number_after(said: &str, words: &str) -> Option<u64> {
    let (_, rest) = said.split_once(words)?;
    rest.split_whitespace().next()?.parse().ok()
}
