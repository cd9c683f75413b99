# What a guest is told of the card's input beside the input's own position: a guest that may read the
# card's registers notes both while two of its devices record the same. Then it plays both recordings.
audiodom || exit
self=/local/domain/$(xl domid audiodom)
bar=$(sed -n '1s/ .*//p' /sys/bus/pci/devices/0000:00:1b.0/resource)
guest one "[ -c /dev/mem ] || mknod /dev/mem c 1 1
"'chmod +x /material/card-watch
read go </dev/console
# SDnLPIB of the first input stream, the first of all.
lpib='$(printf %x $((bar + 0x84)))'
# record DEVICE SECONDS HOW: records, and notes what it is told meanwhile.
record() {
  arecord -q -D hw:0,$1 -f cd -r 48000 -d $2 $3 /tmp/$1.wav 2>&1 & recorder=$!
  usleep 300000
  /material/card-watch $lpib /proc/asound/card0/pcm${1}c/sub0/status 4 >/tmp/$1.looks
  wait $recorder
}
record 0 8 & first=$!
sleep 1
record 1 6 "--buffer-size=8192 --period-size=1024" & second=$!
wait $first $second
for device in 0 1; do
  echo "FILE $device"
  cat /tmp/$device.looks
  aplay -q -D hw:0,0 /tmp/$device.wav
  sleep 1
done' "vsnd=[['CARD, backend=audiodom, sample-rates=48000, sample-formats=s16_le, channels-min=2, channels-max=2, buffer-size=65536', 'PCM, name=main', 'STREAM, unique-id=main, type=p', 'STREAM, unique-id=mic, type=c', 'PCM, name=other', 'STREAM, unique-id=other, type=c']]
iomem=['$(printf %x $((bar >> 12))),4']" || exit
waitlog one 'GUEST up' || exit
for stream in mic other; do xenstore-write $self/control/policy/$(cat /run/domid.one)/$stream allow; done
tell one go
wait_guest one 200
