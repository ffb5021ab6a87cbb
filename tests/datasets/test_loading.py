"""From a config to clips: prepared once, found again, or too little left."""

import os
import shutil
import time

import cv2
import numpy as np
import pytest
import rich.progress
import tensorflow_datasets as tfds

from mefnet_jax import datasets
from mefnet_jax.datasets import builder, from_config, loading
from mefnet_jax.datasets.smic import builder as smic
from mefnet_jax.preprocess import clips
from mefnet_jax.runs import errors, findings
from tests.fixtures import prepared, releases

# Fixtures.
cached, copied, first_load = (
  prepared.cached,
  prepared.copied,
  prepared.first_load,
)


def test_load_gives_clips_in_the_order_of_their_ids(first_load, tiny_smic):
  loaded = first_load[1]
  assert loaded.clip == tuple(sorted(loaded.clip))
  assert len(loaded.clip) == 9
  assert {c[:3] for c in loaded.clip} == set(loaded.subject)
  codes = {'ne': 'negative', 'po': 'positive', 'sur': 'surprise'}
  assert [loaded.classes[label] for label in loaded.label] == [
    codes[clip.split('_')[1]] for clip in loaded.clip
  ]
  assert loaded.label.dtype == np.int32
  assert loaded.streams['face'].shape == (9, 6, 16, 16, 1)
  assert loaded.streams['mouth'].shape == (9, 6, 8, 8, 1)
  assert all(stream.dtype == np.uint8 for stream in loaded.streams.values())
  assert loaded.synthetic
  assert not findings.lost(loaded.findings)


def test_the_second_run_prepares_nothing_and_takes_no_time(
  first_load, cached, tiny_smic
):
  start = time.monotonic()
  again = datasets.load(prepared.config(tiny_smic, workers=2, allow_lost=0.5))
  assert time.monotonic() - start < 3
  assert not cached[1]
  assert prepared.equal(again, first_load[1])
  assert again.fingerprint == first_load[1].fingerprint
  assert again.findings == first_load[1].findings


def test_a_release_that_was_moved_is_known_by_its_content(
  first_load, cached, tiny_smic, tmp_path
):
  moved = shutil.copytree(tiny_smic, tmp_path / 'elsewhere' / 'copy')
  again = datasets.load(prepared.config(moved))
  assert not cached[1]
  assert prepared.equal(again, first_load[1])


@pytest.mark.parametrize('keep_time', [False, True])
def test_a_changed_image_is_noticed(
  first_load, cached, tiny_smic, tmp_path, keep_time
):
  copy = shutil.copytree(tiny_smic, tmp_path / 'copy')
  datasets.load(prepared.config(copy))
  file = sorted(copy.rglob('*.bmp'))[0]
  stat, content = file.stat(), file.read_bytes()
  file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
  if keep_time:
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
  changed = datasets.load(prepared.config(copy))
  assert changed.fingerprint != first_load[1].fingerprint
  assert len(cached[1]) == 1


def test_every_option_that_changes_clips_changes_the_fingerprint(
  first_load, cached, tiny_smic
):
  changes = [
    *(dict(registration='none'), dict(interpolation='linear')),
    *(dict(frames=7), dict(face=17), dict(eyes=9), dict(mouth=9)),
    *(dict(flow='dis'), dict(magnify=2.0), dict(colour=True)),
    dict(interpolation='uniform'),
  ]
  release = loading.registry.read('smic', tiny_smic)
  marks = {
    loading._config(release, dataset, from_config.options(dataset)).name
    for dataset in (prepared.config(tiny_smic, **change) for change in changes)
  }
  assert len(marks | {first_load[1].fingerprint}) == len(changes) + 1


def test_clips_are_read_without_the_images(first_load, cached):
  folder = prepared.prepared_folder(cached[0])
  made_builder = tfds.builder_from_directory(folder)
  loaded = first_load[1]
  subjects = sorted(set(loaded.subject))
  assert sorted(made_builder.info.splits) == subjects
  source = made_builder.as_data_source('+'.join(subjects[:2]))
  wanted = [clip for clip in loaded.clip if clip[:3] in subjects[:2]]
  assert sorted(e['clip'].decode() for e in source) == wanted
  example = source[0]
  at = loaded.clip.index(example['clip'].decode())
  for stream in clips.STREAMS:
    np.testing.assert_array_equal(example[stream], loaded.streams[stream][at])
  assert example['label'] == loaded.label[at]
  assert example['onset'] == example['frame_numbers'][0]
  assert example['onset'] <= example['apex'] <= example['offset']
  assert example['offset'] == example['frame_numbers'][-1]


def test_the_builders_work_as_any_of_tfds(cached, tiny_smic, tmp_path):
  registered = tfds.builder('smic/hs', data_dir=tmp_path / 'data')
  assert isinstance(registered, smic.Smic)
  assert tfds.builder_cls('cas_me2').__name__ == 'CasMe2'
  options = clips.Options(frames=6, face=16, eyes=8, mouth=8)
  made_builder = smic.Smic(
    data_dir=tmp_path / 'data',
    config=builder.Config(name='small', options=options),
  )
  manual = tfds.download.DownloadConfig(manual_dir=tiny_smic)
  made_builder.download_and_prepare(download_config=manual)
  assert len(cached[1]) == 1
  made_builder.download_and_prepare(download_config=manual)
  assert len(cached[1]) == 1
  assert len(made_builder.as_data_source('s01')) == 3


def test_a_builder_without_its_release_tells_how_to_get_it(cached, tmp_path):
  (tmp_path / 'empty').mkdir()
  manual = tfds.download.DownloadConfig(manual_dir=tmp_path / 'empty')
  with pytest.raises(AssertionError, match='sign its licence'):
    smic.Smic(data_dir=tmp_path).download_and_prepare(download_config=manual)


def test_too_many_lost_clips_stop_the_run_unless_allowed(copied):
  damaged = prepared.clip_folders(copied)[0]
  for file in damaged.iterdir():
    file.write_bytes(b'no image')
  with pytest.raises(errors.UserError, match=r'1 of 9 .*allow_lost=0.15') as e:
    datasets.load(prepared.config(copied))
  assert len(findings.lost(e.value.findings)) == 1
  loaded = datasets.load(prepared.config(copied, allow_lost=0.15))
  assert len(loaded.clip) == 8
  (finding,) = (f for f in loaded.findings if f.kind == findings.LEFT_OUT)
  assert damaged.name in finding.file
  told = datasets.listing(loaded.findings).splitlines()
  assert len([line for line in told if line[:3].strip()]) == 1 + 4


def test_no_clip_at_all_and_no_face_anywhere(copied):
  for file in copied.rglob('*.bmp'):
    cv2.imwrite(str(file), np.full((160, 128), 80, np.uint8))
  with pytest.raises(errors.UserError, match='no clip could be prep') as caught:
    datasets.load(prepared.config(copied, allow_lost=1.0))
  assert len(findings.lost(caught.value.findings)) == 9


@pytest.mark.parametrize('part', ['*/HS/s01', '*/HS/*/micro/negative'])
def test_one_subject_or_one_class_is_not_enough(copied, part):
  kept = set(copied.glob(part))
  for file in sorted(copied.rglob('*.bmp')):
    if not kept & set(file.parents):
      file.unlink()
      if not any(file.parent.iterdir()):
        file.parent.rmdir()
  with pytest.raises(errors.UserError, match='at least two of each') as caught:
    datasets.load(prepared.config(copied))
  assert caught.value.findings
  assert not (copied.parent / 'cache' / 'clips').exists()


def test_a_class_without_a_clip_is_not_a_class(cached, tiny_smic, tmp_path):
  copy = shutil.copytree(tiny_smic, tmp_path / 'copy')
  for folder in copy.rglob('negative'):
    shutil.rmtree(folder)
  loaded = datasets.load(prepared.config(copy))
  assert loaded.classes == ('positive', 'surprise')
  assert set(loaded.label.tolist()) == {0, 1}
  assert loaded.findings[-1].what == 'classes without a clip: negative'


def test_a_missing_release_is_one_line(tmp_path):
  with pytest.raises(errors.UserError, match='no such folder'):
    datasets.load(prepared.config(tmp_path / 'none'))


def test_progress_is_shown_on_the_bar_that_is_given(copied):
  with rich.progress.Progress(disable=True) as progress:
    datasets.load(prepared.config(copied), progress=progress)
  (task,) = progress.tasks
  assert task.completed == task.total == 9


def test_cas_me2_from_workbook_to_clips(tiny_smic, tmp_path, monkeypatch):
  monkeypatch.setenv('MEFNET_CACHE', str(tmp_path / 'cache'))
  root = tmp_path / 'CAS(ME)^2'
  releases.workbook(root / 'CAS(ME)^2code_final.xlsx')
  sources = prepared.clip_folders(tiny_smic)
  for coded, source in zip(
    releases.CODED, sources[: len(releases.CODED)], strict=True
  ):
    participant, clip, onset, _, offset, *_ = coded
    folder = (
      root / 'selectedpic' / f's{releases.SUBJECTS[participant - 1]}' / clip
    )
    folder.mkdir(parents=True)
    files = sorted(source.iterdir())
    for number in range(onset, offset + 1):
      frame = cv2.imread(str(files[(number - onset) % len(files)]))
      cv2.imwrite(str(folder / f'img{number}.jpg'), frame)
  loaded = datasets.load(prepared.config(root, name='cas_me2'))
  assert loaded.clip == (
    *('s15_anger1_1', 's15_happy1_1', 's16_disgust1_1', 's19_happy1_1'),
  )
  assert loaded.label.tolist() == [0, 1, 2, 1]
  assert loaded.streams['eyes'].shape == (4, 6, 8, 8, 1)
  assert not loaded.synthetic
