# Two guests of different formats and rates play at once.
audiodom || exit
guest low 'read go </dev/console; aplay -q /material/low.wav' || exit
guest high 'read go </dev/console; aplay -q /material/high.wav' \
  "vsnd=[['CARD, backend=audiodom, sample-rates=44100, sample-formats=s32_le, channels-min=1, channels-max=1, buffer-size=65536', 'PCM, name=main', 'STREAM, unique-id=high, type=p']]" || exit
waitlog low 'GUEST up' && waitlog high 'GUEST up' || exit
tell low go
tell high go
wait_guest low && wait_guest high
