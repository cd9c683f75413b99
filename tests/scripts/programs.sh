# Sound servers in guests, as Debian packages them, at their own settings: PulseAudio, then PipeWire.
audiodom || exit
sed -i 's/^memory.*/memory = 224/' /etc/xen/guest.cfg
card='until [ -e /dev/snd/pcmC0D0p ]; do usleep 50000; done'
# stream NAME PROGRAM: what the audio domain counted for the program.
stream() {
  local self=/local/domain/$(xl domid audiodom)
  xenstore-write $self/control/refresh 1
  sleep 1
  echo "STREAM $2 $(xenstore-read $self/data/guest/$(cat /run/domid.$1)/0/stream-0)"
}
over=$GUEST_OVER
GUEST_OVER="$over /boot/pulseaudio.cpio"
guest pulse "$agent" "$default_vsnd" || exit
waitlog pulse AGENT 60 || exit
env='export HOME=/root XDG_RUNTIME_DIR=/run/user; mkdir -p /run/user'
order pulse start "$card; $env; pulseaudio -n --daemonize=yes --exit-idle-time=-1 -L module-detect -L module-native-protocol-unix"
did pulse start 60 || exit
order pulse play "$env; paplay /material/pulse.wav & sleep 1; pactl list sinks | grep -E 'Latency|access_mode'; paplay /material/second.wav & wait"
did pulse play 60 || exit
stream pulse pulseaudio
xl destroy pulse
# Its minimal.conf opens both directions, and needs no session manager; so the ports are linked here.
# What Debian's session manager sets for nodes in a virtual machine is set here, too; and it lets a
# node that nobody uses go after five seconds, not at once with what its card has still to play.
vm='s/= api.alsa.pcm.s[a-z]*/&\n node.pause-on-idle = false\n api.alsa.period-size = 256\n api.alsa.headroom = 8192/; s/\(suspend-on-idle *= \)true/\1false/'
GUEST_OVER="$over /boot/pipewire.cpio"
guest wire "$agent" "${default_vsnd%]]*}, 'STREAM, unique-id=mic, type=c']]" || exit
waitlog wire AGENT 60 || exit
# ALSA's file plug-in lies between PipeWire and the card and keeps what PipeWire hands over.
order wire start "$card; $env; echo 'pcm.kept { type file slave.pcm \"hw:0\" file /tmp/kept.raw format raw }' >/etc/asound.conf; sed '$vm; s/\"hw:0\"/\"kept\"/' /usr/share/pipewire/minimal.conf >/run/wire.conf; pipewire -c /run/wire.conf >/dev/null 2>&1 & $env; until pw-link -i 2>/dev/null | grep -q playback_2; do usleep 200000; done"
did wire start 60 || exit
order wire play "$env; pw-play -P '{ adapter.auto-port-config = { mode = dsp } }' /material/wire.wav 2>/dev/null & $env; until pw-link -o 2>/dev/null | grep -q output_FR; do usleep 200000; done; for side in 'FR 2' 'FL 1'; do set -- \$side; pw-link pw-play:output_\$1 system:playback_\$2 2>/dev/null; done; wait"
did wire play 60 || exit
stream wire pipewire
# The octets, from the first that is not silent on, up to which it is the file.
order wire kept "line=\$(od -v -An -tx4 -w4 /tmp/kept.raw | grep -n -m 1 -v 00000000); cmp /tmp/kept.raw /material/wire.wav \$((4 * (\${line%%:*} - 1))) 44 | sed 's/.* char \([0-9]*\),.*/KEPT \1/'"
did wire kept 60
