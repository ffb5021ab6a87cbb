"""The closest peer: fer, which finds faces and seven expressions in an image.

Of the tools of the package index that read faces in video it is the one that
brings its weights along (in 2026-11): Py-Feat, DeepFace and MediaPipe fetch
theirs from elsewhere. It follows nobody, and looks for whole expressions in
each frame by itself, not for movements. Run in the peers' environment.
"""

import importlib.metadata
import sys
import time

import cv2
from fer import fer

from benchmarks import turns


def main():
  """Watches the video that each line on stdin names."""
  detector = fer.FER(mtcnn=False)  # its default
  version = importlib.metadata.version('fer')
  turns.say({'version': f'fer {version}, Haar cascade, quantised network'})
  for line in sys.stdin:
    video, began = cv2.VideoCapture(line.strip()), time.monotonic()
    frames = found = 0
    while (frame := video.read()[1]) is not None:
      frames += 1
      found += bool(detector.detect_emotions(frame))
    took = time.monotonic() - began
    turns.say({'frames/s': frames / took, 'frames': frames, 'faces in': found})


if __name__ == '__main__':
  main()
