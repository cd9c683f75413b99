# A guest plays, leaves the card alone until it rests, and plays again.
audiodom || exit
self=/local/domain/$(xl domid audiodom)
guest one 'for file in first second; do read go </dev/console; aplay -q /material/$file.wav || exit; echo PLAYED $file; done' || exit
# figure NAME: the loop's numbers, asked for now.
figure() { xenstore-write $self/control/refresh 1; sleep 1; echo "LOOP $1 $(xenstore-read $self/data/loop)"; }
waitlog one 'GUEST up' || exit
figure before
tell one go
waitlog one 'PLAYED first' || exit
figure played
sleep 10
figure rested
tell one go
waitlog one 'PLAYED second' || exit
echo "STREAM $(xenstore-read $self/data/guest/$(xl domid one)/0/stream-0)"
figure again
wait_guest one
