"""Sound and transcripts: their numbers, their files, their lacking."""

import dataclasses
import shutil

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io.wavfile

from configs import mfcnn_multimodal
from mefnet_jax.datasets import modalities, prepared_clips, registry
from mefnet_jax.models import normalize
from mefnet_jax.preprocess import sound, words
from mefnet_jax.runs import errors
from mefnet_jax.synthetic import release, smic, speech, studio
from mefnet_jax.training import config_check


def tone(hertz, seconds=0.5, rate=sound.RATE):
  t = np.arange(int(seconds * rate)) / rate
  return np.sin(2 * np.pi * hertz * t).astype(np.float32)


def mel(hertz):
  return 2595 * np.log10(1 + hertz / 700)


@pytest.mark.parametrize('hertz', [200, 700, 3000])
def test_a_tone_lies_in_its_mel_band(hertz):
  map_FM1 = sound.log_mel(tone(hertz), 20, 32)
  assert map_FM1.shape == (20, 32, 1) and map_FM1.dtype == np.uint8
  low, high = mel(sound.LOWEST), mel(sound.HIGHEST)
  band = (mel(hertz) - low) / (high - low) * 33 - 1
  found = map_FM1[5:15, :, 0].astype(float).mean(0).argmax()
  assert abs(found - band) <= 1.0


def test_loudness_does_not_matter_and_time_does():
  early = np.concatenate([tone(500), np.zeros(8000, np.float32)])
  a, b = (sound.log_mel(x, 16, 16) for x in (early, 0.01 * early))
  np.testing.assert_array_equal(a, b)
  assert a[1:7].max(1).min() > 200 and a[9:].max() == 0
  assert sound.log_mel(np.zeros(5000), 8, 8).max() == 0
  assert sound.log_mel(tone(500, 0.001), 8, 8).shape == (8, 8, 1)


def test_any_wav_is_brought_to_one_rate(tmp_path):
  """Stereo, 44.1 kHz, whole numbers: the tone stays where it was."""
  x = (20_000 * tone(1000, rate=44_100)).astype(np.int16)
  scipy.io.wavfile.write(tmp_path / 'a.wav', 44_100, np.stack([x, x], 1))
  samples = sound.read(tmp_path / 'a.wav')
  assert len(samples) == pytest.approx(0.5 * sound.RATE, abs=2)
  peak = np.abs(np.fft.rfft(samples)).argmax() / 0.5
  assert peak == pytest.approx(1000, abs=5)


def test_the_sound_track_of_a_video_is_its_sound(tmp_path):
  av = pytest.importorskip('av')
  path = tmp_path / 'a.mkv'
  with av.open(str(path), 'w') as container:
    stream = container.add_stream('pcm_s16le', rate=sound.RATE)
    stream.layout = 'mono'
    x = (20_000 * tone(1000)).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(x, 's16', 'mono')
    frame.rate = sound.RATE
    for packet in (*stream.encode(frame), *stream.encode()):
      container.mux(packet)
  scipy.io.wavfile.write(tmp_path / 'a.wav', sound.RATE, x[0])
  maps = [
    sound.log_mel(sound.read(tmp_path / name), 16, 16).astype(int)
    for name in ('a.mkv', 'a.wav')
  ]
  assert np.abs(maps[0] - maps[1]).max() <= 1


def test_a_rate_that_no_recorder_has_is_refused_at_once(tmp_path):
  """A filter for 3 MHz took 40 s, of a file of 8 kB."""
  x = np.ones(4000, np.int16)
  scipy.io.wavfile.write(tmp_path / 'a.wav', 2_999_999, x)
  with pytest.raises(ValueError, match='at 2999999 a second'):
    sound.read(tmp_path / 'a.wav')


@pytest.mark.parametrize('name', ['a.wav', 'a.avi'])
def test_what_is_no_sound_is_a_value_error(tmp_path, name):
  if name == 'a.avi':
    pytest.importorskip('av')
  (tmp_path / name).write_bytes(b'RIFF nothing of the kind' * 9)
  with pytest.raises(ValueError):
    sound.read(tmp_path / name)


def test_words_are_numbers_that_never_change():
  a = words.tokens('Oh, WHAT a day!', 6)
  b = words.tokens('oh what a', 6)
  assert a.dtype == np.int32 and (a[4:] == 0).all() and (a[:4] > 0).all()
  np.testing.assert_array_equal(a[:3], b[:3])
  assert len(set(a[:4].tolist())) == 4
  np.testing.assert_array_equal(
    words.tokens('a b c', 2), words.tokens('a b', 2)
  )
  assert words.tokens('oh', 1)[0] == 1145857992
  assert not words.tokens(' ... ', 3).any()


def test_synthetic_speech_leans_on_the_class_weakly():
  """A pitch slope that separates a bit, words that do in a few clips."""
  rng = np.random.default_rng(0)
  own = set(speech.WORDS['surprise'])
  said = [speech.transcript('surprise', rng) for _ in range(400)]
  share = np.mean([word in own for text in said for word in text])
  assert 0.11 < share < 0.19
  assert all(5 <= len(text) <= 9 for text in said)
  person = np.random.default_rng(1)
  x = speech.sound('surprise', rng, person)
  assert (
    x.dtype == np.int16 and len(x) == speech.RATE and np.abs(x).max() > 3000
  )


@pytest.fixture(scope='module')
def spoken(tiny_smic, tmp_path_factory):
  """A release with sound and words; its frames have been filmed before."""
  root = tmp_path_factory.mktemp('spoken') / 'smic'

  def film(shot, root, truth, seed):
    shutil.copytree(tiny_smic / shot.folder, root / shot.folder)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(studio, 'film', film)
    release.write(
      'smic', root, clips=3, subjects=3, processes=1, multimodal=True
    )
  return root


def files(root, suffix):
  return sorted(root.rglob(f'*{suffix}'))


def test_a_release_holds_them_beside_the_frames(spoken, tmp_path):
  rows = registry.read('smic', spoken).rows
  assert len(rows) == 9
  for name, suffix in (('audio', '.wav'), ('text', '.txt')):
    found = [modalities.beside(row, name) for row in rows]
    there = [f for f in found if f is not None]
    assert sorted(there) == [
      f for f in files(spoken, suffix) if f.name != 'SYNTHETIC.txt'
    ]
    for row, file in zip(rows, found, strict=True):
      assert file is None or file.parent == row.frames[0].parent
  shots = smic.plan(0, clips=3, subjects=3).shots
  again = tmp_path / 'again'
  for shot in shots:
    (again / shot.folder).mkdir(parents=True)
  speech.write(shots, again, 0)
  for file in (*files(again, '.wav'), *files(again, '.txt')):
    assert file.read_bytes() == (spoken / file.relative_to(again)).read_bytes()


def test_the_sound_of_a_long_video_is_nobodys(spoken, tmp_path):
  row = registry.read('smic', spoken).rows[0]
  folder = tmp_path / '15_0101disgustingteeth'
  folder.mkdir()
  (folder / f'{folder.name}.wav').write_bytes(b'')
  long = dataclasses.replace(row, frames=(folder / 'img001.jpg',))
  assert modalities.beside(long, 'audio') is None


def fake(rows, root):
  clip = tuple(row.clip for row in rows)
  shape = (len(clip), 2, 8, 8, 1)
  return prepared_clips.Clips(
    streams={'eyes': np.zeros(shape, np.uint8)},
    label=np.array([row.label for row in rows], np.int32),
    classes=('a', 'b', 'c'),
    clip=clip,
    subject=tuple(row.subject for row in rows),
    database=('',) * len(rows),
    synthetic=True,
    findings=(),
    fingerprint='0',
  )


def test_lacking_and_damaged_ones_are_masked_and_reported(spoken):
  config = mfcnn_multimodal.get_config()
  read = registry.read('smic', spoken)
  before = fake(read.rows, spoken)
  loaded = modalities.add(before, read, config.dataset)
  has = [modalities.beside(row, 'audio') is not None for row in read.rows]
  np.testing.assert_array_equal(loaded.streams['audio_present'], has)
  assert loaded.streams['audio'].shape == (9, 32, 32, 1)
  assert loaded.streams['text'].shape == (9, 16)
  first = has.index(True)
  file = modalities.beside(read.rows[first], 'audio')
  whole = file.read_bytes()
  file.write_bytes(b'not a sound')
  damaged = modalities.add(before, read, config.dataset)
  file.write_bytes(whole)
  assert damaged.streams['audio_present'][first] == 0
  assert not damaged.streams['audio'][first].any()
  assert any(read.rows[first].clip == f.clip for f in damaged.findings)
  assert len({before.fingerprint, loaded.fingerprint, damaged.fingerprint}) == 3


def test_a_release_without_any_says_what_it_looked_for(tiny_smic):
  config = mfcnn_multimodal.get_config()
  read = registry.read('smic', tiny_smic)
  with pytest.raises(errors.UserError, match=r'no clip has audio.*\.wav'):
    modalities.add(fake(read.rows, tiny_smic), read, config.dataset)


@pytest.mark.parametrize(
  ('field', 'value', 'said'),
  [
    ('modalities', ('smell',), 'smell.*audio, text'),
    ('modalities', ('text',), 'audio.*modalities'),
    ('audio', (0, 32), r'audio=\(0, 32\)'),
    ('text', 0, 'text=0'),
  ],
)
def test_settings_name_what_is_wrong(field, value, said):
  config = mfcnn_multimodal.get_config()
  with config.unlocked():
    config.dataset[field] = value
  with pytest.raises(errors.UserError, match=said):
    config_check.check(config)
  config_check.check(mfcnn_multimodal.get_config('text'))


def test_inputs_leave_words_and_masks_alone_and_sound_without_onset():
  random = np.random.default_rng(0)
  clips = {
    'eyes': random.integers(0, 256, (4, 3, 5, 5, 1), np.uint8),
    'audio': random.integers(0, 256, (4, 6, 5, 1), np.uint8),
    'audio_present': np.array([1, 0, 1, 1], np.uint8),
    'text': random.integers(0, 2**31 - 1, (4, 7), np.int32),
    'label': np.arange(4),
  }
  index = jnp.array([2, 1])
  measured = normalize.measured(clips, input_kind='difference')
  batch = normalize.batch(measured, index, input_kind='difference')
  for name in ('audio_present', 'text', 'label'):
    np.testing.assert_array_equal(batch[name], clips[name][[2, 1]])
  expected = normalize.standardise(clips['audio'][[2, 1]], 'frames')
  np.testing.assert_allclose(batch['audio'], expected, atol=1e-5)
  assert not np.any(batch['eyes'][:, 0])
  assert batch.keys() == clips.keys()
