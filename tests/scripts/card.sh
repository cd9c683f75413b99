# What dom0 says of the card itself: words about its codec, read at the start, and whether it is
# muted, which counts at once.
# start WORDS: an audio domain that is told this of its codec before it runs.
start() {
  xl create -p /etc/xen/audio-dom.cfg || return
  xl domid audiodom >/run/domid.audiodom
  self=/local/domain/$(cat /run/domid.audiodom)
  xenstore-write $self/control/card/overrides "$1"
  : >$logs/guest-audiodom.log
  xl unpause audiodom
  follow audiodom
  waitlog audiodom '[Rr]eady'
}
# shown NODE VALUE: waits until the domain says this.
shown() {
  local end=$(( $(uptime_ms) + 10000 ))
  until [ "$(xenstore-read $self/data/$1)" = "$2" ]; do
    [ $(uptime_ms) -lt $end ] || { say "$1: $(xenstore-read $self/data/$1)"; return 1; }
    usleep 50000
  done
}
start 'gpio=1:1 pin=zz' || exit
echo "BAD: $(xenstore-read $self/data/card)"
xl destroy audiodom
start 'pin=03:90170110' || exit
echo "GOOD: $(xenstore-read $self/data/jacks)"
shown levels 'volume=0 mute=0' || exit
guest one 'for n in 1 2 3; do read go </dev/console; aplay -q /material/noise.wav; echo "PLAYED $?"; done' || exit
waitlog one 'GUEST up' || exit
tell one go
waitlog one 'PLAYED 0' 30 1 || exit
xenstore-write $self/control/master/mute 1
shown levels 'volume=0 mute=1' || exit
tell one go
waitlog one 'PLAYED 0' 30 2 || exit
# What the card still has of it must not be heard either.
sleep 1
xenstore-write $self/control/master/mute 0
shown levels 'volume=0 mute=0' || exit
tell one go
waitlog one 'PLAYED 0' 30 3 || exit
wait_guest one
