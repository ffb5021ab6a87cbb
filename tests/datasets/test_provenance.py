"""A release is synthetic if its files are, and not because a note says so."""

import pathlib
import shutil

import pytest

from mefnet_jax import datasets
from mefnet_jax.datasets import registry
from mefnet_jax.report import __main__ as report_command
from mefnet_jax.report import write
from mefnet_jax.synthetic import release
from tests.fixtures import prepared, releases


@pytest.fixture
def copy(tiny_smic, tmp_path):
  """The tiny release two folders deep, so that a mark may lie above it."""
  root = tmp_path / 'a' / 'b' / 'smic'
  shutil.copytree(tiny_smic, root)
  return root


def told(found):
  return [f.what for f in found.findings if 'not believed' in f.what]


def test_the_mark_vouches_for_what_was_rendered(copy):
  for root in (copy, copy.parent):  # the release, or the folder it lies in
    found = registry.read('smic', root)
    assert found.synthetic and not told(found)


def test_clips_may_be_moved_and_taken_away(copy):
  subject = next(iter(sorted(copy.rglob('micro'))))
  shutil.rmtree(subject.parent)
  assert registry.read('smic', copy).synthetic


@pytest.mark.parametrize('up', [1, 2])
def test_a_mark_above_is_not_believed(copy, up):
  mark = copy / 'SYNTHETIC.txt'
  mark.rename(copy.parents[up - 1] / 'SYNTHETIC.txt')
  root = copy if up == 2 else copy / 'SMIC_all_cropped'
  root = root if root.is_dir() else copy
  found = registry.read('smic', root)
  assert not found.synthetic
  assert 'it lies above' in told(found)[0]


def test_no_mark_is_a_licensed_release(copy):
  (copy / 'SYNTHETIC.txt').unlink()
  found = registry.read('smic', copy)
  assert not found.synthetic and not told(found)


@pytest.mark.parametrize('content', ['SYNTHETIC', '', '\xff'])
def test_a_mark_that_vouches_for_nothing_is_not_believed(copy, content):
  (copy / 'SYNTHETIC.txt').write_bytes(content.encode('latin1'))
  found = registry.read('smic', copy)
  assert not found.synthetic
  assert 'does not vouch' in told(found)[0]


def test_one_foreign_file_is_enough(copy):
  """As a face of a licensed release that was put among rendered ones."""
  file = registry.read('smic', copy).rows[0].files[0]
  data = bytearray(file.read_bytes())
  data[-1] ^= 1
  file.write_bytes(data)
  found = registry.read('smic', copy)
  assert not found.synthetic
  assert '1 files' in told(found)[0] and file.name in told(found)[0]


def test_a_tree_that_somebody_marked_is_not_believed(tmp_path):
  releases.smic_tree(tmp_path)
  releases.touch(tmp_path / 'SYNTHETIC.txt')
  assert not registry.read('smic', tmp_path).synthetic


def test_the_page_shows_no_face_of_what_lies_there_now(
  copy, monkeypatch, capsys
):
  """The report says synthetic; the release at its path was exchanged."""
  config = prepared.config(copy)
  summary = {
    'release': 'synthetic',
    'config': {'dataset': config.to_dict()},
  }
  monkeypatch.setattr(write, 'finished', lambda workdir: summary)
  assert report_command._clips('w', False).synthetic
  (copy / 'SYNTHETIC.txt').unlink()
  assert report_command._clips('w', False) is None
  assert 'Faces are left out' in capsys.readouterr().out
  assert report_command._clips('w', True) is not None
  assert not datasets.load(config).synthetic


@pytest.mark.parametrize(
  ('layout', 'subjects'), [('megc_flow', 4), ('smic', 1)]
)
def test_every_layout_vouches_for_all_its_files(tmp_path, layout, subjects):
  out = tmp_path / layout
  options = {'form': 'raw'} if layout == 'smic' else {}
  few = dict(clips=1, subjects=subjects, processes=1)
  with releases.short_clips():
    release.write(layout, out, seed=3, **few, **options)
  found = registry.read(layout, out)
  assert found.synthetic and found.rows
  assert all(isinstance(p, pathlib.Path) for r in found.rows for p in r.files)


def test_a_frame_that_cannot_be_seen_shows_nobody(copy):
  """A rendered release with a damaged file is no licensed one."""
  file = registry.read('smic', copy).rows[0].files[0]
  file.write_bytes(b'not an image')
  assert registry.read('smic', copy).synthetic
