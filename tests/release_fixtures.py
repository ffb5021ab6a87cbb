"""Small releases for tests: a rendered one, and trees of empty files."""

import pathlib

import cv2
import numpy as np
import openpyxl
import pytest

from mefnet_jax.datasets import registry
from mefnet_jax.synthetic import release
from tests import shared

SUBJECTS = (15, 16, 19, 20, 21, 22, 23)
VIDEOS = {'disgust1': 101, 'disgust2': 102, 'anger1': 401, 'happy1': 502}
# participant, clip, onset, apex, offset, units, emotion, kind, self-report
CODED = (
  (1, 'anger1_1', 557, 562, 570, '4+10', 'negative', 'micro', 'anger'),
  (1, 'happy1_1', 10, 15, 20, 12, 'positive', 'micro', 'happyiness'),
  (2, 'disgust1_1', 998, 1001, 1004, 'L14', 'surprise', 'micro', 'fear'),
  (2, 'happy1_2', 30, 36, 41, '', 'others', 'micro', 'confused'),
  (3, 'happy1_1', 5, 9, 14, 'R12', 'positive', 'micro', 'happiness'),
  (3, 'anger1_2', 60, 70, 90, 4, 'negative', 'macro', 'anger'),
)

LONG_HEAD = (
  'Subject',
  'Filename',
  'x',
  'OnsetF',
  'OffsetF',
  'OnsetF2',
  'OffsetF2',
)
LONG_ROWS = (
  (3, 's3_ne_22', '', 105, 110, '', ''),
  (3, 's3_po_01', '', 103, 106, 112, 118),
  (4, 's04_sur_01', '', 101, 104, '', ''),
)


@pytest.fixture(scope='session')
def tiny_smic(tmp_path_factory) -> pathlib.Path:
  """A rendered SMIC release of 3 subjects with 3 clips each."""

  def make(folder):
    release.write('smic', folder / 'smic', clips=3, subjects=3, processes=1)

  return shared.once(tmp_path_factory, 'tiny_smic', make) / 'smic'


@pytest.fixture(scope='session')
def rendered(tiny_smic):
  """The rows of that release."""
  return registry.read('smic', tiny_smic).rows


def texture(size=180, seed=0):
  """A smooth random pattern (size, size) float32."""
  noise = np.random.default_rng(seed).normal(size=(size, size))
  smooth = cv2.GaussianBlur(noise, (0, 0), 3)
  return (128 + 40 * smooth / smooth.std()).astype(np.float32)


def touch(path: pathlib.Path) -> pathlib.Path:
  """Makes a file of one byte: readers of releases open no image."""
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(b'x')
  return path


def smic_clip(
  camera: pathlib.Path, clip: str, frames=(8, 9, 10, 11), name='reg_image{:06d}'
) -> pathlib.Path:
  """Makes the empty files of a clip such as s2_sur_01; returns its folder."""
  subject, code, _ = clip.split('_')
  emotion = {'ne': 'negative', 'po': 'positive', 'sur': 'surprise'}[code]
  folder = camera / subject / 'micro' / emotion / clip
  for number in frames:
    touch(folder / f'{name.format(number)}.bmp')
  return folder


def smic_tree(root: pathlib.Path, kind='cropped', camera='HS') -> pathlib.Path:
  """Makes a tree of 2 subjects and 3 classes; returns the camera's folder."""
  folder = root / f'SMIC_all_{kind}' / camera
  name = 'reg_image{:06d}' if kind == 'cropped' else 'image{:06d}'
  for clip in ('s2_ne_01', 's2_sur_02', 's11_po_01'):
    smic_clip(folder, clip, name=name)
  return folder


def workbook(path: pathlib.Path, coded=CODED, header=False) -> pathlib.Path:
  """Writes a workbook of three sheets without headers."""
  path.parent.mkdir(parents=True, exist_ok=True)
  book = openpyxl.Workbook()
  if header:
    book.active.append(['Participant', 'Clip', 'Onset', 'Apex', 'Offset'])
  for row in coded:
    kind = f'{row[7]}-expression' if row[7] else ''
    book.active.append([*row[:7], kind, *row[8:]])
  subjects = book.create_sheet('naming rule1')
  for participant, *_ in coded:
    if isinstance(participant, int) and participant <= len(SUBJECTS):
      subjects.append([participant, f's{SUBJECTS[participant - 1]}', 1])
  videos = book.create_sheet('naming rule2')
  for prefix, code in VIDEOS.items():
    videos.append([prefix, code])
  book.save(path)
  return path


def cas_cut(root: pathlib.Path, tree: str, coded=CODED) -> pathlib.Path:
  """Makes selectedpic or cropped: the frames of each coded expression."""
  for participant, clip, onset, _, offset, *_ in coded:
    subject = SUBJECTS[participant - 1]
    folder = f's{subject}' if tree == 'selectedpic' else f'{subject}'
    for number in range(onset, offset + 1):
      touch(root / tree / folder / clip / f'img{number}.jpg')
  return root / tree


def cas_long(root: pathlib.Path, subject: int, video: str, frames=1010):
  """Makes a long video of rawpic: img001.jpg ... img1010.jpg."""
  folder = root / 'rawpic' / f's{subject}' / f'{subject}_{video}funnyerrors'
  for number in range(1, frames + 1):
    touch(folder / f'img{number:03d}.jpg')
  return folder


def cas_tree(root: pathlib.Path, coded=CODED) -> pathlib.Path:
  """Makes a CAS(ME)^2 release with selectedpic and cropped."""
  folder = root / 'CAS(ME)^2'
  workbook(folder / 'CAS(ME)^2code_final.xlsx', coded)
  cas_cut(folder, 'selectedpic', coded)
  cas_cut(folder, 'cropped', coded)
  return folder


def smic_long(
  root, coded=LONG_ROWS, head=LONG_HEAD, name='SMIC-HS-E_annotation.xlsx'
):
  """Makes SMIC-E: two subjects, three long clips; returns its root."""
  folder = root / 'SMIC-E_raw image' / 'HS_long'
  for subject, clip in (
    ('s03', 's3_ne_22'),
    ('s03', 's3_po_01'),
    ('s04', 's4_sur_01'),
  ):
    for number in range(100, 121):
      touch(folder / 'SMIC-HS-E' / subject / clip / f'image{number}.jpg')
  book = openpyxl.Workbook()
  for cells in (('SMIC-HS-E',), head, *coded):
    book.active.append(cells)
  book.save(folder / name)
  return root
