"""SYNTHETIC clips for benchmarks."""

import dataclasses
import pathlib

from mefnet_jax.preprocess import clip_records
from mefnet_jax.synthetic import camera, release, smic, studio

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


def row(root: pathlib.Path, shot) -> clip_records.Row:
  """The clip of a shot, as the reader of a release would give it."""
  numbers = shot.numbers
  return clip_records.Row(
    clip=shot.name,
    subject=f's{shot.subject:02d}',
    label=smic.CLASSES.index(shot.emotion),
    onset=numbers[0],
    apex=numbers[len(numbers) // 2],
    offset=numbers[-1],
    frames=tuple(root / shot.folder / shot.pattern.format(n) for n in numbers),
    numbers=numbers,
  )
