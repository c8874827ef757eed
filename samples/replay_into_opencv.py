"""Feed a recording to OpenCV as it happened: python samples/replay_into_opencv.py FILE.mkv [SPEED]

Finds what moves, frame by frame. Timing, sequence numbers and metadata are those of the recording.
"""

import sys

import cv2

from framewire.sender import open_source


def main(path: str, speed: str = "1") -> None:
    background = cv2.createBackgroundSubtractorMOG2(detectShadows=False)
    with open_source(path, speed=float(speed)) as recording:
        for frame in recording:
            moving = cv2.countNonZero(background.apply(frame.image)) / frame.image[..., 0].size
            seconds = frame.header.captured_ns / 1e9
            print(f"{frame.sequence:5d}  {seconds:.3f} s  {moving:6.1%} moves  {frame.metadata}")


if __name__ == "__main__":
    main(*sys.argv[1:])
