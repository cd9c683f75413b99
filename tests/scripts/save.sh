# A guest is saved and restored; the audio domain is not, and says why.
audiodom || exit
guest mover "$agent" "$default_vsnd" || exit
waitlog mover AGENT || exit
order mover before 'aplay -q /material/right.wav'
did mover before || exit
xl save mover /host/saved || exit
held saved
xl restore /host/saved || exit
rm -f /host/saved
renew mover
order mover after 'until [ -e /dev/snd/pcmC0D0p ]; do usleep 50000; done; aplay -q /material/right.wav'
did mover after 40 || echo "NOT RESTORED"
xl save audiodom /host/saved
echo "REFUSED $?"
xl list audiodom
