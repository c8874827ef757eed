"""Show what a sender publishes, with OpenCV: python samples/show_frames.py [ENDPOINT]; q ends it."""

import sys

import cv2

from framewire.receiver import Receiver


def main(endpoint: str = "tcp://127.0.0.1:5555") -> None:
    with Receiver(endpoint) as receiver:
        for frame in receiver:  # always the newest, however long this loop takes
            text = f"{frame.topic} #{frame.sequence}, {frame.age_ms:.0f} ms old"
            cv2.putText(frame.image, text, (10, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 255, 0), 2)
            cv2.imshow("framewire", frame.image)
            if cv2.waitKey(1) == ord("q"):
                break
        print(f"{receiver.stats.received} frames, {receiver.stats.lost} lost")


if __name__ == "__main__":
    main(*sys.argv[1:])
