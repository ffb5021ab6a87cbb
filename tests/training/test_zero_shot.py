"""A model that scores a release is copied into the run's folder as a whole."""

import errno
import os
import shutil
import types

import pytest

from mefnet_jax.predict import trained_model
from mefnet_jax.training import zero_shot


@pytest.fixture
def shipped():
  folder = trained_model.SHIPPED / 'mefnet-zero'
  members = [
    {'file': path.name} for path in sorted(folder.glob('*.safetensors'))
  ]
  return types.SimpleNamespace(folder=folder, description={'members': members})


def test_a_copy_has_the_same_files(tmp_path, shipped):
  zero_shot._copy(shipped, tmp_path / 'model')
  names = {path.name for path in (tmp_path / 'model').iterdir()}
  assert names == {
    'model.json',
    *(one['file'] for one in shipped.description['members']),
  }
  for name in names:
    expected = (shipped.folder / name).read_bytes()
    assert (tmp_path / 'model' / name).read_bytes() == expected


def test_a_disk_that_fills_leaves_no_half_file(tmp_path, shipped, monkeypatch):
  def half(source, target):
    target.write_bytes(b'half')
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

  monkeypatch.setattr(shutil, 'copyfile', half)
  with pytest.raises(OSError) as said:
    zero_shot._copy(shipped, tmp_path / 'model')
  assert said.value.filename.endswith('model/seed0.safetensors')
  assert not list((tmp_path / 'model').iterdir())
