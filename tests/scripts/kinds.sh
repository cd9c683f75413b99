# A guest of the kind that GUEST_TYPE names plays, before and after its card was taken and given.
audiodom || exit
held start
guest one "$agent" || exit
# Before its console, a PC's firmware takes a minute: each of its port accesses is dom0's work.
waitlog one AGENT 240 || exit
order one first 'aplay -q /material/noise.wav'
did one first || exit
detach one || exit
attach one || exit
order one second 'until [ -e /dev/snd/pcmC0D0p ]; do usleep 20000; done; aplay -q /material/noise.wav'
did one second || exit
xl destroy one || exit
held end
