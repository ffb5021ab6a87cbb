"""SYNTHETIC clips for benchmarks, and where their results are written."""

import dataclasses
import datetime
import json
import os
import pathlib
import platform
import sys

import cv2

from mefnet_jax.datasets import rows
from mefnet_jax.synthetic import camera, release, smic, studio

RESULTS = pathlib.Path(__file__).parent / 'results'
VGA = camera.Camera(size=(480, 640), scale=132.0, eyes=(319.5, 208.0))


def film(folder: pathlib.Path, *, subjects: int, clips: int, view) -> list:
  """Renders clips of SMIC's people by the camera `view`.

  Returns:
    (row, shot) of each clip; its truth is folder / 'truth' / shot.name.npz.
  """
  plan = smic.plan(0, subjects=subjects, clips=clips, form='raw')
  shots = [dataclasses.replace(shot, camera=view) for shot in plan.shots]
  root, truth = folder / 'release', folder / 'truth'
  truth.mkdir(parents=True)
  release._film(studio.Plan(shots), root, truth, 0, None, None)
  return [(row(root, shot), shot) for shot in shots]


def row(root: pathlib.Path, shot) -> rows.Row:
  """The clip of a shot, as the reader of a release would give it."""
  numbers = shot.numbers
  return rows.Row(
    clip=shot.name,
    subject=f's{shot.subject:02d}',
    label=smic.CLASSES.index(shot.emotion),
    onset=numbers[0],
    apex=numbers[len(numbers) // 2],
    offset=numbers[-1],
    frames=tuple(root / shot.folder / shot.pattern.format(n) for n in numbers),
    numbers=numbers,
  )


def write(name: str, result: dict, load: float) -> pathlib.Path:
  """Writes a result with the facts of the machine; returns the file."""
  today = datetime.date.today().isoformat()
  facts = {
    'command': f'python -m benchmarks.{name} {" ".join(sys.argv[1:])}'.strip(),
    'date': today,
    'data': 'SYNTHETIC faces',
    'processor': _processor(),
    'cores': len(os.sched_getaffinity(0)),
    'load': {'before': load, 'after': os.getloadavg()[0]},
    'python': platform.python_version(),
    'opencv': cv2.__version__,
  }
  words = [name, today, *_processor().replace('(R)', '').split()[:2]]
  names = ['-'.join(words), *('-'.join([*words, str(i)]) for i in range(2, 99))]
  RESULTS.mkdir(exist_ok=True)
  file = next(f for n in names if not (f := RESULTS / f'{n}.json').exists())
  file.write_text(json.dumps(facts | result, indent=1) + '\n')
  print(json.dumps(result, indent=1))
  print(f'written: {file}')
  return file


def _processor():
  for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
    if line.startswith('model name'):
      return line.split(':', 1)[1].strip()
  return platform.machine()
