# alsaloop, of ALSA's own programs, plays in a guest what the guest records: with a tenth of a second
# of latency and its clocks let alone, then as it comes.
audiodom || exit
self=/local/domain/$(xl domid audiodom)
GUEST_OVER="$GUEST_OVER /boot/alsaloop.cpio"
guest loop "$agent" "${default_vsnd%]]*}, 'STREAM, unique-id=mic, type=c']]" || exit
waitlog loop AGENT 60 || exit
xenstore-write $self/control/policy/$(cat /run/domid.loop)/mic allow
# run NAME SECONDS OPTIONS: alsaloop, what it says, and what was counted of both streams since its start.
run() {
  order loop $1 "timeout $2 alsaloop $3 2>&1 | sed 's/^/$1 says: /'"
  did loop $1 $(($2 + 30)) || exit
  xenstore-write $self/control/refresh 1
  sleep 1
  for stream in 0 1; do
    echo "STREAM $1-$stream $(xenstore-read $self/data/guest/$(cat /run/domid.loop)/0/stream-$stream)"
  done
}
run steady 5 '-t 100000 -S none'
run default 3
