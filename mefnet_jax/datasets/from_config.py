"""Resolves `config.dataset`: which clips, and how they are prepared."""

import dataclasses
import os
import pathlib
import typing

from mefnet_jax.datasets import contact_sheet, default_release, registry
from mefnet_jax.preprocess import clip_records, clips, maps, motion_clips
from mefnet_jax.preprocess import options as preparation

if typing.TYPE_CHECKING:
  import ml_collections
  import rich.progress


def options(
  dataset: 'ml_collections.ConfigDict',
) -> clips.Options | maps.Options | motion_clips.Options:
  """Returns how the clips are prepared; unchecked."""
  if registry.find(dataset.name).maps:
    return maps.Options()
  if is_maps(dataset):
    # A motion map is made of flow: 'none', the default for clips, cannot be
    # meant.
    flow = 'dis_fine' if dataset.flow == 'none' else dataset.flow
    return motion_clips.Options(dataset.detector, dataset.registration, flow)
  fields = [f.name for f in dataclasses.fields(clips.Options)]
  return clips.Options(**{field: dataset[field] for field in fields})


def preprocessing(dataset: 'ml_collections.ConfigDict') -> dict[str, object]:
  """Returns how the clips are prepared, as plain values for model.json."""
  return {'maps': is_maps(dataset), **dataclasses.asdict(options(dataset))}


def is_maps(dataset: 'ml_collections.ConfigDict') -> bool:
  """Returns whether the clips are motion maps, in which no face is visible."""
  return registry.find(dataset.name).maps or dataset.get('maps', False)


def stored_stream(stream: str, how: str) -> str:
  """Returns the name under which a network's stream is stored.

  Args:
    stream: such as 'eyes'.
    how: `config.input`; for 'flow' it is the flow of the crop: 'eyes_flow'.
  """
  return preparation.FLOWS.get(stream, stream) if how == 'flow' else stream


def shapes(dataset: 'ml_collections.ConfigDict') -> dict[str, tuple[int, ...]]:
  """Returns the shape (T, H, W, C) of each stream that is stored."""
  return options(dataset).shapes()


def release(
  dataset: 'ml_collections.ConfigDict',
  progress: 'rich.progress.Progress | None' = None,
) -> clip_records.Release:
  """Returns the release as it lies on disk; a synthetic one if none is named.

  Raises:
    errors.UserError: as `registry.read` and `default_release.find`.
  """
  reading = {f: dataset[f] for f in registry.READING if f in dataset}
  root = dataset.release
  # Checked first: a typing error should not cost the rendering of a release.
  if not root:
    registry.check(dataset.name, **reading)
    root = default_release.find(
      dataset.name,
      reading,
      multimodal=bool(dataset.modalities),
      workers=dataset.workers,
      progress=progress,
    )
  return registry.read(dataset.name, root, **reading)


def preview(
  dataset: 'ml_collections.ConfigDict',
  folder: str | os.PathLike,
  *,
  show_faces: bool = False,
) -> list[pathlib.Path]:
  """Writes contact sheets of some clips; returns their files.

  Args:
    dataset: `config.dataset`.
    folder: created if it is missing.
    show_faces: as for `contact_sheet.may_show`.

  Raises:
    errors.UserError: as `release`, for an option that no preparation has, and
      for faces of real people without show_faces.
  """
  how = options(dataset)
  how.check()
  return contact_sheet.write(
    release(dataset), how, folder, show_faces=show_faces
  )
