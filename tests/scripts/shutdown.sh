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
# Its card went before the domain did; aplay may have ended, and the guest with it.
! alive one || xl destroy one
