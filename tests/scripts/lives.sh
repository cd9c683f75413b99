# One guest plays on through all that happens to another: cards attached to it and detached, its
# driver reloaded, a pause, a reboot, a crash. What the audio domain holds is told after each.
audiodom || exit
guest keeper "$agent" || exit
guest mover "$agent" 'on_reboot="restart"' || exit
waitlog keeper AGENT && waitlog mover AGENT || exit
card='until [ -e /dev/snd/pcmC0D0p ]; do usleep 20000; done'
order keeper play 'for i in 1 2 3 4 5 6 7 8 9; do cat /material/left.raw; done | aplay -q -t raw -f dat'
sleep 1
held start
attach mover || exit
order mover attach "$card; aplay -q /material/right.wav"
did mover attach || exit
xl vsnd-list mover
order mover reload "for i in \$(seq 24); do echo vsnd-0 >/sys/bus/xen/drivers/vsnd/unbind; rmmod snd_xen_front || exit; insmod /modules/snd_xen_front.ko || exit; $card; done; aplay -q /material/right.wav"
did mover reload 60 || exit
detach mover && held detach || exit
attach mover || exit
order mover pause "$card; aplay /material/right.wav"
playing mover 1 || exit
xl pause mover && sleep 2 && xl unpause mover || exit
did mover pause || exit
order mover middle "$card; aplay -q /material/right.wav"
playing mover 1 || exit
detach mover || exit
did mover middle && exit 1
held middle
attach mover || exit
xl reboot mover || exit
waitlog mover AGENT 30 2 || exit
renew mover
order mover reboot "$card; aplay -q /material/right.wav"
did mover reboot || exit
order mover crash "aplay -q /material/right.wav & sleep 1; echo c >/proc/sysrq-trigger"
while alive mover; do usleep 100000; done
held crash
did keeper play 90 || exit
xl list
