# Two guests record the same source; one of them plays meanwhile, and the other loses the
# microphone in the middle. Each then plays what it recorded, so that the card's recording tells.
duplex="vsnd=[['CARD, backend=audiodom, sample-rates=48000, sample-formats=s16_le, channels-min=2, channels-max=2, buffer-size=65536', 'PCM, name=main', 'STREAM, unique-id=main, type=p', 'STREAM, unique-id=mic, type=c']]"
# microphone NAME allow|deny
microphone() { xenstore-write /local/domain/$(cat /run/domid.audiodom)/control/policy/$(cat /run/domid.$1)/mic $2; }
# sounding FILE: how many of its octets after the header are not 0
sounding='sounding() { tail -c +45 $1 | tr -d "\\0" | wc -c; }'

audiodom || exit
guest one "$sounding
read go </dev/console; arecord -f cd -r 48000 -d 1 /tmp/none.wav; echo NONE \$(sounding /tmp/none.wav) of \$(wc -c </tmp/none.wav)
read go </dev/console; aplay /material/played.wav & arecord -f cd -r 48000 -d 4 /tmp/heard.wav; wait
echo RECORDED; read go </dev/console; aplay /tmp/heard.wav" "$duplex" || exit
guest two "$sounding
read go </dev/console; arecord -f cd -r 48000 -d 5 /tmp/heard.wav; echo RECORDED \$(wc -c </tmp/heard.wav)
read go </dev/console; aplay /tmp/heard.wav" "$duplex" || exit
waitlog one 'GUEST up' && waitlog two 'GUEST up' || exit
tell one go
waitlog one '^NONE' || exit
microphone one allow
microphone two allow
tell one go
tell two go
usleep 2500000
microphone two deny
waitlog one '^RECORDED' && waitlog two '^RECORDED' || exit
xenstore-write /local/domain/$(cat /run/domid.audiodom)/control/refresh 1
sleep 1
xenstore-ls /local/domain/$(cat /run/domid.audiodom)/data
tell one go
wait_guest one || exit
tell two go
wait_guest two
