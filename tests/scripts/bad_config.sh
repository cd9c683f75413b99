# A guest whose vsnd asks for what sndif does not have gets a clear error; the other plays.
audiodom || exit
guest keeper 'read go </dev/console; aplay -q /material/noise.wav' || exit
waitlog keeper 'GUEST up' || exit
tell keeper go
guest wrong 'ls /proc/asound/cards && cat /proc/asound/cards' \
  "vsnd=[['CARD, backend=audiodom, sample-rates=48000, sample-formats=gsm, channels-min=2, channels-max=2', 'PCM, name=main', 'STREAM, unique-id=wrong, type=p']]"
say "create returned $?"
backend=/local/domain/$(xl domid audiodom)
for i in $(seq 20); do
  error=$(xenstore-read $backend/data/guest/$(xl domid wrong)/0/error 2>/dev/null) && break
  sleep 1
done
echo "ERROR: $error"
xl destroy wrong
wait_guest keeper
