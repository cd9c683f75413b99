# One guest plays a file with what its distribution gives it.
audiodom || exit
guest one 'aplay -q /material/noise.wav' || exit
wait_guest one
