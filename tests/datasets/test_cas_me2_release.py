"""Reading CAS(ME)^2: its workbook, its trees of images, its defects."""

import struct
import zipfile

import pytest

from mefnet_jax.datasets import registry
from mefnet_jax.datasets.cas_me2 import label_sets
from mefnet_jax.runs import errors, findings
from tests.fixtures import releases


def whats(release, kind):
  return [f.what for f in release.findings if f.kind == kind]


def test_cas_reads_the_workbook_and_cuts_the_frames(tmp_path):
  releases.cas_tree(tmp_path)
  release = registry.read('cas_me2', tmp_path)
  assert [row.clip for row in release.rows] == [
    *('s15_anger1_1', 's15_happy1_1', 's16_disgust1_1', 's19_happy1_1')
  ]
  row = release.rows[2]
  assert (row.onset, row.apex, row.offset) == (998, 1001, 1004)
  assert row.numbers == tuple(range(998, 1005))
  assert row.frames[0].parts[-4:] == (
    *('selectedpic', 's16', 'disgust1_1', 'img998.jpg'),
  )
  assert not findings.lost(release.findings)


@pytest.mark.parametrize(
  ('labels', 'expressions', 'classes'),
  [
    ('emotion3', 'micro', 'negative positive surprise positive'),
    ('emotion4', 'micro', 'negative positive surprise others positive'),
    ('emotion3', 'macro', 'negative'),
    ('emotion3', 'both', 'negative positive surprise negative positive'),
    ('self_report', 'micro', 'anger happiness others others happiness'),
    ('elicitation', 'both', 'anger happy disgust happy anger happy'),
  ],
)
def test_cas_label_sets(tmp_path, labels, expressions, classes):
  releases.cas_tree(tmp_path)
  release = registry.read(
    'cas_me2', tmp_path, labels=labels, expressions=expressions
  )
  found = [release.classes[row.label] for row in release.rows]
  assert found == classes.split()


@pytest.mark.parametrize('at', ['parent', 'root', 'selectedpic', 'doubled'])
def test_cas_is_found_wherever_one_points(tmp_path, at):
  root = releases.cas_tree(tmp_path / 'mine')
  if at == 'doubled':
    (root / 'selectedpic').rename(tmp_path / 'aside')
    (root / 'selectedpic').mkdir()
    (tmp_path / 'aside').rename(root / 'selectedpic' / 'selectedpic')
  place = {'parent': tmp_path, 'selectedpic': root / 'selectedpic'}.get(
    at, root
  )
  release = registry.read('cas_me2', place, images='selectedpic')
  assert len(release.rows) == 4


@pytest.mark.parametrize(
  'name',
  [
    *('CAS(ME)2code_final.xlsx', 'code_final.xlsx'),
    'CAS(ME)^2code_final(Updated).xlsx',
  ],
)
def test_cas_other_names_of_the_workbook(tmp_path, name):
  root = releases.cas_tree(tmp_path)
  (root / 'CAS(ME)^2code_final.xlsx').rename(root / name)
  releases.touch(root / 'CAS(ME)^2blink-code.xlsx')
  releases.touch(root / '~$code_final.xlsx')
  assert len(registry.read('cas_me2', tmp_path).rows) == 4


def test_cas_of_two_workbooks_the_updated_one_is_used_and_said(tmp_path):
  root = releases.cas_tree(tmp_path)
  releases.workbook(
    root / 'CAS(ME)^2code_final(Updated).xlsx', releases.CODED[:3]
  )
  release = registry.read('cas_me2', tmp_path)
  assert len(release.rows) == 3
  assert any('another workbook' in w for w in whats(release, 'ignored'))


@pytest.mark.parametrize(
  ('coded', 'mended', 'what'),
  [
    ((100, 110, 0), (100, 110, 120), 'offset 0'),
    ((1763, 0, 1787), (1763, 1775, 1787), 'apex 0'),
    ((1221, 1230, 1224), (1221, 1224, 1230), 'offset before apex'),
  ],
)
def test_cas_mends_what_was_coded_wrongly(tmp_path, coded, mended, what):
  wrong = (1, 'anger1_7', *coded, '4', 'negative', 'micro', 'anger')
  right = (1, 'anger1_7', *mended, *wrong[5:])
  root = releases.cas_tree(tmp_path, (*releases.CODED, right))
  releases.workbook(root / 'CAS(ME)^2code_final.xlsx', (*releases.CODED, wrong))
  release = registry.read('cas_me2', tmp_path)
  row = next(r for r in release.rows if r.clip == 's15_anger1_7')
  assert (row.onset, row.apex, row.offset) == mended
  (finding,) = (f for f in release.findings if f.clip == row.clip)
  assert finding.kind == findings.REPAIRED
  assert what in finding.what
  assert 'row 7' in finding.file


def test_cas_repairs_of_clips_not_asked_for_are_not_reported(tmp_path):
  macro = (1, 'anger1_7', 100, 110, 0, '4', 'negative', 'macro', 'anger')
  releases.cas_tree(tmp_path, (*releases.CODED, macro))
  assert not any(
    'offset 0' in f.what for f in registry.read('cas_me2', tmp_path).findings
  )


@pytest.mark.parametrize(
  ('row', 'why'),
  [
    ((1, '../x', 1, 2, 3, '', 'negative', 'micro', ''), 'not a clip name'),
    ((99, 'anger1_9', 1, 2, 3, '', 'negative', 'micro', ''), 'participant'),
    ((1, 'anger1_9', 1, 2, 3, '', 'bored', 'micro', ''), "'bored'"),
    ((1, 'anger1_9', 1, 2, 3, '', 'negative', '', ''), 'neither'),
    ((1, 'anger1_9', '', 2, 3, '', 'negative', 'micro', ''), 'onset, apex'),
    ((1, 'anger1_9', 0, 0, 0, '', 'negative', 'micro', ''), 'onset, apex'),
    ((1, 'anger1_1', 1, 2, 3, '', 'negative', 'micro', ''), 'again'),
  ],
)
def test_cas_rows_that_say_nothing_are_left_out(tmp_path, row, why):
  root = releases.cas_tree(tmp_path)
  releases.workbook(root / 'CAS(ME)^2code_final.xlsx', (*releases.CODED, row))
  release = registry.read('cas_me2', tmp_path)
  assert len(release.rows) == 4
  (what,) = whats(release, findings.LEFT_OUT)
  assert why in what


def test_cas_row_that_points_nowhere_is_left_out(tmp_path):
  root = releases.cas_tree(tmp_path)
  nowhere = (1, 'anger1_9', 1, 2, 3, '', 'negative', 'micro', 'anger')
  releases.workbook(
    root / 'CAS(ME)^2code_final.xlsx', (*releases.CODED, nowhere)
  )
  (root / 'selectedpic/s17').mkdir()
  release = registry.read('cas_me2', tmp_path)
  assert findings.lost(release.findings) == {'s15_anger1_9'}
  assert any(
    w == 'not in selectedpic; not in cropped'
    for w in whats(release, 'left out')
  )


def test_cas_a_clip_that_one_tree_lacks_is_taken_from_the_next(tmp_path):
  root = releases.cas_tree(tmp_path)
  for file in (root / 'selectedpic/s19/happy1_1').iterdir():
    file.unlink()
  (root / 'selectedpic/s16/disgust1_1').rename(root / 'gone')
  release = registry.read('cas_me2', tmp_path)
  assert len(release.rows) == 4
  assert release.rows[3].frames[0].parts[-4:-1] == (
    *('cropped', '19', 'happy1_1'),
  )
  taken = [w for w in whats(release, 'repaired') if 'taken from cropped' in w]
  assert len(taken) == 2
  only = registry.read('cas_me2', tmp_path, images='selectedpic')
  assert findings.lost(only.findings) == {'s16_disgust1_1', 's19_happy1_1'}


def test_cas_clips_are_cut_out_of_rawpic_by_the_code_of_the_video(tmp_path):
  root = tmp_path / 'CAS(ME)^2'
  releases.workbook(root / 'code_final.xlsx')
  releases.cas_long(root / 'rawpic', 15, '0502', 30)  # a doubled level
  releases.cas_long(root / 'rawpic', 16, '0101')
  releases.cas_long(root / 'rawpic', 19, '0502', 12)
  release = registry.read('cas_me2', root)
  assert [row.numbers[0] for row in release.rows] == [10, 998, 5]
  assert release.rows[1].frames[1].name == 'img999.jpg'
  assert release.rows[1].frames[2].name == 'img1000.jpg'
  assert release.rows[2].offset == 12  # where that video ends
  assert findings.lost(release.findings) == {'s15_anger1_1'}


def test_cas_a_misfiled_video_never_passes_for_anothers(tmp_path):
  root = tmp_path / 'CAS(ME)^2'
  coded = (
    *releases.CODED,
    (7, 'happy1_3', 3, 4, 9, '', 'positive', 'micro', ''),
  )
  releases.workbook(root / 'code_final.xlsx', coded)
  releases.cas_long(root, 15, '0502', 30)
  folder = releases.cas_long(root, 19, '0502', 20)
  folder.rename(folder.with_name('23_0502funnyerrors'))
  release = registry.read('cas_me2', root)
  assert 's19_happy1_1' in findings.lost(release.findings)
  used = next(r for r in release.rows if r.clip == 's23_happy1_3')
  assert used.frames[0].parent.name == '23_0502funnyerrors'
  assert any("23's video under s19" in w for w in whats(release, 'repaired'))
  releases.cas_long(root, 23, '0502', 20)
  release = registry.read('cas_me2', root)
  used = next(r for r in release.rows if r.clip == 's23_happy1_3')
  assert used.frames[0].parents[1].name == 's23'
  assert any('a copy, not used' in w for w in whats(release, 'ignored'))


def test_cas_clips_that_share_frames_are_reported(tmp_path):
  later = (1, 'happy1_4', 18, 19, 25, '', 'positive', 'micro', '')
  releases.cas_tree(tmp_path, (*releases.CODED, later))
  release = registry.read('cas_me2', tmp_path)
  (finding,) = (f for f in release.findings if 'shares frames' in f.what)
  assert finding.clip == 's15_happy1_4'


def test_cas_a_header_and_missing_sheets_are_survived(tmp_path):
  root = releases.cas_tree(tmp_path)
  book = releases.workbook(root / 'CAS(ME)^2code_final.xlsx', header=True)
  assert len(registry.read('cas_me2', tmp_path).rows) == 4
  loaded = releases.openpyxl.load_workbook(book)
  for name in loaded.sheetnames[1:]:
    del loaded[name]
  loaded.save(book)
  release = registry.read('cas_me2', tmp_path)
  assert len(release.rows) == 4
  assert any('do not explain' in w for w in whats(release, 'repaired'))


def test_cas_damaged_workbook_or_no_images(tmp_path):
  book = releases.workbook(tmp_path / 'code_final.xlsx')
  with pytest.raises(errors.UserError, match='but no images'):
    registry.read('cas_me2', tmp_path)
  releases.cas_cut(tmp_path, 'cropped')
  assert len(registry.read('cas_me2', tmp_path).rows) == 4
  book.write_bytes(book.read_bytes()[:500])
  with pytest.raises(errors.UserError, match='cannot be read as a workbook'):
    registry.read('cas_me2', tmp_path)


def test_published_counts_of_cas_agree_with_each_other():
  published = label_sets.published
  assert published('emotion3', 'micro')['clips'] == 38
  assert published('emotion4', 'micro')['clips'] == 57
  assert published('emotion4', 'macro')['clips'] == 300
  for labels, clips, subjects in (('emotion3', 38, 9), ('elicitation', 57, 14)):
    by_subject = published(labels, 'micro')['by_subject']
    assert (sum(by_subject.values()), len(by_subject)) == (clips, subjects)
  both = published('emotion3', 'both')
  assert [both[n] for n in ('clips', 'negative', 'positive', 'surprise')] == [
    *(275, 126, 124, 25)
  ]


def test_a_folder_that_lacks_the_end_of_an_expression_is_reported(tmp_path):
  folder = releases.cas_tree(tmp_path)
  for tree in ('selectedpic/s15', 'cropped/15'):
    (folder / tree / 'anger1_1' / 'img570.jpg').unlink()
  release = registry.read('cas_me2', tmp_path)
  (told,) = (f for f in release.findings if 'a shorter clip' in f.what)
  assert (told.kind, told.clip) == (findings.REPAIRED, 's15_anger1_1')
  assert release.rows[0].offset == 569


@pytest.mark.parametrize(
  'cell',
  [
    '<c r="XFD1048576"><v>1</v></c>',
    "<x:c s='1' r = 'xfd1048576'/>",
    '<row r="99999999999">',
  ],
)
def test_a_cell_far_away_is_refused(tmp_path, cell):
  book = releases.cas_tree(tmp_path) / 'CAS(ME)^2code_final.xlsx'
  with zipfile.ZipFile(book) as whole:
    parts = {name: whole.read(name) for name in whole.namelist()}
  with zipfile.ZipFile(book, 'w') as changed:
    for name, data in parts.items():
      if name.endswith('sheet1.xml'):
        data = data.replace(b'<sheetData>', b'<sheetData>' + cell.encode())
      changed.writestr(name, data)
  with pytest.raises(errors.UserError, match=r'a cell in row \d+'):
    registry.read('cas_me2', tmp_path)


def test_a_workbook_that_lies_about_its_size_is_not_unpacked(tmp_path):
  book = releases.cas_tree(tmp_path) / 'CAS(ME)^2code_final.xlsx'
  size = 2**24
  with zipfile.ZipFile(book, 'a', zipfile.ZIP_DEFLATED) as whole:
    whole.writestr('xl/more.xml', bytes(size))
  data = book.read_bytes()
  told, lie = (struct.pack('<I', n) for n in (size, 1000))
  assert data.count(told) == 2
  book.write_bytes(data.replace(told, lie))
  with pytest.raises(errors.UserError, match='cannot be read as a workbook'):
    registry.read('cas_me2', tmp_path)
