//! What systemd is told by a service of `Type=notify` (sd_notify(3)): readiness, reloads with their time, a sign of life, and the end.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::agent::serve;
use crate::harness::eventually;
use crate::harness::site::Site;

#[test]
fn systemd_is_told_of_readiness_life_reloads_and_the_end() {
    let Some(site) = Site::make() else { return };
    site.serve_zone("", "www IN A 198.51.100.1\n");
    let path = site.place.file("notify");
    let systemd = UnixDatagram::bind(&path).expect("a socket can be made");
    systemd.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout can be set");
    let mut command = serve(&site.network.server, &site.place);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut agent = Running(command.spawn().expect("nsenter is there"));

    let first = until(&systemd, "READY=1");
    assert!(!first.iter().any(|line| line == "WATCHDOG=1"), "a sign of life before readiness: {first:?}");
    // More than the first one, which comes at once.
    for _ in 0..3 {
        until(&systemd, "WATCHDOG=1");
    }
    agent.signal(Signal::HUP);
    let before = until(&systemd, "RELOADING=1");
    let behind = until(&systemd, "READY=1");
    // In the same message as RELOADING=1, as systemd wants it.
    let times = before.iter().chain(&behind).filter(|line| line.starts_with("MONOTONIC_USEC=")).count();
    assert_eq!(times, 1, "{before:?} {behind:?}");
    agent.signal(Signal::TERM);
    until(&systemd, "STOPPING=1");
    let ended =
        eventually("the end", || agent.0.try_wait().expect("a child can be asked after").ok_or("it runs"));
    assert!(ended.success(), "{ended}");
}

/// Lines told up to the one that is waited for, and those of the same message.
fn until(systemd: &UnixDatagram, wanted: &str) -> Vec<String> {
    let mut told = Vec::new();
    eventually(wanted, || {
        let mut message = [0; 4096];
        let Ok(length) = systemd.recv(&mut message) else { return Err(told.clone()) };
        let lines = String::from_utf8_lossy(&message[..length]);
        told.extend(lines.lines().map(str::to_owned));
        if lines.lines().any(|line| line == wanted) { Ok(()) } else { Err(told.clone()) }
    });
    told
}

/// Killed when dropped.
struct Running(Child);

impl Running {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it runs");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
