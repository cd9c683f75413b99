# A guest is saved and restored; the audio domain is not, and says why.
audiodom || exit
guest mover "$agent" "$default_vsnd" || exit
waitlog mover AGENT || exit
order mover before 'aplay -q /material/right.wav'
did mover before || exit
# Through pipes: the host's share cannot take a guest's pages from where they are.
mkfifo /run/out /run/in
cat /run/out >/host/saved &
xl save mover /run/out || exit
wait $!
held saved
cat /host/saved >/run/in &
xl restore /run/in || exit
rm -f /host/saved
renew mover
order mover after 'until [ -e /dev/snd/pcmC0D0p ]; do usleep 50000; done; aplay -q /material/right.wav'
did mover after 40 || echo "NOT RESTORED"
xl save audiodom /run/refused
echo "REFUSED $?"
xl list audiodom
