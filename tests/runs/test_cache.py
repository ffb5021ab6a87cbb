"""The cache: damage, rivals, sudden death, and the release made by default."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from mefnet_jax import datasets
from mefnet_jax.datasets import default_release
from mefnet_jax.runs import cache, errors
from mefnet_jax.synthetic import release as synthetic_release
from tests.fixtures import prepared

cached, first_load = prepared.cached, prepared.first_load  # fixtures

REPOSITORY = pathlib.Path(__file__).parents[2]
# What a process of its own runs: argv is the release; prints the fingerprint.
LOAD = """
import sys
import time
sys.path[:0] = [{root!r}]
from tests.fixtures import prepared as t
{before}
if __name__ == '__main__':
  loaded = t.datasets.load(t.config(sys.argv[1]))
  print(loaded.fingerprint, int(loaded.streams['eyes'].sum()))
  assert not {{'tensorflow', 'jax'}} & set(sys.modules)
"""


@pytest.mark.parametrize('how', ['flipped', 'truncated', 'deleted'])
@pytest.mark.parametrize(
  'name', ['smic-s01*', 'dataset_info.json', 'features.json', 'metadata.json']
)
def test_damaged_clips_are_prepared_again(
  first_load, cached, tiny_smic, name, how
):
  (file,) = prepared.prepared_folder(cached[0]).glob(name)
  content = bytearray(file.read_bytes())
  if how == 'flipped':
    content[len(content) // 2] ^= 0x55
    file.write_bytes(content)
  elif how == 'truncated':
    file.write_bytes(content[: len(content) // 2])
  else:
    file.unlink()
  again = datasets.load(prepared.config(tiny_smic))
  assert prepared.equal(again, first_load[1])
  assert again.subject == first_load[1].subject
  assert again.findings == first_load[1].findings


def test_damaged_hashes_are_made_again(first_load, cached, tiny_smic):
  for file in (cached[0] / 'hashes').iterdir():
    file.write_text('{"half')
  assert (
    datasets.load(prepared.config(tiny_smic)).fingerprint
    == first_load[1].fingerprint
  )
  assert not cached[1]


def process(release, cache_folder, before=''):
  script = LOAD.format(root=str(REPOSITORY), before=before)
  return subprocess.Popen(
    [sys.executable, '-c', script, str(release)],
    env=os.environ | {'MEFNET_CACHE': str(cache_folder)},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def test_two_at_once_prepare_once_without_tensorflow_or_jax(
  first_load, tiny_smic, tmp_path
):
  count = f"""
prepare = t.pool.prepare
def counted(*args, **named):
  open({str(tmp_path / 'calls')!r}, 'a').write('x')
  return prepare(*args, **named)
t.pool.prepare = counted
"""
  both = [process(tiny_smic, tmp_path / 'cache', count) for _ in range(2)]
  said = [p.communicate(timeout=120) for p in both]
  assert [p.returncode for p in both] == [0, 0], said
  mark = f'{first_load[1].fingerprint} {first_load[1].streams["eyes"].sum()}\n'
  assert [out for out, _ in said] == [mark, mark]
  assert (tmp_path / 'calls').read_text() == 'x'


def test_a_killed_run_leaves_nothing_in_the_way(cached, tiny_smic, first_load):
  shutil.rmtree(cached[0] / 'clips')
  stuck = """
def stuck(*args, **named):
  print('preparing', file=sys.__stdout__, flush=True)
  time.sleep(99)
t.pool.prepare = stuck
"""
  victim = process(tiny_smic, cached[0], stuck)
  with victim:
    assert victim.stdout.readline() == 'preparing\n'
    assert list(cached[0].rglob('incomplete.*'))
    victim.send_signal(signal.SIGKILL)
  assert prepared.equal(
    datasets.load(prepared.config(tiny_smic)), first_load[1]
  )
  assert not list(cached[0].rglob('incomplete.*'))


def test_a_cache_that_cannot_be_written_is_one_line(
  tiny_smic, tmp_path, monkeypatch
):
  (tmp_path / 'file').write_text('')
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'file'))
  with pytest.raises(errors.UserError, match='MEFNET_CACHE'):
    datasets.load(prepared.config(tiny_smic))


def test_without_a_release_a_synthetic_one_is_made_once(
  first_load, cached, tiny_smic, monkeypatch
):
  wrote = []

  def write(layout, out, *, seed, processes, progress, **options):
    wrote.append((layout, options))
    shutil.copytree(tiny_smic, out)
    return out

  monkeypatch.setattr(synthetic_release, 'write', write)
  made_of = default_release._generator()[:12]
  left = cached[0] / 'synthetic' / f'.smic_hs_{made_of}.incomplete' / 'smic'
  left.mkdir(parents=True)
  for _ in range(2):
    loaded = datasets.load(prepared.config(''))
    assert loaded.synthetic
    assert prepared.equal(loaded, first_load[1])
  assert wrote == [('smic', {'subset': 'hs'})]
  assert not left.exists()
  assert not cached[1]


def test_a_damaged_synthetic_release_is_made_again(
  cached, tiny_smic, monkeypatch
):
  monkeypatch.setattr(
    synthetic_release,
    'write',
    lambda _, out, **k: shutil.copytree(tiny_smic, out),
  )
  root = default_release.find('smic', {'subset': 'hs'})
  (root / 'SYNTHETIC.txt').unlink()
  again = default_release.find('smic', {'subset': 'hs'})
  assert again == root
  assert (root / 'SYNTHETIC.txt').is_file()


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path))
  assert cache.root() == tmp_path
  monkeypatch.delenv('MEFNET_CACHE')
  assert cache.root() == pathlib.Path.home() / '.cache' / 'mefnet_jax'
