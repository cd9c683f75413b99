# The audio domain is shut down while a guest plays; the card is left quiet.
audiodom || exit
guest one 'read go </dev/console; aplay -q /material/noise.wav' || exit
waitlog one 'GUEST up' || exit
tell one go
sleep 2
before=$(uptime_ms)
xl shutdown -w audiodom || exit
say "shut down in $(($(uptime_ms) - before)) ms"
xl list
xl destroy one
