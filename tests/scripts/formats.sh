# One guest plays, in turn and without a conversion of its own: 44.1 kHz in floating point, 22.05 kHz
# in one channel of octets, and eight channels.
audiodom || exit
guest one 'read go </dev/console; for name in float octets eight; do aplay -q -D hw:0 /material/$name.wav || exit; sleep 1; done' \
  "vsnd=[['CARD, backend=audiodom, sample-rates=22050;44100;48000, sample-formats=u8;s16_le, channels-min=1, channels-max=8, buffer-size=262144', 'PCM, name=main', 'STREAM, unique-id=main, type=p']]" || exit
# What xl calls f32_le is float_le in the protocol, and Linux does not know it by another name.
xenstore-write /local/domain/$(cat /run/domid.one)/device/vsnd/0/sample-formats u8,s16_le,float_le
waitlog one 'GUEST up' || exit
tell one go
wait_guest one
