# The audio domain goes and comes back: rebooted and crashed while guests play, destroyed while they
# rest. One command gives its guests their cards back, or an agent does by itself. It talks to xenstored
# through the socket, or the kernel's device where there is none.
audiodom || exit
for name in one two; do guest $name "$agent" "$default_vsnd" || exit; done
for name in one two; do waitlog $name AGENT || exit; done
card='until [ -e /dev/snd/pcmC0D0p ]; do usleep 20000; done'
# play TAG TIMES: everybody plays its file so often, or until the card goes.
play() {
  for name in one two; do order $name $1 "$card; for i in \$(seq $2); do aplay -q /material/$name.wav || break; echo PLAYED; done"; done
  for name in one two; do playing $name 0 || return; done
}
ended() { for name in one two; do did $name $1 40; done; }
# again COUNT WHEN: the audio domain is ready for the COUNTth time; everybody gets a card of it.
again() {
  waitlog audiodom ready 60 $1 || return
  local ready=$(uptime_ms)
  say "$2: ready $((ready - before)) ms after the order"
  [ -n "$agent_runs" ] || audioctl reattach || return
  say "$2: reattached $(($(uptime_ms) - ready)) ms after it was ready"
  play $2 2 || return
  say "$2: everybody plays $(($(uptime_ms) - ready)) ms after the audio domain was ready"
  ended $2
  sleep 1
  held $2
}
held start
play start 50 && sleep 2 || exit
before=$(uptime_ms)
xl reboot audiodom && ended start && say "let go $(($(uptime_ms) - before)) ms after the order" || exit
again 2 rebooted || exit
before=$(uptime_ms)
xl destroy audiodom && create audiodom /etc/xen/audio-dom.cfg && again 3 destroyed || exit
mv /run/xenstored/socket /run/xenstored/away
audioctl status && echo "XENBUS $?"
mv /run/xenstored/away /run/xenstored/socket
audioctl agent --reattach >/run/agent.log 2>&1 &
agent_runs=$!
play running 50 && sleep 2 || exit
before=$(uptime_ms)
xl sysrq audiodom c && ended running && say "crash: let go $(($(uptime_ms) - before)) ms after it" || exit
again 4 crashed || exit
cat /run/agent.log
kill $agent_runs
xl list
