# What a guest is told of the card's position, beside the position itself: a guest that may read the
# card's registers notes both while aplay plays. Files and aplay's words are in /material/list.
audiodom || exit
bar=$(sed -n '1s/ .*//p' /sys/bus/pci/devices/0000:00:1b.0/resource)
guest one "[ -c /dev/mem ] || mknod /dev/mem c 1 1
"'chmod +x /material/card-watch
# SDnLPIB of the first output stream, the fifth of all.
lpib='$(printf %x $((bar + 0x104)))'
while read file how; do
  echo "FILE $file $how"
  aplay -q $how /material/$file & player=$!
  usleep 300000
  /material/card-watch $lpib /proc/asound/card0/pcm0p/sub0/status 4
  wait $player
done </material/list' "$default_vsnd
iomem=['$(printf %x $((bar >> 12))),4']" || exit
wait_guest one 200
