"""What `config.dataset` asks for: which clips, and how they are prepared."""

import dataclasses
import os
import pathlib
import typing

from mefnet_jax.datasets import default_release, releases, rows, sheets
from mefnet_jax.preprocess import clips, maps

if typing.TYPE_CHECKING:
  import rich.progress


def options(dataset) -> clips.Options | maps.Options:
  """Returns how the clips are prepared; unchecked."""
  if dataset.name == 'megc_flow':
    return maps.Options()
  fields = [f.name for f in dataclasses.fields(clips.Options)]
  return clips.Options(**{field: dataset[field] for field in fields})


def shapes(dataset) -> dict[str, tuple[int, ...]]:
  """Returns the shape (T, H, W, C) of each stream that is stored."""
  return options(dataset).shapes()


def release(
  dataset, progress: 'rich.progress.Progress | None' = None
) -> rows.Release:
  """Returns the release as it lies on disk; a synthetic one if none is named.

  Raises:
    errors.UserError: as `releases.read` and `default_release.find`.
  """
  reading = {f: dataset[f] for f in releases.READING if f in dataset}
  root = dataset.release
  if not root:
    releases.check(dataset.name, **reading)
    root = default_release.find(
      dataset.name,
      reading,
      multimodal=bool(dataset.modalities),
      workers=dataset.workers,
      progress=progress,
    )
  return releases.read(dataset.name, root, **reading)


def preview(
  dataset, folder: str | os.PathLike, *, show_faces: bool = False
) -> list[pathlib.Path]:
  """Writes contact sheets of some clips; returns the files (`sheets.write`).

  Raises:
    errors.UserError: as `release`, for an option that no preparation has, and
      for faces of a licensed release without show_faces.
  """
  how = options(dataset)
  how.check()
  return sheets.write(release(dataset), how, folder, show_faces=show_faces)
