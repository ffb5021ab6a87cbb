"""Mutates trees, workbooks, tables, images and videos, and reads them.

python -m tests.fuzz --count=2000 --seed=0

Whatever is met, only `errors.UserError` may come out, within a time, without a
file written beside the release, and a clip is prepared or left out.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import struct
import sys
import tempfile
import time
import zipfile

import av
import cv2
import numpy as np

from mefnet_jax.datasets import fingerprint, inspection, registry
from mefnet_jax.preprocess import clips, maps
from mefnet_jax.runs import errors, findings
from tests.fixtures import accounted, releases

SECONDS = 20  # for one case
MEBIBYTES = 1500  # that reading may add to the process
OPTIONS = clips.Options(detector='none', frames=3, face=8, eyes=8, mouth=8)
LAYOUTS = ('smic', 'cas_me2', 'megc_flow', 'folder', 'smic_long')
_NAMES = (
  '..',
  'a..b',
  '-',
  's2_sur_²',
  'x' * 200,
  'é\n',
  "'; --",
  '%s{}',
  's0',
  'Jose\u0301',
  '\uff33\uff10\uff12',
  'a\u202f\u3000 b',
  'x_v1.1',
  'frame (1)',
  '[x](y)|=1',
  '__MACOSX',
  'non_micro',
)
_SUFFIXES = ('.webp', '.MTS', '.jfif', '.xyz', '', '.txt', '.PNG', '.heic')
_LITTER = ('.DS_Store', 'Thumbs.db', '._img1.png', '__MACOSX', 'README.pdf')
_CELLS = ('', 'soon', -5, 1e300, '²', '0', 2**40, True, '=1/0', '../x', 3.7)
_CELLS += ('nan', 'inf', '-inf', 10**9, '1e309', '0x10', 0)


def base(folder: pathlib.Path) -> dict[str, pathlib.Path]:
  """Writes a small whole release of each layout; returns their folders."""
  made = {name: folder / name for name in LAYOUTS}
  releases.smic_tree(made['smic'])
  releases.cas_tree(made['cas_me2'])
  shutil.rmtree(made['cas_me2'] / 'CAS(ME)^2' / 'cropped')
  for name in ('006_1_2', 's01_s1_ne_01', 'sub01_EP02_01f'):
    subject = name.split('_')[0]
    for label, side in ((0, 'u_test'), (1, 'u_train')):
      place = made['megc_flow'] / 'three_norm_u_v_os' / subject / side
      releases.touch(place / str(label) / f'{name} .png')
  for label, subject in (('sad', 'p1'), ('glad', 'p2')):
    place = made['folder'] / label / subject / 'clip'
    for number in range(1, 5):
      releases.touch(place / f'img{number}.png')
    _video(place.with_name('film.avi'))
  releases.smic_long(made['smic_long'])
  for number, file in enumerate(sorted(folder.rglob('*.*'))):
    if file.is_file() and file.suffix in ('.bmp', '.jpg', '.png'):
      _image(file, number)
  lines = ['path,subject,label,onset,apex,offset']
  lines += [
    f'{k}/{s}/film.avi,{s},{k},2,,4' for k, s in (('sad', 'p1'), ('glad', 'p2'))
  ]
  (made['folder'] / 'clips.csv').write_text('\n'.join(lines) + '\n')
  return made


def run(count: int, seed: int, folder: pathlib.Path) -> dict:
  """Reads `count` mutated releases; returns what came of them.

  Raises:
    AssertionError: with the case's number, layout and mutations.
  """
  whole = base(folder / 'base')
  said = {'cases': 0, 'refused': 0, 'clips': 0, 'left out': 0, 'slowest': 0.0}
  pathlib.Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
  resident = _memory('VmRSS')
  for case in range(count):
    rng = random.Random(f'{seed} {case}')
    name = LAYOUTS[case % len(LAYOUTS)]
    root = folder / 'case' / name
    shutil.copytree(whole[name], root, symlinks=True)
    mutated = [rng.choice(MUTATIONS) for _ in range(rng.choice((1, 1, 2, 4)))]
    for mutate in mutated:
      mutate(root, rng)
    words = [mutate.__name__ for mutate in mutated]
    before = _listing(folder)
    started = time.monotonic()
    try:
      _read(name, root, rng, said)
    except errors.UserError as error:
      said['refused'] += 1
      assert str(error), (case, name, words)
    except Exception as error:
      raise AssertionError((case, name, words)) from error
    seconds = time.monotonic() - started
    said['slowest'] = max(said['slowest'], round(seconds, 2))
    assert seconds < SECONDS, (case, name, words, seconds)
    assert _listing(folder) == before, (case, name, words)
    shutil.rmtree(folder / 'case')
    said['cases'] += 1
  grown = _memory('VmHWM') - resident
  assert grown < MEBIBYTES, grown
  return said | {'grown MiB': grown}


def _memory(what):
  """MiB of /proc/self/status; VmHWM is the peak since it was set back."""
  status = pathlib.Path('/proc/self/status').read_text()
  (line,) = [n for n in status.splitlines() if n.startswith(what)]
  return int(line.split()[1]) // 1024


def _read(name, root, rng, said):
  """All that a run does with a release, but the training."""
  options = {}
  if name == 'folder':
    options['images'] = rng.choice(('auto', 'tree', 'table'))
  if name == 'smic_long':
    name, options = 'smic', {'subset': 'hs_long'}
  release = registry.read(name, root, **options)
  for place in release.places:
    left = list(accounted.uncovered(place, release))
    assert not left, left
  fingerprint.fingerprint(release)
  inspection.inspect(release)
  how = maps.Options() if name == 'megc_flow' else OPTIONS
  for row in release.rows:
    prepared = clips.prepare(row, how)
    if prepared.streams is None:
      told = prepared.findings[-1]
      assert told.kind == findings.LEFT_OUT and told.what
      assert 'preparation failed' not in told.what, told
      said['left out'] += 1
    else:
      shapes = {n: s.shape for n, s in prepared.streams.items()}
      assert shapes == how.shapes()
      said['clips'] += 1


def _listing(folder):
  return sorted(str(f) for f in folder.rglob('*') if 'hashes' not in f.parts)


def _image(path, number):
  rng = np.random.default_rng(number)
  noise = rng.integers(0, 255, (24, 28, 3), np.uint8)
  cv2.imwrite(str(path), cv2.GaussianBlur(noise, (5, 5), 1))


def _video(path):
  with av.open(str(path), 'w') as container:
    stream = container.add_stream('mjpeg', rate=30)
    stream.width, stream.height, stream.pix_fmt = 32, 24, 'yuvj420p'
    for shade in range(6):
      grey = np.full((24, 32), 30 * shade, np.uint8)
      frame = av.VideoFrame.from_ndarray(grey, format='gray')
      container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _any(root, rng, *suffixes):
  found = [
    f
    for f in sorted(root.rglob('*'))
    if f.is_file()
    and not f.is_symlink()
    and f.suffix in (suffixes or {f.suffix})
  ]
  return rng.choice(found) if found else None


def _folder(root, rng):
  found = [
    f for f in sorted(root.rglob('*')) if f.is_dir() and not f.is_symlink()
  ]
  return rng.choice(found) if found else root


def truncate(root, rng):
  if file := _any(root, rng):
    data = file.read_bytes()
    file.write_bytes(data[: rng.randrange(len(data) + 1)])


def flip(root, rng):
  if file := _any(root, rng):
    data = bytearray(file.read_bytes())
    for _ in range(rng.choice((1, 8, 64))):
      if data:
        data[rng.randrange(len(data))] = rng.randrange(256)
    file.write_bytes(bytes(data))


def flip_videos(root, rng):
  if file := _any(root, rng, '.avi'):
    data = bytearray(file.read_bytes())
    for _ in range(rng.choice((1, 20, 300))):
      data[rng.randrange(len(data) if rng.random() < 0.5 else 300)] = (
        rng.randrange(256)
      )
    file.write_bytes(bytes(data))


def wrong_type(root, rng):
  one, other = _any(root, rng), _any(root, rng)
  if one and other:
    shutil.copyfile(other, one) if one != other else one.write_bytes(b'PK\3\4')


def huge_header(root, rng):
  """40,000 x 40,000 pixels, as BMP, PNG, JPEG, TIFF, WebP or PNM say."""
  if file := _any(root, rng, '.bmp', '.jpg', '.png'):
    side = 40_000
    png = b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR' + struct.pack('>II', side, side)
    tiff = b'II*\0\x08\0\0\0\2\0' + b''.join(
      struct.pack('<HHII', tag, 4, 1, side) for tag in (256, 257)
    )
    bmp = bytearray(b'BM' + struct.pack('<IHHI', 600, 0, 0, 54))
    bmp += struct.pack('<IiiHH', 40, side, side, 1, 24) + bytes(600)
    jpeg = b'\xff\xd8\xff\xc0\0\x11\x08' + struct.pack('>HH', side, side)
    webp = b'RIFF\xff\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0' + 2 * (
      (side - 1).to_bytes(3, 'little')
    )
    pnm = b'P5\n%d %d\n255\n' % (side, side)
    start = rng.choice((bytes(bmp), png, tiff, jpeg, pnm, webp))
    file.write_bytes(start + bytes(600) + b'\xff\xd9')


def empty(root, rng):
  if file := _any(root, rng):
    file.write_bytes(b'')


def delete(root, rng):
  target = _folder(root, rng)
  if rng.random() < 0.5 and target != root:
    shutil.rmtree(target)
  elif file := _any(root, rng):
    file.unlink()


def rename(root, rng):
  target = _any(root, rng) if rng.random() < 0.5 else _folder(root, rng)
  name = rng.choice(_NAMES)
  if not target or target == root or name == '..':
    return
  if target.is_file() and rng.random() < 0.7:
    name += target.suffix
  place = target.with_name(name)
  if not place.exists():
    target.rename(place)


def suffix(root, rng):
  """A file, or all files of its folder, of another kind."""
  if file := _any(root, rng):
    chosen = rng.choice(_SUFFIXES)
    group = [file] if rng.random() < 0.5 else sorted(file.parent.iterdir())
    for one in group:
      place = one.with_suffix(chosen)
      if one.is_file() and not place.exists():
        one.rename(place)


def litter(root, rng):
  for _ in range(rng.choice((1, 3))):
    place = _folder(root, rng) / rng.choice(_LITTER)
    if not place.exists():
      place.mkdir() if rng.random() < 0.2 else place.write_bytes(b'x')


def copy(root, rng):
  """A folder or file once more, under an odd name or at another place."""
  target = _any(root, rng) if rng.random() < 0.5 else _folder(root, rng)
  if not target or target == root:
    return
  parent = target.parent if rng.random() < 0.5 else _folder(root, rng)
  name = rng.choice((*_NAMES[1:], target.name))
  place = parent / (name + target.suffix * target.is_file())
  if place.exists() or target == parent or target in parent.parents:
    return
  with contextlib.suppress(OSError):  # a pipe, or a file without rights
    if target.is_dir():
      shutil.copytree(target, place, symlinks=True)
    else:
      shutil.copyfile(target, place)


def odd_number(root, rng):
  if file := _any(root, rng, '.bmp', '.jpg', '.png'):
    digits = rng.choice(('9' * 30, '0', '00000', '-1', '٣'))
    place = file.with_name(f'image{digits}{file.suffix}')
    if not place.exists():
      file.rename(place)


def bytes_in_name(root, rng):
  if file := _any(root, rng):
    raw = os.fsencode(file.parent) + b'/\xff\xfe' + os.fsencode(file.suffix)
    if not os.path.exists(raw):
      os.rename(file, raw)


def link(root, rng):
  """Links out of the folder, into it, to itself, to a device."""
  file = _any(root, rng) if rng.random() < 0.6 else _folder(root, rng)
  if not file or file == root:
    return
  place = rng.choice(('/etc', '/etc/passwd', '/dev/zero', '..', '.', file.name))
  shutil.rmtree(file) if file.is_dir() else file.unlink()
  file.symlink_to(place)


def pipe(root, rng):
  if file := _any(root, rng):
    file.unlink()
    os.mkfifo(file)


def no_rights(root, rng):
  if file := _any(root, rng):
    file.chmod(0)


def double(root, rng):
  target = _folder(root, rng)
  if target != root and not (target / target.name).exists():
    aside = root / 'aside'
    if not aside.exists():
      target.rename(aside)
      target.mkdir()
      aside.rename(target / target.name)


def cells(root, rng):
  """Texts where numbers belong, missing rows and columns, other sheets."""
  if not (file := _any(root, rng, '.xlsx')):
    return
  import openpyxl

  try:
    book = openpyxl.load_workbook(file)
  except Exception:  # another mutation was here before
    return
  sheet = rng.choice(book.worksheets)
  for _ in range(rng.choice((1, 5, 30))):
    row, column = rng.randint(1, 8), rng.randint(1, 9)
    sheet.cell(row, column).value = rng.choice(_CELLS)
  # Not after a far cell of an earlier time: openpyxl moves every cell between.
  if rng.random() < 0.2 and sheet.max_row < 1000:
    sheet.delete_cols(rng.randint(1, 5))
  if rng.random() < 0.2 and len(book.worksheets) > 1:
    book.remove(rng.choice(book.worksheets))
  if rng.random() < 0.2:
    sheet.cell(1_000_000, 16_000).value = 1
  book.save(file)


def inner_flip(root, rng):
  """Damages the text in a workbook, not its zip."""
  file = _any(root, rng, '.xlsx')
  if not file or not zipfile.is_zipfile(file):
    return
  try:
    with zipfile.ZipFile(file) as book:
      parts = {name: bytearray(book.read(name)) for name in book.namelist()}
  except Exception:  # the zip is damaged already
    return
  part = parts[rng.choice(sorted(parts))]
  for _ in range(rng.choice((1, 10))):
    part[rng.randrange(len(part))] = rng.randrange(256)
  with zipfile.ZipFile(file, 'w') as book:
    for name, data in parts.items():
      book.writestr(name, bytes(data))


def bomb(root, rng):
  """A few kilobytes that unpack to a gigabyte."""
  if file := _any(root, rng, '.xlsx'):
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as book:
      for k in range(4):
        book.writestr(f'xl/worksheets/sheet{k}.xml', bytes(2**26))
    if rng.random() < 0.5:  # and says that it is a kilobyte
      data = file.read_bytes()
      sizes = (struct.pack('<I', size) for size in (2**26, 2**10))
      file.write_bytes(data.replace(*sizes))


def table(root, rng):
  if file := _any(root, rng, '.csv'):
    lines = file.read_text(errors='replace').splitlines() or ['']
    at = rng.randrange(len(lines))
    odd = rng.choice(
      ('../../etc,p,x,,,', '/etc/passwd,p,x', '"', '\0,\0', ',' * 99)
      + ('sad/p1/film.avi,p1,sad,nan,inf,-3', 'sad/p1/clip,p1,sad,1e309,9,1')
      + ('./sad/p1/clip/,p\u00e9,s\x85d,0,99999999999,3', '=1+1,@x,+y,0,0,0')
      + ('a' * 200_000, 'sad/p1/film.avi,p1,sad,x,y,z', ';;;', 'path,path')
    )
    lines[at : at + rng.randint(0, 1)] = [odd]
    file.write_text('\n'.join(lines))


MUTATIONS = (
  *(truncate, flip, flip_videos, wrong_type, huge_header, empty, delete),
  *(rename, odd_number, bytes_in_name, link, pipe, no_rights, double, cells),
  *(inner_flip, bomb, table, suffix, litter, copy),
)


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--count', type=int, default=2000)
  parser.add_argument('--seed', type=int, default=0)
  args = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    os.environ['MEFNET_CACHE'] = f'{folder}/hashes'
    print(json.dumps(run(args.count, args.seed, pathlib.Path(folder))))


if __name__ == '__main__':
  sys.exit(main())
