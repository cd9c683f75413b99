# The audio domain goes while guests play, and comes back: rebooted, destroyed and created, crashed.
# Each time its guests' cards are detached once they are gone, and attached once it is ready.
audiodom || exit
for name in one two; do guest $name "$agent" "$default_vsnd" || exit; done
for name in one two; do waitlog $name AGENT || exit; done
card='until [ -e /dev/snd/pcmC0D0p ]; do usleep 50000; done'
# start TAG: everybody plays its file again and again until the card goes.
start() {
  for name in one two; do order $name $1 "$card; while aplay -q /material/$name.wav; do :; done"; done
  for name in one two; do playing $name 0 || return; done
}
# away TAG: everybody's card is gone, and taken away.
away() {
  for name in one two; do did $name $1; done
  say "gone $(($(uptime_ms) - before)) ms after the order"
  for name in one two; do xl vsnd-detach $name 0 || return; done
}
# again COUNT WHEN: the audio domain is ready for the COUNTth time; everybody gets a card of it.
again() {
  waitlog audiodom ready 60 $1 || return
  local ready=$(uptime_ms)
  say "ready $((ready - before)) ms after the order"
  for name in one two; do attach $name || return; done
  start $2 || return
  say "$2: everybody plays $(($(uptime_ms) - ready)) ms after the audio domain was ready"
  sleep 2
  held $2
}
start start && sleep 2 && held start || exit
before=$(uptime_ms)
xl reboot audiodom && away start && again 2 rebooted || exit
before=$(uptime_ms)
xl destroy audiodom && away rebooted && create audiodom /etc/xen/audio-dom.cfg && again 3 destroyed || exit
before=$(uptime_ms)
xl sysrq audiodom c && away destroyed && again 4 crashed || exit
xl list
