#!/bin/busybox sh
# A guest's first process: waits for the sound card, runs /commands, says how they ended, powers off.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts none /dev/pts
mount -t tmpfs none /dev/shm
for module in $(cat /modules/order); do
  [ -d /sys/module/$module ] || insmod /modules/$module.ko || echo "GUEST insmod $module failed"
done
card=0
for word in $(cat /proc/cmdline); do case $word in card=*) card=${word#card=};; esac; done
i=0
while [ "$card" -gt 0 ] && [ ! -e /dev/snd/controlC0 ]; do
  [ $i -lt $((card * 20)) ] || { echo "GUEST no sound card after $card s"; echo "GUEST-EXIT 124"; usleep 200000; poweroff -f; }
  i=$((i + 1))
  usleep 50000
done
read up rest </proc/uptime
echo "GUEST up $up"
( cd /root; . /commands ) </dev/null
echo "GUEST-EXIT $?"
usleep 200000   # the console drains
poweroff -f
