# Two guests play at once, one joining the other, and the audio domain tells what that cost.
audiodom || exit
self=/local/domain/$(xl domid audiodom)
guest low 'read go </dev/console; aplay -q /material/low.wav' || exit
guest high 'read go </dev/console; aplay -q /material/high.wav' \
  "vsnd=[['CARD, backend=audiodom, sample-rates=44100, sample-formats=s32_le, channels-min=1, channels-max=1, buffer-size=65536', 'PCM, name=main', 'STREAM, unique-id=high, type=p']]" || exit
waitlog low 'GUEST up' && waitlog high 'GUEST up' || exit
# figure NAME: a line of data/loop, asked for now.
figure() { xenstore-write $self/control/refresh 1; sleep 2; echo "LOOP $1 $(xenstore-read $self/data/loop)"; }
xl list
echo "READY $(xenstore-read $self/data/ready)"
echo "CARD $(xenstore-read $self/data/card)"
figure idle-from
sleep 20
figure idle-to
tell low go
sleep 3
tell high go
sleep 3
figure playing-from
for name in low high; do echo "STREAM $name $(xenstore-read $self/data/guest/$(xl domid $name)/0/stream-0)"; done
sleep 8
figure playing-to
# The second has played for 15 s of its 24 by now.
sleep 4
for name in low high; do
  # In the host's time a guest may be through by now.
  later=$(xenstore-read $self/data/guest/$(xl domid $name)/0/stream-0 2>/dev/null) && echo "LATER $name $later"
done
wait_guest low && wait_guest high
