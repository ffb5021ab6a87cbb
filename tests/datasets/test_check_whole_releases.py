"""check on releases of full size with every known defect; images are empty."""

import json
import shutil

import pytest

from mefnet_jax.datasets import check
from mefnet_jax.synthetic import cas_me2, smic
from tests.fixtures import releases

SHOWN = 3  # frames of a clip that are written: first, middle, last


@pytest.fixture(scope='module')
def cas(tmp_path_factory):
  """All 357 expressions with every defect; and where each was planted."""
  folder = tmp_path_factory.mktemp('whole')
  truth = folder / 'truth'
  truth.mkdir()
  plan = cas_me2.plan(3, macro=True, defects=('all',))
  for shot in plan.shots:
    for number in _some(shot.numbers):
      for place in (shot.folder, shot.crop_folder):
        releases.touch(folder / 'release' / place / shot.pattern.format(number))
  for video in plan.videos:
    for number in range(1, 60):
      releases.touch(folder / 'release' / video.folder / f'img{number:03d}.jpg')
  plan.finish(folder / 'release', truth)
  return folder, json.loads((truth / 'defects.json').read_text())


def _some(numbers):
  return {numbers[0], numbers[len(numbers) // 2], numbers[-1]}


def told(capsys, *arguments):
  status = check.main([*arguments, '--quick', '--json'])
  return status, json.loads(capsys.readouterr().out)


def cas_told(capsys, root, *more):
  return told(capsys, '--dataset=cas_me2', f'--release={root}', *more)


def of(report, text):
  return [f for f in report['findings'] if text in f['what']]


def test_each_defect_of_cas_is_reported_as_often_as_it_was_planted(cas, capsys):
  folder, planted = cas
  status, report = cas_told(
    capsys, folder / 'release', '--expressions=both', '--labels=emotion4'
  )
  assert status == 0 and report['lost'] == []
  found, published = report['found'], report['published']
  for name in ('clips', 'subjects', 'negative', 'positive', 'surprise'):
    assert found[name] == published[name]
  assert found['clips'] == len(report['clips']) == 357
  for text, kind in (
    ('offset 0: 2 apex - onset', 'offset0'),
    ('apex 0: the midpoint', 'apex0'),
    ('offset before apex', 'offset_before_apex'),
    ('happyiness read as', 'typo'),
    ('shares frames with an earlier', 'overlap'),
    ("subject 23's video under s19", 'misfiled'),
  ):
    assert len(of(report, text)) == len(planted[kind]), kind
  assert len(planted['offset0']) == 44
  assert planted['workbook_name'][0] in of(report, 'workbook;')[0]['file']
  assert any('/' in place for place in planted['doubled'])


def test_cropped_lacks_clips_that_other_trees_have(cas, capsys):
  folder, planted = cas
  lacking = len(planted['incomplete_cropped'])
  both = ('--expressions=both', '--labels=elicitation')
  status, alone = cas_told(
    capsys, folder / 'release', '--images=cropped', *both
  )
  assert status == 0
  assert len(alone['lost']) == lacking > 0
  _, auto = cas_told(capsys, folder / 'release', *both)
  assert auto['found']['clips'] == 357
  for name in ('anger', 'disgust', 'happy'):
    assert auto['found'][name] == auto['published'][name]


@pytest.mark.parametrize(
  ('more', 'clips', 'subjects'),
  [
    ((), 38, 9),
    (('--labels=emotion4',), 57, 14),
    (('--labels=self_report',), 57, 14),
    (('--labels=elicitation',), 57, 14),
    (('--expressions=macro', '--labels=emotion4'), 300, 22),
    (('--expressions=both',), 275, None),
  ],
)
def test_label_sets_have_the_published_counts(
  cas, capsys, more, clips, subjects
):
  status, report = cas_told(capsys, cas[0] / 'release' / 'CAS(ME)^2', *more)
  assert status == 0
  found = report['found']
  assert found['clips'] == clips
  assert subjects in (None, found['subjects'])
  if more[:1] != ('--expressions=macro',) and clips < 275:
    assert found['by_subject'] == report['published']['by_subject']


def test_without_images_or_workbook_it_says_what_it_looked_for(
  cas, tmp_path, capsys
):
  book = next((cas[0] / 'release').rglob('*.xlsx'))
  shutil.copy(book, tmp_path / 'code_final.xlsx')
  status, report = cas_told(capsys, tmp_path)
  assert status == 1 and 'looked for the folders selectedpic' in report['error']
  (tmp_path / 'code_final.xlsx').unlink()
  releases.touch(tmp_path / 'selectedpic' / 's15' / 'anger1_1' / 'img1.jpg')
  status, report = cas_told(capsys, tmp_path)
  assert status == 1 and 'no workbook' in report['error']
  assert 'selectedpic/s15' in report['expected_tree']


def test_all_cameras_of_smic_and_their_union(tmp_path, capsys):
  plan = smic.plan(1, subset='all')
  for shot in plan.shots:
    for number in _some(shot.numbers):
      releases.touch(tmp_path / shot.folder / shot.pattern.format(number))
  counts = {'hs': 164, 'vis': 71, 'nir': 71, 'all': 306}
  for subset, clips in counts.items():
    status, report = told(
      capsys, '--dataset=smic', f'--release={tmp_path}', f'--subset={subset}'
    )
    assert status == 0 and report['found']['clips'] == clips
    assert report['published']['clips'] == clips
    assert report['found']['subjects'] == report['published']['subjects']
  status, report = told(
    capsys, '--dataset=smic', f'--release={tmp_path}', '--images=raw'
  )
  assert status == 1 and 'no raw SMIC HS' in report['error']
