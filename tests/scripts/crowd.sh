# Eight guests play a tone each, all at once.
audiodom || exit
sed -i 's/^memory.*/memory = 96/' /etc/xen/guest.cfg
mono=$(echo "$default_vsnd" | sed 's/channels-min=2, channels-max=2/channels-min=1, channels-max=1/')
for n in 1 2 3 4 5 6 7 8; do
  guest g$n "$agent" "$mono" || exit
  waitlog g$n AGENT 60 || exit
done
for n in 1 2 3 4 5 6 7 8; do
  order g$n tone "until [ -e /dev/snd/pcmC0D0p ]; do usleep 50000; done; timeout 15 speaker-test -c 1 -t sine -f $((400 + 300 * n)) -S 8 >/dev/null"
done
for n in 1 2 3 4 5 6 7 8; do playing g$n 1 || exit; done
sleep 4
xenstore-write /local/domain/$(xl domid audiodom)/control/refresh 1
sleep 1
for n in 1 2 3 4 5 6 7 8; do
  echo "STREAM g$n $(xenstore-read /local/domain/$(xl domid audiodom)/data/guest/$(cat /run/domid.g$n)/0/stream-0)"
done
echo "HELD $(xenstore-read /local/domain/$(xl domid audiodom)/data/held)"
for n in 1 2 3 4 5 6 7 8; do did g$n tone 40; done
xl list
