"""What holds for every release: mistakes, the marker, the command."""

import json
import re

import pytest

from mefnet_jax.datasets import check, registry
from mefnet_jax.runs import errors, findings
from tests.fixtures import forked, releases


@pytest.mark.parametrize('name', ['smic', 'cas_me2'])
def test_missing_empty_file_and_strange_folders_are_one_line(tmp_path, name):
  (tmp_path / 'empty').mkdir()
  releases.touch(tmp_path / 'file')
  releases.touch(tmp_path / 'strange' / 'holiday' / 'beach.jpg')
  expected = {
    'missing': 'no such folder',
    'empty': 'is empty',
    'file': 'is a file',
    'strange': 'expected .* looked for .* holiday',
  }
  for place, line in expected.items():
    with pytest.raises(errors.UserError, match=line) as caught:
      registry.read(name, tmp_path / place)
    assert str(tmp_path / place) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_the_other_dataset_is_recognised(tmp_path):
  releases.smic_tree(tmp_path / 'a')
  releases.cas_tree(tmp_path / 'b')
  with pytest.raises(errors.UserError, match='dataset.name=smic'):
    registry.read('cas_me2', tmp_path / 'a')
  with pytest.raises(errors.UserError, match='dataset.name=cas_me2'):
    registry.read('smic', tmp_path / 'b')


@pytest.mark.parametrize(
  'options',
  [dict(subset='hd'), dict(labels='5'), dict(images='all'), dict(name='samm')],
)
def test_unknown_options_say_what_is_known(tmp_path, options):
  with pytest.raises(errors.UserError, match='must be one of'):
    registry.read(**{'name': 'smic', 'root': tmp_path, **options})


def test_table_is_short_and_the_file_has_all(tmp_path):
  many = [
    findings.Finding('left out', f'c{i}', f'f[{i}]', f'reason {i}')
    for i in range(50)
  ] + [findings.Finding('repaired', f'c{i}', '', 'same') for i in range(9)]
  title, *lines = findings.listing(many).splitlines()
  assert title == 'Release' and len(lines) == 31
  assert lines[-1].strip() == '... and 21 more, all in findings.csv'
  (shared,) = findings.listing(many[50:]).splitlines()[1:]
  assert shared == '  repaired  c0 and 8 more: same'
  findings.write(tmp_path / 'findings.csv', many)
  lines = (tmp_path / 'findings.csv').read_text().splitlines()
  assert lines[0] == 'kind,clip,file,what'
  assert len(lines) == 60
  assert [p.name for p in tmp_path.iterdir()] == ['findings.csv']


def test_lines_break_between_words_alone_and_a_path_stays_whole():
  path = 'SMIC_all_cropped/HS/s01/micro/' + 'a-long_folder/' * 5 + 'image.bmp'
  told = [
    findings.Finding('left out', 's01_ne_01', path, 'cannot be read ' * 9),
    findings.Finding('found', '', '/data/SMIC-all/HS', 'images'),
  ]
  title, first, *lines = findings.listing(told, '/data').splitlines()
  assert (title, first) == ('/data', '  found     /data/SMIC-all/HS: images')
  assert lines[0] == '  left out  s01_ne_01'
  assert lines[1] == f'            ({path}):'
  assert all(len(line) <= 80 for line in lines[2:])
  assert ' '.join(' '.join(lines[2:]).split()) == ' '.join(
    ['cannot be read'] * 9
  )


def test_check_compares_with_the_published_counts(tmp_path, capsys):
  releases.smic_tree(tmp_path)
  command = ['--dataset=smic', f'--release={tmp_path}', '--quick']
  assert check.main([*command, '--json']) == 0
  report = json.loads(capsys.readouterr().out)
  assert report['usable'] is True
  assert report['found']['clips'] == 3
  assert report['found']['by_subject'] == {'s02': 2, 's11': 1}
  published = report['published']
  assert sum(published.pop('by_subject').values()) == published['clips']
  assert published == dict(
    clips=164, subjects=16, negative=70, positive=51, surprise=43
  )
  (clip, *_) = report['clips']
  assert (clip['clip'], clip['class']) == ('s02_ne_01', 'negative')
  assert [clip[n] for n in ('onset', 'apex', 'offset', 'frames')] == [
    *(8, 9, 11, 4)
  ]
  assert check.main([*command, '--clips']) == 0
  out = capsys.readouterr().out
  assert '164' in out and 's11_po_01' in out
  assert re.search(r's20\W+0\W+22', out)


def test_check_leaves_with_one_if_the_images_are_damaged(tmp_path, capsys):
  releases.smic_tree(tmp_path)  # of files of one byte
  command = ['--dataset=smic', f'--release={tmp_path}', '--json']
  assert check.main(command) == 1
  report = json.loads(capsys.readouterr().out)
  assert not report['usable'] and report['found']['clips'] == 0
  assert report['lost'] == ['s02_ne_01', 's02_sur_02', 's11_po_01']


def test_check_leaves_with_one_if_too_little_is_left(tmp_path, capsys):
  releases.smic_clip(tmp_path / 'HS', 's2_ne_01')
  assert check.main(['--dataset=smic', f'--release={tmp_path}']) == 1
  assert 'not usable' in capsys.readouterr().out


def test_check_counts_what_is_lost_as_a_run_does(tmp_path, capsys):
  camera = releases.smic_tree(tmp_path)
  (camera / 's2/micro/negative/s2_ne_05').mkdir()
  command = ['--dataset=smic', f'--release={tmp_path}', '--quick']
  assert check.main(command) == 1
  assert '1 of 4 clips were left out' in capsys.readouterr().out
  for flag in ('--allow-lost', '--allow_lost'):
    assert check.main([*command, f'{flag}=0.25']) == 0


def test_check_as_a_command_prints_one_line_for_a_mistake(tmp_path):
  words = ['--dataset=cas_me2', f'--release={tmp_path / "nowhere"}']
  done = forked.run('mefnet_jax.datasets.check', words)
  assert done.returncode == 1
  assert re.fullmatch(r'error: .*nowhere: no such folder.*\n', done.stderr)
