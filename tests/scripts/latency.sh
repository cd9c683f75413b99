# `latency`, of the tests of ALSA's library: it plays what it records, with ever more latency until
# that went well for some seconds. Waiting (-p) and as it comes for somebody who is not root, each for
# five seconds a try and not for thirty: the machine takes half a minute of the host for a second that
# it spins. Then as it comes for root. As root it spins with -p, too, whenever there is no room to play.
audiodom || exit
self=/local/domain/$(xl domid audiodom)
# How the threads of Linux' driver fare that take the card's positions: the interrupt, its thread's
# priority, how often that was switched to, and how often the interrupt came. All in the shell's own
# words, as it has little of the processor.
cat >/run/guest/watch <<'END'
for process in /proc/[0-9]*; do
  read -r name <$process/comm
  case $name in irq/*-vsnd-evt*) number=${name#irq/}; threads="$threads $process:${number%%-*}" ;; esac
done 2>/dev/null
watch() {
  seen=
  for thread in $threads; do
    process=${thread%:*} number=${thread#*:} switched=0 came=0
    while read -r key value; do
      case $key in *ctxt_switches:) switched=$((switched + value)) ;; esac
    done <$process/status
    while read -r key value rest; do [ "$key" = $number: ] && came=$value; done </proc/interrupts
    read -r stat <$process/stat
    set -- $stat
    seen="$seen $number ${40} $switched $came"
  done
}
watch
echo WATCH first$seen
latency >/tmp/root 2>&1 & program=$!
sleep 2
watch
kill -0 $program && echo WATCH then$seen
sleep 1
kill -9 $program
wait
grep -E '^(Trying|Success|Failure)' /tmp/root | sed 's/^/root says: /'
END
GUEST_OVER="$GUEST_OVER /boot/latency.cpio"
guest latency "$agent" "vsnd=[['CARD, backend=audiodom, sample-rates=22050;48000, sample-formats=s16_le, channels-min=2, channels-max=2, buffer-size=65536', 'PCM, name=main', 'STREAM, unique-id=main, type=p', 'STREAM, unique-id=mic, type=c']]" || exit
waitlog latency AGENT 60 || exit
xenstore-write $self/control/policy/$(cat /run/domid.latency)/mic allow
order latency users 'echo root:x:0:0::/root:/bin/sh >/etc/passwd; echo nobody:x:65534:65534::/:/bin/sh >>/etc/passwd; chmod 666 /dev/snd/*'
did latency users || exit
# cpu: the audio domain's seconds of the processor.
cpu() { xl list audiodom | awk 'END { print $NF }'; }
# try NAME SECONDS COMMAND: what it says, without ALSA's listings, and how long it took.
try() {
  local before=$(cpu) from=$(uptime_ms)
  order latency $1 "timeout -s KILL $2 $3 >/tmp/$1 2>&1; grep -E '^(Trying|Success|Failure|!!!|Parameters|Poll|[^ ]*rror)' /tmp/$1 | sed 's/^/$1 says: /'"
  did latency $1 $(($2 + 30)) || exit
  echo "TOOK $1 $(($(uptime_ms) - from)) ms, of which the audio domain's $(echo $before $(cpu) | awk '{ print $2 - $1 }') s"
}
try poll 120 'su nobody -c "latency -p -s 5"'
try user 120 'su nobody -c "latency -s 5"'
order latency watch '. /watch'
did latency watch 60
