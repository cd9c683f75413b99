# alsaloop, of ALSA's own programs, plays in a guest what the guest records: with a tenth of a second
# of latency and its clocks let alone, then as it comes; and both once more in a guest that has the
# card for itself and drives it with Linux' own driver.
audiodom || exit
self=/local/domain/$(xl domid audiodom)
GUEST_OVER="$GUEST_OVER /boot/alsaloop.cpio"
guest loop "$agent" "${default_vsnd%]]*}, 'STREAM, unique-id=mic, type=c']]" || exit
waitlog loop AGENT 60 || exit
xenstore-write $self/control/policy/$(cat /run/domid.loop)/mic allow
# loop GUEST NAME SECONDS OPTIONS: alsaloop, and what it says.
loop() {
  order $1 $2 "timeout $3 alsaloop $4 2>&1 | sed 's/^/$2 says: /'"
  did $1 $2 $(($3 + 30)) || exit
}
# run NAME SECONDS OPTIONS: in the audio domain's guest, with what was counted of both streams since its start.
run() {
  loop loop $1 $2 "$3"
  xenstore-write $self/control/refresh 1
  sleep 1
  for stream in 0 1; do
    echo "STREAM $1-$stream $(xenstore-read $self/data/guest/$(cat /run/domid.loop)/0/stream-$stream)"
  done
}
run steady 5 '-t 100000 -S none'
run default 3
xl destroy loop
xl destroy audiodom
GUEST_OVER="/boot/alsaloop.cpio /boot/linux-card.cpio"
guest control "$agent" "pci=['00:1b.0']" || exit
waitlog control AGENT 60 || exit
order control card 'until [ -e /dev/snd/pcmC0D0c ]; do usleep 50000; done'
did control card || exit
loop control steady 3 '-t 100000 -S none'
loop control default 3
