#!/bin/bash
# What is tried in a booted root in which the package has been installed. The first thing that is not as it should be ends it.
set -u
export SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0

fail() {
    echo "FAILED: $*"
    systemctl status --no-pager --lines=40 pulse53.service
    echo "PULSE53-TRIAL 1"
    exit 1
}
well() { echo "ok  $*"; }
by_kernel() { pulse53 status --json | sed -n 's/.*"kernel": *\([0-9]\+\).*/\1/p' | head -1; }
ask() { dig +short +tries=3 +timeout=2 +nocookie "$@" www.example.com A; }
# Waits for a command to succeed, up to 30 seconds.
until_is() { for _ in $(seq 150); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done; return 1; }
answers() { [ "$(ask @127.0.0.1)" = "$1" ]; }

systemctl is-enabled --quiet pulse53.service || fail "the package has not enabled its service"
systemctl is-active --quiet pulse53.service || fail "the service is not active after boot"
well "the service is enabled, and active after boot"

said=$(systemctl cat pulse53.service && systemd-analyze verify --man=no pulse53.service 2>&1 >/dev/null)
[[ $said == "# "*"/systemd/system/pulse53.service"* && $said == *"WantedBy=multi-user.target" ]] || fail "systemd-analyze verify: $said"
well "systemd-analyze verify has nothing to say"
systemd-analyze security --no-pager pulse53.service | grep "✗" | cut -c 1-110
systemd-analyze security --no-pager --threshold=30 pulse53.service >/tmp/security || fail "systemd-analyze security: $(tail -1 /tmp/security)"
well "systemd-analyze security: $(tail -1 /tmp/security | tr -d '→')"

pid=$(systemctl show --value --property MainPID pulse53.service)
[ "$(ps -o user= -p "$pid")" = pulse53 ] || fail "it runs as $(ps -o user= -p "$pid")"
well "it runs as pulse53, with capabilities $(awk '/^CapEff/ { print $2 }' "/proc/$pid/status")"

answers 198.51.100.1 || fail "no answer"
[ "$(pulse53 status --json | grep -c '"generic"')" -ge 1 ] || fail "the program is not attached: $(pulse53 status)"
[ "$(by_kernel)" -ge 1 ] || fail "the kernel did not answer: $(pulse53 status)"
well "the kernel has answered"
[ "$(ask +tcp @127.0.0.1)" = 198.51.100.1 ] || fail "no answer over TCP"
well "sockets have answered"

sed -i s/198.51.100.1/198.51.100.2/ /etc/pulse53/zone
systemctl reload pulse53.service || fail "systemctl reload"
until_is answers 198.51.100.2 || fail "a reload has not changed the answer"
well "systemctl reload has changed the answer"

kill -KILL "$pid"
[ "$(ask @127.0.0.1)" = 198.51.100.2 ] || fail "the kernel does not go on answering without an agent"
until_is systemctl is-active --quiet pulse53.service || fail "systemd has not started it again"
well "killed, the kernel went on answering, and systemd started the agent again"

dpkg --install /pulse53.deb >/tmp/again 2>&1 || fail "installing it again: $(cat /tmp/again)"
until_is answers 198.51.100.2 && systemctl is-active --quiet pulse53.service || fail "installed again, it does not answer"
well "installed again, it answers, with the configuration as it was"

mkdir -p /etc/systemd/system/pulse53.service.d
printf '[Service]\nWatchdogSec=2s\nTimeoutStopSec=2s\n' >/etc/systemd/system/pulse53.service.d/trial.conf
systemctl daemon-reload && systemctl restart pulse53.service || fail "restarting with a watchdog that waits less"
sleep 5
[ "$(systemctl show --value --property NRestarts pulse53.service)" = 0 ] || fail "the watchdog ended an agent that does not hang"
pid=$(systemctl show --value --property MainPID pulse53.service)
kill -STOP "$pid"
changed() { [ "$(systemctl show --value --property MainPID pulse53.service)" != "$pid" ] && systemctl is-active --quiet pulse53.service; }
until_is changed || fail "the watchdog has not noticed an agent that hangs"
answers 198.51.100.2 || fail "no answer after the watchdog"
well "the watchdog noticed an agent that hung"

bash -n /usr/share/bash-completion/completions/pulse53 || fail "completions of bash"
for page in pulse53 pulse53-serve pulse53-health-set; do
    zcat "/usr/share/man/man1/$page.1.gz" | grep -q '^\.SH SYNOPSIS' || fail "the manual page $page"
done
well "completions and manual pages are there"

chroot /image /usr/bin/pulse53 serve --listen 127.0.0.2:53 --interfaces "" --api-listen 127.0.0.2:5380 \
    --metrics-listen 127.0.0.2:9553 >/tmp/image.log 2>&1 &
image=$!
refuses() { dig +tries=1 +timeout=1 @127.0.0.2 www.example.com A | grep -q "status: REFUSED"; }
until_is refuses || fail "the image does not serve: $(tail -5 /tmp/image.log)"
kill -TERM "$image" && wait "$image" || fail "the image's program did not end well"
well "the program in the container image answers"

dpkg --purge pulse53-dbgsym pulse53 >/tmp/purge 2>&1 || fail "purging: $(cat /tmp/purge)"
left() { ip link show lo | grep -q xdp || [ -e /sys/fs/bpf/pulse53 ] || [ -e /var/lib/pulse53 ] || [ -e /etc/pulse53/pulse53.toml ]; }
gone() { ! left; }
until_is gone || fail "the package has left something: $(ip link show lo; ls -d /sys/fs/bpf/* /var/lib/pulse53 /etc/pulse53/*)"
well "purged, nothing is left"
echo "PULSE53-TRIAL 0"
