#!/bin/busybox sh
# What a machine of `cargo xtask vm-test` does after its kernel has started: mounts, modules, then the runs appended below.
# Lines that begin with the words of `say` are for xtask.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t bpf bpf /sys/fs/bpf
/bin/busybox mount -t tmpfs tmpfs /run
# A directory of this file system, all of which is memory: the repository may lie below it.
/bin/busybox chmod 1777 /tmp
/bin/busybox mkdir -p /run/netns
# The kernel's messages go to the other line.
exec </dev/null >/dev/ttyS0 2>&1

say() { echo "PULSE53-VM $*"; }
say ready "$(/bin/busybox uname -r)"

for module in $MODULES; do
    /bin/busybox insmod "/modules/$module.ko" || say lacking "the module $module"
done
ip link set lo up

run() {
    say run "$1"
    shift
    : >/tmp/skipped
    "$@"
    status=$?
    while read -r line; do say skipped "$line"; done </tmp/skipped
    say end "$status"
}
