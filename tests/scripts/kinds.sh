# A guest of the kind that GUEST_TYPE names plays, before and after its card was taken and given.
audiodom || exit
held start
if ! guest one "$agent" || ! waitlog one AGENT 90; then
  why=$(sed -n 's/^libxl: error: [^:]*:[0-9]*:[^:]*: *//p' /run/create.one | head -n 1)
  echo "CANNOT ${why:-it was created, and said nothing before it was gone}"
  exit 0
fi
order one first 'aplay -q /material/noise.wav'
did one first || exit
detach one || exit
attach one || exit
order one second 'until [ -e /dev/snd/pcmC0D0p ]; do usleep 20000; done; aplay -q /material/noise.wav'
did one second || exit
xl destroy one || exit
held end
