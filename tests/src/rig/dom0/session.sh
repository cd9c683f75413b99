# Sourced by dom0's init after a restore. /host/mode says what the host wants.
# All is copied before the script begins: what the host's disk takes would shift the run's time.
cp -a /host/*.sh /host/guest /run/
. /run/lib.sh
# Neither the self-tests nor the page table check of a guest at boot are our subject: three seconds.
GUEST_EXTRA="console=hvc0 quiet mitigations=off cryptomgr.notests=1 rodata=off"
cp /host/*.cfg /etc/xen/ 2>/dev/null
[ -d /host/boot ] && cp /host/boot/* /boot/
[ -f /host/audiodom ] && cp /host/audiodom /boot/audiodom
[ -f /host/audioctl ] && cp /host/audioctl /bin/audioctl
cd /root
case $(cat /host/mode) in
shell)
  read columns rows term </host/terminal
  stty sane cols $columns rows $rows </dev/console
  cp /run/lib.sh /root/.profile
  echo 'PS1="dom0:\w# "; cd /etc/xen' >>/root/.profile
  echo 'echo "Xen $(xl info xen_version), dom0. Try: audiodom; xl list; cat audio-dom.cfg guest.cfg; guest NAME COMMANDS. Ctrl-] ends."' >>/root/.profile
  GUEST_EXTRA="$GUEST_EXTRA" TERM=$term ENV=/root/.profile setsid cttyhack sh
  collect
  echo 0 >/host/status ;;
*)
  # The host can ask for the logs of a run that hangs.
  while read -r word </dev/console; do
    case $word in dump) collect; echo "RIG DUMPED" ;; esac
  done &
  # The next full second: how long the copies took is forgotten.
  read start rest </proc/uptime
  hundredths=${start#*.}
  usleep $(( (99 - ${hundredths#0}) * 10000 ))   # asleep, it costs the host nothing
  while read up rest </proc/uptime && [ "${up%.*}" = "${start%.*}" ]; do :; done
  ( . /run/script.sh ) </dev/null
  status=$?
  collect
  usleep 1100000   # followers look once a second
  echo $status >/host/status
  echo "RIG EXIT $status" ;;
esac
sync
umount -l /host
