"""Reads the sound and the transcript of a clip, from files beside its frames.

    .../surprise/s2_sur_02/reg_image036237.bmp
    .../surprise/s2_sur_02/s2_sur_02.wav     or .avi, .mp4 with a sound track
    .../surprise/s2_sur_02/s2_sur_02.txt     the spoken words, UTF-8

A clip without one of them lacks that modality; the network masks it.
"""

import dataclasses
import pathlib
import re
import typing
from collections.abc import Iterable

import numpy as np

from mefnet_jax.datasets import prepared_clips
from mefnet_jax.preprocess import clip_records, sound, words
from mefnet_jax.runs import cache, errors, findings

if typing.TYPE_CHECKING:
  import ml_collections

SUFFIXES = {'audio': sound.SUFFIXES, 'text': ('.txt',)}
_LONGEST_TEXT = 100_000  # bytes
# s2 and s02: releases pad their numbers, names of files often do not.
_PADDED = re.compile(r'(?<!\d)0+(?=\d)')


def check(dataset: 'ml_collections.ConfigDict') -> None:
  """Raises errors.UserError for unknown modalities or invalid sizes."""
  for name in dataset.modalities:
    if name not in SUFFIXES:
      known = ', '.join(SUFFIXES)
      raise errors.UserError(
        f'--config.dataset.modalities={name!r}: choose one of {known}'
      )
  for field, shape in shapes(dataset, SUFFIXES).items():
    sizes = shape[:2]
    if not all(isinstance(n, int) and 1 <= n <= 1024 for n in sizes):
      raise errors.UserError(
        f'--config.dataset.{field}={dataset[field]}: sizes from 1 to 1024'
      )


def shapes(
  dataset: 'ml_collections.ConfigDict', names: Iterable[str] | None = None
) -> dict[str, tuple[int, ...]]:
  """Returns the shape of each modality of one clip.

  Args:
    dataset: `config.dataset`.
    names: modalities; by default those that the config asks for.

  Returns:
    'audio' (F, M, 1), F times and M bands; 'text' (L,), L words.
  """
  every = {'audio': (*dataset.audio, 1), 'text': (dataset.text,)}
  return {name: every[name] for name in (names or dataset.modalities)}


def add(
  loaded: prepared_clips.Clips,
  release: clip_records.Release,
  dataset: 'ml_collections.ConfigDict',
) -> prepared_clips.Clips:
  """Returns the clips with the modalities that `config.dataset` names.

  Args:
    loaded: the clips, without modalities.
    release: the one that they were prepared from.
    dataset: `config.dataset`.

  Returns:
    The same, with streams 'audio' (N, F, M, 1) uint8 and 'text' (N, L) int32,
    and for each '<stream>_present' (N,) uint8. A finding counts the clips that
    have each, and the fingerprint changes with their content.

  Raises:
    errors.UserError: a modality that no clip has.
  """
  if not dataset.modalities:
    return loaded
  by_clip = {row.clip: row for row in release.rows}
  streams, found = dict(loaded.streams), list(loaded.findings)
  for name, shape in shapes(dataset).items():
    values = [_value(by_clip[c], name, shape, found) for c in loaded.clip]
    present = np.array([v is not None for v in values], np.uint8)
    # A stream of nothing but masks would train, and teach nothing.
    if not present.any():
      raise errors.UserError(_nothing(release.root, name, by_clip))
    empty = np.zeros(shape, next(v for v in values if v is not None).dtype)
    streams[name] = np.stack([empty if v is None else v for v in values])
    streams[f'{name}_present'] = present
    what = f'{name} of {present.sum()} of {len(present)} clips'
    found.append(findings.Finding(findings.FOUND, '', '', what))
  # Sound and words lie beside the frames, so the clips' fingerprint misses
  # them.
  mark = [(n, streams[n].tobytes().hex()) for n in sorted(shapes(dataset))]
  return dataclasses.replace(
    loaded,
    streams=streams,
    findings=tuple(found),
    fingerprint=cache.digest(loaded.fingerprint, mark),
  )


def beside(row: clip_records.Row, name: str) -> pathlib.Path | None:
  """Returns the file with a clip's sound or transcript; None if there is none.

  A folder that holds more than the clip (a long video) has another name, and
  its sound is not that of the clip.
  """
  place = (row.frames or row.files)[0]
  stems = (place.parent.name, place.stem)
  own = [stem for stem in stems if _is_of(stem, row.clip)]
  for stem in own:
    for suffix in SUFFIXES[name]:
      file = place.parent / f'{stem}{suffix}'
      if file.is_file():
        return file
  return None


def _is_of(stem, clip):
  """Whether s2_sur_02 is clip s02_sur_02, or anger1_1 clip s15_anger1_1."""
  stem, clip = (_PADDED.sub('', text).lower() for text in (stem, clip))
  return clip == stem or clip.endswith(f'_{stem}')


def _value(row, name, shape, found):
  """A clip's stream, or None; a damaged file counts as missing."""
  file = beside(row, name)
  if file is None:
    return None
  try:
    if name == 'text':
      return _tokens(file, *shape)
    samples = sound.read(file)
    return sound.log_mel(samples, *shape[:2])
  except (OSError, ValueError) as error:
    what = f'{name} cannot be read and counts as missing: {error}'
    found.append(findings.Finding(findings.REPAIRED, row.clip, file.name, what))
    return None


def _tokens(file, length):
  """The words of a file; None for one without any."""
  with open(file, 'rb') as opened:
    # A transcript is short; a longer text is hardly one.
    text = opened.read(_LONGEST_TEXT).decode('utf-8', 'replace')
  numbers = words.tokens(text, length)
  return numbers if numbers.any() else None


def _nothing(root, name, by_clip):
  row = next(iter(by_clip.values()))
  folder = (row.frames or row.files)[0].parent
  wanted = ' or '.join(f'{folder.name}{s}' for s in SUFFIXES[name][:4])
  return (
    f'{root}: no clip has {name}; expected files such as {wanted} in {folder}'
  )
