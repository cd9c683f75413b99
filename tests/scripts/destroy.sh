# A guest is destroyed in mid-play; the other goes on.
audiodom || exit
guest keeper 'read go </dev/console; aplay -q /material/left.wav' || exit
guest victim 'read go </dev/console; aplay -q /material/right.wav' || exit
waitlog keeper 'GUEST up' && waitlog victim 'GUEST up' || exit
tell keeper go
tell victim go
sleep 3
before=$(uptime_ms)
xl destroy victim || exit
say "destroyed in $(($(uptime_ms) - before)) ms"
sleep 1
xenstore-ls /local/domain/$(xl domid audiodom)/backend
xl list
wait_guest keeper
