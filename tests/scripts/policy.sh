# dom0 changes a guest's volume and mutes it while it plays. What it said is remembered while the
# guest, and then the audio domain, are restarted; and the guest is reattached.
boot() {
  guest tone 'while read word </dev/console; do case $word in
    play) until [ -e /dev/snd/pcmC0D0p ]; do usleep 20000; done; aplay -q /material/tone.wav & ;;
    stop) killall aplay ;;
  esac; done' && waitlog tone 'GUEST up'
}
play() { tell tone play; plays; }
# plays: waits until the audio domain says that the guest's stream plays.
plays() {
  local end=$(( $(uptime_ms) + 20000 )) id=$(xl domid audiodom)
  until xenstore-read /local/domain/$id/data/guest/$(cat /run/domid.tone)/0/stream-0 2>/dev/null | grep -q playing=1; do
    [ $(uptime_ms) -lt $end ] || { say "it does not play"; audioctl status; return 1; }
    usleep 20000
  done
}
audiodom || exit
audioctl agent >/run/agent.log 2>&1 &
boot && play || exit
sleep 2
audioctl volume tone -6dB || exit
sleep 2
audioctl mute tone || exit
sleep 2
audioctl unmute tone || exit
sleep 2
audioctl status
audioctl --json status >/host/logs/guest-status.log
audioctl mic audiodom allow && exit 1

# The guest is restarted; meanwhile it is given another volume.
xl destroy tone
audioctl volume tone -12dB || exit
boot && play || exit
sleep 3

# The audio domain is restarted. Nothing plays at that moment: when its card goes while a stream is
# open, Linux' driver (seen with 6.1) corrupts memory that it freed, and its kernel may go with it.
tell tone stop
sleep 1
xl destroy audiodom
audioctl volume tone 50% || exit
audioctl reattach && exit 1
: >$logs/guest-audiodom.log
audiodom || exit
ready=$(uptime_ms)
audioctl reattach || exit
say "reattached after $(($(uptime_ms) - ready)) ms"
play || exit
say "plays again after $(($(uptime_ms) - ready)) ms"
sleep 3
xl vsnd-list tone
audioctl status
audioctl top --rounds 2 | grep '\[#' || exit
# It is routed to what the card has; to what it has not only by hand, and is silent then.
audioctl route tone speaker && exit 1
audioctl route tone line-out || exit
xenstore-write /local/domain/$(xl domid audiodom)/control/policy/$(xl domid tone)/output speaker
sleep 2
xenstore-read /local/domain/$(xl domid audiodom)/data/guest/$(xl domid tone)/0/error | grep 'no speaker' || exit
xl destroy tone || exit
cat /run/agent.log
audioctl status
