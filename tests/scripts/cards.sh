# One guest plays every format, rate and number of channels; another has devices and streams of every
# kind. All on one card: Linux' driver always asks ALSA for card 0, so a second one finds no place.
audiodom || exit
self=/local/domain/$(xl domid audiodom)
guest one "$agent" "vsnd=[['CARD, backend=audiodom, sample-rates=5512;8000;11025;16000;22050;32000;44100;48000;64000;96000;176400;192000, sample-formats=s8;u8;s16_le;s16_be;u16_le;u16_be;s24_le;s24_be;u24_le;u24_be;s32_le;s32_be;u32_le;u32_be;mu_law;a_law, channels-min=1, channels-max=8, buffer-size=65536', 'PCM, name=main', 'STREAM, unique-id=main, type=p']]" || exit
waitlog one AGENT || exit
order one all 'while read n format rate channels; do aplay -q -D hw:0 -t raw -f $format -r $rate -c $channels /material/$n.raw; echo CASE $n $?; usleep 120000; done </material/list'
did one all 120
# stream NAME PROGRAM: what the audio domain counted for the last program.
stream() { xenstore-write $self/control/refresh 1; sleep 1; echo "STREAM $2 $(xenstore-read $self/data/guest/$(cat /run/domid.$1)/0/stream-0)"; }
order one verbose 'aplay -v /material/noise.wav; sleep 1'
did one verbose || exit
stream one aplay
order one speaker 'speaker-test -c 2 -t sine -f 440 -l 1; sleep 1'
did one speaker 60 || exit
stream one speaker-test
xl destroy one
guest two "$agent" "vsnd=[
 ['CARD, backend=audiodom, sample-rates=44100;48000, sample-formats=s16_le, channels-min=1, channels-max=2, buffer-size=32768',
  'PCM, name=wide', 'STREAM, unique-id=a, type=p', 'STREAM, unique-id=b, type=c',
  'PCM, name=mono, channels-max=1', 'STREAM, unique-id=c, type=p', 'STREAM, unique-id=d, type=p',
  'PCM, name=slow', 'STREAM, unique-id=e, type=p, sample-rates=44100',
  'PCM, name=fast, sample-rates=48000', 'STREAM, unique-id=f, type=p']]" || exit
waitlog two AGENT || exit
order two cards 'until [ -e /dev/snd/pcmC0D3p ]; do usleep 50000; done; sed "s/^/PCM /" /proc/asound/pcm; for pcm in 0,0 0,1 0,2 0,3; do echo; aplay -D hw:$pcm --dump-hw-params -d 1 /dev/zero 2>&1 | grep -E "^(RATE|CHANNELS|FORMAT)" | sed "s/^/OFFERS $pcm /"; done'
did two cards || exit
# As each is; ALSA's own conversion needs mmap, which Linux' driver has not, or its emulation.
order two play 'play() { aplay -q -D hw:$1 -t raw -f S16_LE -r $2 -c $3 -d 1 /dev/zero; echo "PLAYED $?"; }; play 0,0,0 48000 2; play 0,1,0 44100 1; play 0,1,1 48000 1; play 0,2,0 44100 2; play 0,3,0 48000 2'
did two play 60 || exit
order two mend 'echo "pcm.mend { type plug slave.pcm { type mmap_emul slave.pcm { type hw card 0 device 1 } } }" >/root/.asoundrc; aplay -q -D plughw:0,1 -d 1 /material/noise.wav 2>/dev/null; echo "PLUGHW $?"; HOME=/root aplay -q -D mend -d 1 /material/noise.wav; echo "MENDED $?"'
did two mend 60 || exit
