//! What people type: dig, answered in the kernel whichever way the mode is named; with the cookie that it sends by itself, and without.

use std::path::Path;

use pulse53_tests::programs::has;

use crate::harness::command::succeed;
use crate::harness::network::SERVED;
use crate::harness::site::Site;

const DIG: &str = "dig";

#[test]
fn dig_is_answered_in_either_mode() {
    if !has(DIG, "bind9-dnsutils") {
        return;
    }
    let Some(site) = Site::make() else { return };
    for mode in ["auto", "native"] {
        site.serve_zone(&format!("mode = {mode:?}"), "www IN A 198.51.100.1\nwww IN AAAA 2001:db8::1\n");
        let agent = site.start();
        for server in SERVED {
            for (rtype, address) in [("A", "198.51.100.1"), ("AAAA", "2001:db8::1")] {
                for option in ["+cookie", "+nocookie"] {
                    let mut dig = site.network.client.command(Path::new(DIG));
                    dig.args([&format!("@{}", server.ip()), "+short", option, "www.example.com", rtype]);
                    assert_eq!(succeed(&mut dig).trim(), address, "{mode} {server} {rtype} {option}");
                }
            }
        }
        assert_eq!((agent.kernel_replies(), agent.replies()), (8, 8), "{mode}");
        assert!(agent.terminate().success());
    }
}
