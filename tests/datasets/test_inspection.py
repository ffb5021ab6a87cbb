"""What check finds on opening every file, and the contact sheets."""

import json
import shutil

import cv2
import pytest

from mefnet_jax import datasets
from mefnet_jax.datasets import check, contact_sheet, from_config
from mefnet_jax.runs import errors
from tests.fixtures import prepared


def report(release, capsys, *more):
  status = check.main(
    ['--dataset=smic', f'--release={release}', '--json', *more]
  )
  return status, json.loads(capsys.readouterr().out)


def test_a_whole_release_has_nothing_amiss(tiny_smic, capsys):
  status, told = report(tiny_smic, capsys)
  assert status == 0 and told['usable']
  assert {f['kind'] for f in told['findings']} == {'found'}
  assert 'SMIC_all_cropped/HS/s2' in told['expected_tree']


def test_gaps_damage_and_duplicates_are_reported(tiny_smic, tmp_path, capsys):
  root = shutil.copytree(tiny_smic, tmp_path / 'copy')
  folders = prepared.clip_folders(root)
  frames = sorted(folders[0].iterdir())
  frames[3].unlink()
  frames[4].unlink()
  frames[6].write_bytes(b'no image')
  mine = [f for f in folders if f.parts[-4] == 's1'][1]
  other = next(f for f in folders if f.parts[-4] == 's2')
  shutil.copy(sorted(mine.iterdir())[0], sorted(other.iterdir())[0])
  status, told = report(root, capsys)
  by_kind = {f['kind']: f for f in told['findings']}
  assert status == 0
  assert '2 frames missing' in by_kind['gap']['what']
  assert frames[6].name in by_kind['unreadable']['file']
  assert 'those of s02, another subject' in by_kind['duplicate']['what']
  assert by_kind['duplicate']['clip'].startswith('s01')
  _, quick = report(root, capsys, '--quick')
  assert {f['kind'] for f in quick['findings']} == {'found'}


def test_an_unusable_release_says_what_it_should_look_like(tmp_path, capsys):
  (tmp_path / 'x').mkdir()
  status, told = report(tmp_path, capsys)
  assert status == 1 and not told['usable']
  assert str(tmp_path) in told['error']
  assert 'micro/surprise' in told['expected_tree']


def test_preview_draws_a_sheet_a_clip(tiny_smic, tmp_path):
  config = prepared.config(tiny_smic, flow='dis')
  files = datasets.preview(config, tmp_path / 'out')
  assert len(files) == len({f.stem for f in files}) == 6
  assert {f.stem[:3] for f in files} == {'s01', 's02', 's03'}
  # Classes in turn: each of three clips is of another one.
  assert {f.stem.split('_')[1] for f in files[:3]} == {'ne', 'po', 'sur'}
  with_flow = cv2.imread(str(files[0]))
  config.flow = 'none'
  one = contact_sheet.write(
    from_config.release(config),
    from_config.options(config),
    tmp_path / 'b',
    count=1,
  )
  without = cv2.imread(str(*one))
  assert with_flow.shape[0] > without.shape[0] > 300
  assert with_flow.std() > 20


def test_licensed_faces_are_shown_to_those_who_ask(tiny_smic, tmp_path, capsys):
  root = tmp_path / 'real'
  shutil.copytree(tiny_smic, root)
  for file in root.rglob('SYNTHETIC.txt'):
    file.unlink()
  status, told = report(root, capsys, '--quick', f'--preview={tmp_path / "a"}')
  assert status == 1 and '--show-faces' in told['error']
  config = prepared.config(root)
  with pytest.raises(errors.UserError, match='--show-faces'):
    datasets.preview(config, tmp_path / 'a')
  assert not (tmp_path / 'a').exists()
  assert datasets.preview(config, tmp_path / 'a', show_faces=True)


def test_a_preview_that_cannot_be_written_is_one_line(tiny_smic, tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(errors.UserError, match='preview cannot be written'):
    datasets.preview(prepared.config(tiny_smic), tmp_path / 'file')
