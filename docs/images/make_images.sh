#!/usr/bin/env bash
# Makes the pictures of the README: needs Xvfb, xdotool, ImageMagick, and framewire on the PATH.
set -euo pipefail
cd "$(dirname "$0")/../.."
display=:$((90 + RANDOM % 100))
Xvfb "$display" -screen 0 1280x720x24 >/dev/null 2>&1 &
pids=($!)
trap 'kill "${pids[@]}" 2>/dev/null; wait' EXIT
export DISPLAY=$display
until xdotool getdisplaygeometry >/dev/null 2>&1; do sleep 0.1; done
ports=(21551 21552 21553)
sources=("samples/clips/meadow.mp4 --loop --topic lab/meadow" "pattern:1280x720@30 --topic lab/chart"
  "samples/clips/yard.mkv --loop")
for i in 0 1 2; do
  # shellcheck disable=SC2086
  framewire send ${sources[$i]} --bind "tcp://127.0.0.1:${ports[$i]}" >/dev/null 2>&1 &
  pids+=($!)
done
framewire view "${ports[@]/#/tcp://127.0.0.1:}" >/dev/null 2>&1 &
pids+=($!)
window=$(xdotool search --sync --name '^framewire$' | tail -1)
sleep 3
xdotool key --window "$window" i 2>/dev/null
sleep 3
import -window "$window" docs/images/view.png
