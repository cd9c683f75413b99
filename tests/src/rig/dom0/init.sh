#!/bin/busybox sh
# dom0's first process: brings the toolstack up, says so, and waits for the host's word.
# The machine is saved while it waits; every run goes on from there.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/pts /run/xen /run/xenstored /var/lock
mount -t devpts none /dev/pts   # xenconsoled takes one terminal per domain
for module in $(cat /modules/order); do
  [ -d /sys/module/$module ] || insmod /modules/$module.ko || echo "RIG insmod $module failed"
done
mount -t xenfs none /proc/xen
ulimit -c 0
xenstored --pid-file /run/xenstored.pid
xen-init-dom0 || echo "RIG xen-init-dom0 failed"
xenconsoled --pid-file=/run/xenconsoled.pid --log=all --log-dir=/var/log/xen/console --timestamp=none
xl pci-assignable-add 00:1b.0 >/run/assignable.log 2>&1 || { cat /run/assignable.log; echo "RIG the sound card is not assignable"; }
rm -rf /modules
stty -echo </dev/console
echo "RIG READY"
read word </dev/console
# What the host wants is in the directory it shares. It cannot be mounted before: that forbids saving.
mkdir -p /host
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 host /host || echo "RIG no share"
. /host/session.sh
poweroff -f
