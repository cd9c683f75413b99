# The audio domain crashes and comes back by itself; a guest created then plays.
audiodom || exit
old=$(xl domid audiodom)
before=$(uptime_ms)
xl sysrq audiodom c || exit
waitlog audiodom ready 60 2 || exit
say "back in $(($(uptime_ms) - before)) ms"
[ $(xl domid audiodom) != $old ] || exit
guest one 'aplay -q /material/noise.wav' || exit
wait_guest one
