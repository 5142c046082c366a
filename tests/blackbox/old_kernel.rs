//! A kernel that does not take the program: one clear reason, and sockets answer (law 9).

use pulse53_core::model::RecordType;
use pulse53_tests::frame::Query;

use crate::harness::agent::Agent;
use crate::harness::client::FAMILIES;
use crate::harness::site::Site;

#[test]
#[ignore = "a kernel before 6.1, which `cargo xtask vm-test --kernel` boots"]
fn sockets_answer_where_the_kernel_takes_no_program() {
    let Some(site) = Site::without_programs() else { return };
    site.serve_zone("", "www IN A 198.51.100.1\n");
    let agent = Agent::start(&site.network.server, &site.place);
    let log = std::fs::read_to_string(site.place.file("log")).expect("there is a log");
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    println!("{log}");
    assert_eq!(errors.len(), 1, "{log}");
    assert!(errors[0].contains("must be 6.1 or later") && errors[0].contains("sockets do"), "{log}");

    let status = agent.status();
    let problem = status["kernel_problem"].as_str().expect("the problem is told");
    assert!(problem.contains("must be 6.1 or later"), "{problem}");
    assert_eq!(status["interfaces"].as_array().map(Vec::len), Some(0), "{status:#}");
    assert!(site.place.pinned().is_empty());

    let mut client = site.client();
    let query = Query::new("www.example.com", RecordType::A.to_int());
    for family in FAMILIES {
        assert_eq!(client.address(family, "www.example.com"), Some([198, 51, 100, 1]));
        assert_eq!(client.ask_over_tcp(family, &query).rcode, 0);
    }
    assert_eq!(agent.kernel_replies(), 0);
    assert!(agent.terminate().success());
}
