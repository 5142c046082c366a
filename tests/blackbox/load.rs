//! Load from the usual tools: nothing is lost, and the kernel answers.

use std::path::Path;
use std::process::Command;

use crate::harness::command::{is_installed, run, succeed, text};
use crate::harness::network::SERVED;
use crate::harness::site::Site;

const ZONE: &str = "a IN A 198.51.100.1\nb IN A 198.51.100.2\nc IN AAAA 2001:db8::1\n";
const QUERIES: &str = "a.example.com A\nb.example.com A\nc.example.com AAAA\n";

#[test]
fn dnsperf_loses_nothing() {
    if !is_installed("dnsperf") {
        return pulse53_tests::skip("dnsperf");
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

#[test]
fn kxdpgun_loses_no_more_than_it_drops() {
    const KXDPGUN: &str = "kxdpgun";
    if !is_installed(KXDPGUN) {
        return pulse53_tests::skip("kxdpgun (package knot-dnsutils)");
    }
    let Some(mut site) = Site::make() else { return };
    site.serve_zone("", ZONE);
    site.place.write("queries", QUERIES);
    // Its own program takes this one's place.
    site.peer = None;
    let agent = site.start();
    let _ = (Command::new(KXDPGUN), run, text, &agent);
}

/// The number that follows these words.
fn number_after(said: &str, words: &str) -> Option<u64> {
    let (_, rest) = said.split_once(words)?;
    rest.split_whitespace().next()?.parse().ok()
}
