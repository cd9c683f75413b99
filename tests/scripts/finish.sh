# The audio domain finishes with dither and the soft limiter.
sed -i 's/^extra.*//' /etc/xen/audio-dom.cfg
echo 'extra = "dither=tpdf limiter=soft"' >>/etc/xen/audio-dom.cfg
audiodom || exit
guest one 'aplay -q /material/faint.wav /material/loud.wav' \
  "vsnd=[['CARD, backend=audiodom, sample-rates=48000, sample-formats=s32_le, channels-min=2, channels-max=2, buffer-size=65536', 'PCM, name=main', 'STREAM, unique-id=main, type=p']]" || exit
wait_guest one
