# What a script finds at hand in dom0.
logs=/var/log/xen/console

# say TEXT: a line with the time since boot.
say() { echo "[$(uptime_ms) ms] $*"; }

# uptime_ms: milliseconds since boot, in steps of ten.
uptime_ms() { local up rest; read up rest </proc/uptime; echo "${up%.*}${up#*.}0"; }

# follow NAME: shows the domain's console as it grows.
follow() {
  [ -e /run/followed.$1 ] && return
  : >/run/followed.$1; : >>$logs/guest-$1.log
  { tail -n +1 -f $logs/guest-$1.log | while IFS= read -r line; do echo "$1| $line"; done; } 2>/dev/null &
}

# waitlog NAME REGEX [SECONDS] [TIMES]: waits until the domain's console shows it so often.
waitlog() {
  local end=$(( $(uptime_ms) + ${3:-30} * 1000 ))
  until [ "$(grep -cE -- "$2" $logs/guest-$1.log 2>/dev/null)" -ge ${4:-1} ]; do
    [ $(uptime_ms) -lt $end ] || { say "$1 did not say '$2' in ${3:-30} s"; return 1; }
    usleep 50000
  done
}

# tell NAME LINE: types a line at the domain's console.
tell() { echo "$2" >$(xenstore-read /local/domain/$(cat /run/domid.$1)/console/tty); }

# alive NAME: does a domain of this name that was created here still exist?
alive() { xenstore-exists /local/domain/$(cat /run/domid.$1 2>/dev/null || echo none)/domid 2>/dev/null; }

# create NAME FILE: xl create, remembering the domain's number.
create() {
  xl create $2 >/run/create.$1 2>&1
  local status=$?
  [ $status = 0 ] || cat /run/create.$1
  xl domid $1 >/run/domid.$1 2>/dev/null
  follow $1
  return $status
}

# audiodom: creates the audio domain and waits until it is ready to serve.
audiodom() {
  create audiodom /etc/xen/audio-dom.cfg || return
  waitlog audiodom "${AUDIODOM_READY:-[Rr]eady}" 30
}

default_vsnd="vsnd=[['CARD, backend=audiodom, short-name=Audio, sample-rates=48000, sample-formats=s16_le, channels-min=2, channels-max=2, buffer-size=65536', 'PCM, name=main', 'STREAM, unique-id=main, type=p']]"

# What guests are, what they boot, and archives that are laid over their files.
GUEST_TYPE=pv
GUEST_KERNEL=/boot/vmlinux
GUEST_OVER=

# guest NAME COMMANDS [CFG]: a Linux guest that runs COMMANDS once its sound card is there and then
# powers off. CFG replaces the line that gives it a stereo playback stream; "none" gives it no card.
guest() {
  local name=$1 dir=/run/guest.$1 cfg=${3:-$default_vsnd} card=60
  case $cfg in *vsnd*) ;; none) card=0; cfg= ;; *) card=0 ;; esac
  rm -rf $dir; mkdir -p $dir/files
  cp -a /run/guest/. $dir/files/
  printf '%s\n' "$2" >$dir/files/commands
  ( cat /boot/guest.cpio $GUEST_OVER; cd $dir/files; find . | cpio -o -H newc 2>/dev/null ) >$dir/ramdisk
  { sed "s,^kernel.*,kernel = \"$GUEST_KERNEL\",; s,^type.*,type = \"$GUEST_TYPE\"," /etc/xen/guest.cfg; printf 'name="%s"\nramdisk="%s"\nextra="%s card=%d"\n%s\n' $name $dir/ramdisk "$GUEST_EXTRA" $card "$cfg"; } >$dir/cfg
  rm -rf $dir/files
  : >$logs/guest-$name.log
  create $name $dir/cfg
  local status=$?
  # A guest that is started again by itself needs it again.
  case $cfg in *restart*) ;; *) rm -f $dir/ramdisk ;; esac
  return $status
}

# device_model: makes dom0 able to run guests that have all of a PC, and the next ones such guests.
device_model() {
  rm -f /boot/vmlinux   # dom0's files are in memory, which has no room for both kernels
  ( cd / && cpio -idu ) </boot/device-model.cpio 2>/dev/null || return
  rm /boot/device-model.cpio
  GUEST_TYPE=hvm GUEST_KERNEL=/boot/vmlinuz
  sed -i 's/^memory.*/memory = 224/' /etc/xen/guest.cfg
  printf '%s\n' 'vga = "none"' 'vnc = 0' 'nographic = 1' 'serial = "none"' >>/etc/xen/guest.cfg
}

# wait_guest NAME [SECONDS]: waits until the guest is gone; returns what its commands returned.
wait_guest() {
  local end=$(( $(uptime_ms) + ${2:-120} * 1000 ))
  while alive $1; do
    [ $(uptime_ms) -lt $end ] || { say "$1 still runs after ${2:-120} s"; return 124; }
    usleep 100000
  done
  local status=$(sed -n 's/^GUEST-EXIT \([0-9]*\).*/\1/p' $logs/guest-$1.log | tail -n 1)
  return ${status:-125}
}

# What a guest runs that does as it is told, line by line.
agent='stty -echo </dev/console; echo AGENT; while read -r tag line; do ( eval "$line" ) </dev/null; echo "DID $tag $?"; done </dev/console'

# order NAME TAG COMMAND: an agent runs COMMAND; `did NAME TAG [SECONDS]` waits for its status.
order() { tell $1 "$2 $3"; }
did() {
  waitlog $1 "^DID $2 " ${3:-30} || return 124
  return $(sed -n "s/^DID $2 \([0-9]*\).*/\1/p" $logs/guest-$1.log | tail -n 1)
}

# renew NAME: a domain of this name was created again by itself.
renew() { xl domid $1 >/run/domid.$1; }

# detach NAME [DEVICE]: takes a card from a running guest. Linux' driver waits two seconds before it
# ends, and then writes 6 over the state of a card that came in its place meanwhile: such a card is
# never taken.
detach() {
  local before=$(uptime_ms)
  xl vsnd-detach $1 ${2:-0} || return
  say "detached in $(($(uptime_ms) - before)) ms"
  sleep 3
}

# playing NAME [SECONDS]: waits until the guest plays and has given so much sound since.
playing() {
  local end=$(( $(uptime_ms) + 30000 )) frames first
  while :; do
    frames=$(xenstore-ls /local/domain/$(xl domid audiodom)/data/guest/$(cat /run/domid.$1) 2>/dev/null |
      sed -n 's/.*playing=1 .*frames=\([0-9]*\).*/\1/p' | tail -n 1)
    first=${first:-$frames}
    [ -n "$frames" ] && [ $((frames - first)) -ge $((${2:-0} * 48000)) ] && return
    [ $(uptime_ms) -lt $end ] || { say "$1 does not play"; return 1; }
    usleep 50000
  done
}

# attach NAME [STREAM...]: gives a running guest a card like the one in $default_vsnd.
attach() {
  local name=$1
  shift
  [ $# -gt 0 ] || set -- 'STREAM, unique-id=main, type=p'
  xl vsnd-attach $name 'CARD, backend=audiodom, short-name=Audio, sample-rates=48000, sample-formats=s16_le, channels-min=2, channels-max=2, buffer-size=65536' 'PCM, name=main' "$@"
}

# held WHEN: says what the audio domain holds of its guests now.
held() {
  local self=/local/domain/$(xl domid audiodom)
  xenstore-write $self/control/refresh 1
  sleep 1
  echo "HELD $1 $(xenstore-read $self/data/held)"
}

# collect: copies every log to the host.
collect() {
  local to=/host/logs
  cp $logs/*.log $to/ 2>/dev/null
  for file in /var/log/xen/*.log; do [ -f $file ] && cp $file $to/; done
  dmesg >$to/dom0.dmesg
  timeout 10 xenstore-ls -fp >$to/xenstore 2>&1
  timeout 10 xl list -v >$to/domains 2>&1
  timeout 10 xl dmesg >$to/xen.dmesg 2>&1
}
