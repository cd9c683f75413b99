# 32 small guests play at once, each one bit of the frame; the next finds no place. All are told to
# end then. What the audio domain holds is told at the start, at the height and at the end.
echo 'extra = "devices=32"' >>/etc/xen/audio-dom.cfg
audiodom || exit
id=$(xl domid audiodom)
held start
# small N: a guest that plays bit N. Nobody waits for its end, so nothing of xl stays.
small() {
  printf 'name="s%d"\ntype="pv"\nkernel="/boot/stand-in"\nmemory=4\nvcpus=1\nextra="%d"\n%s\n' $1 $1 "$default_vsnd" |
    sed 's/buffer-size=65536/buffer-size=32768/' >/run/s.cfg
  xl create -q -e /run/s.cfg >/run/create.s$1 2>&1
  local status=$?
  [ $status = 0 ] || cat /run/create.s$1
  xl domid s$1 >/run/domid.s$1 2>/dev/null
  return $status
}
# had WHEN: what the audio domain and all domains together have had of the processor, in tenths of
# a second, and when.
had() {
  xl list | awk -v when="$1 $(uptime_ms)" 'NR > 1 { all += $NF; if ($1 == "audiodom") own = $NF }
    END { printf "TIMES %s %d %d\n", when, 10 * own + 0.5, 10 * all + 0.5 }'
}
n=0
while [ $n -lt 32 ]; do small $n || exit; n=$((n + 1)); done
say "all are created"
n=0
while [ $n -lt 32 ]; do xenstore-write /local/domain/$(cat /run/domid.s$n)/control/go 1; n=$((n + 1)); done
end=$(( $(uptime_ms) + 60000 ))
until [ "$(xenstore-ls /local/domain/$id/data/guest | grep -c playing=1)" = 32 ]; do
  [ $(uptime_ms) -lt $end ] || { xenstore-ls /local/domain/$id/data; tail -n 2 $logs/guest-s*.log; exit 1; }
  sleep 1
done
say "all play"
had before
sleep 10
had after
# The next one.
( until xenstore-ls /local/domain/$id/backend/vsnd | grep 'as many devices'; do usleep 200000; done ) &
watcher=$!
small 32 && exit 1
kill $watcher 2>/dev/null
sleep 2
held height
n=0
while [ $n -lt 32 ]; do
  echo "STREAM s$n $(xenstore-read /local/domain/$id/data/guest/$(cat /run/domid.s$n)/0/stream-0)"
  n=$((n + 1))
done
n=0
while [ $n -lt 32 ]; do xenstore-write /local/domain/$(cat /run/domid.s$n)/control/shutdown poweroff; n=$((n + 1)); done
n=0
while [ $n -lt 32 ]; do
  waitlog s$n 'PLAYED|FAILED|fatal' 60 || exit
  echo "BIT $n $(tail -n 1 $logs/guest-s$n.log)"
  xl destroy s$n || exit
  n=$((n + 1))
done
held end
