"""A release loaded once, and copies of its cache and of itself to damage."""

import shutil

import numpy as np
import pytest

from configs import base
from mefnet_jax import datasets
from mefnet_jax.preprocess import clips, pool


def config(release, **changes):
  dataset = base.get_config().dataset
  dataset.update(release=str(release), frames=6, face=16, eyes=8, mouth=8)
  dataset.workers = 1
  dataset.update(changes)
  return dataset


@pytest.fixture(scope='session')
def first_load(tiny_smic, tmp_path_factory):
  """The cache after one run, and what that run loaded."""
  folder = tmp_path_factory.mktemp('first') / 'cache'
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('MEFNET_CACHE', str(folder))
    loaded = datasets.load(config(tiny_smic))
  return folder, loaded


@pytest.fixture
def cached(first_load, tmp_path, monkeypatch):
  """A copy of that cache, and how often clips are prepared from now on.

  Preparing answers from memory: the same clips, at no cost.
  """
  folder = tmp_path / 'cache'
  shutil.copytree(first_load[0], folder)
  monkeypatch.setenv('MEFNET_CACHE', str(folder))
  calls = []

  def prepare(clip_rows, options, **_):
    calls.append(options)
    loaded = first_load[1]
    return [
      clips.Prepared(
        row.clip,
        {
          name: loaded.streams[name][loaded.clip.index(row.clip)]
          for name in clips.STREAMS
        },
        (),
      )
      for row in clip_rows
    ]

  monkeypatch.setattr(pool, 'prepare', prepare)
  return folder, calls


def prepared_folder(cache_folder):
  (info,) = cache_folder.rglob('dataset_info.json')
  return info.parent


def equal(one, other):
  return one.clip == other.clip and all(
    np.array_equal(one.streams[name], other.streams[name])
    for name in clips.STREAMS
  )


@pytest.fixture
def copied(tiny_smic, tmp_path, monkeypatch):
  """A copy of the release that may be damaged, and an empty cache."""
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'cache'))
  return shutil.copytree(tiny_smic, tmp_path / 'release')


def clip_folders(release):
  return sorted({file.parent for file in release.rglob('*.bmp')})
