"""What is measured of a recording is what it was made with; the verdict."""

import dataclasses
import fractions
import json
import re

import av
import cv2
import numpy as np
import pytest

from mefnet_jax.predict import frames
from mefnet_jax.predict.camera import __main__ as command
from mefnet_jax.predict.camera import measure, study, verdict, video_report
from mefnet_jax.preprocess import quantiser
from mefnet_jax.runs import errors
from mefnet_jax.synthetic import recording
from tests.fixtures import recorded, videos

MEASURED = measure.Measured(
  frames=100,
  seconds=4.0,
  fps=25.0,
  jitter=0.0,
  eyes=60.0,
  noise=0.0,
  blur=1.2,
  quantiser=28.0,
  bits=0.02,
  blockiness=1.0,
  flicker=0.0,
  flicker_hz=0.0,
  lamps='',
)


def picture(size=(96, 96), seed=0):
  smooth = cv2.GaussianBlur(
    np.random.default_rng(seed).normal(0, 1, size), (0, 0), 6
  )
  return 128 + 40 * smooth / np.abs(smooth).max()


@pytest.mark.parametrize('sigma', [0.0, 1.0, 2.0, 5.0])
def test_noise_is_the_one_that_was_added_though_a_third_moves(sigma):
  random = np.random.default_rng(1)

  def shot(shift):
    image = picture()
    image[:32] = np.roll(image, 3 * shift, 1)[:32]
    image += random.normal(0, sigma, image.shape) + 2 * shift  # light too
    return np.rint(image).astype(np.uint8)

  assert measure.noise(shot(0), shot(1)) == pytest.approx(
    sigma, rel=0.1, abs=0.15
  )


@pytest.mark.parametrize('sigma', [1.0, 1.5, 2.5])
def test_blur_of_a_step_is_its_own(sigma):
  image = np.zeros((64, 64), np.float32)
  image[:, 32:] = 200
  image = cv2.GaussianBlur(image, (0, 0), sigma).astype(np.uint8)
  assert measure.edge_blur(image) == pytest.approx(sigma, rel=0.15)


def test_blocks_show():
  image = np.rint(picture()).astype(np.uint8)
  coarse = cv2.resize(image[::8, ::8], None, fx=8, fy=8, interpolation=0)
  assert measure.blockiness(image) == pytest.approx(1, abs=0.1)
  assert measure.blockiness(coarse) > 10


@pytest.mark.parametrize(
  ('fps', 'lamp', 'seen', 'name'),
  [(30, 100, 10, '50 Hz'), (24, 120, 0, ''), (200, 120, 80, '60 Hz')],
)
def test_lamps_are_told_by_what_the_frame_rate_makes_of_them(
  fps, lamp, seen, name
):
  times = np.arange(240) / fps
  light = 100 * (1 + 0.02 * np.sin(2 * np.pi * lamp * times))
  share, hertz = measure.flicker(times, light)
  assert hertz == pytest.approx(seen, abs=0.2)
  assert share == pytest.approx(0.02 if seen else 0, rel=0.15)
  assert measure.lamps(hertz, fps, times[-1]) == name


def test_a_light_that_only_drifts_does_not_flicker():
  times = np.arange(200) / 25
  drift = 100 + 5 * times + np.random.default_rng(0).normal(0, 0.1, 200)
  assert measure.flicker(times, drift) == (0.0, 0.0)


def test_a_meter_has_constant_memory_and_finds_an_uneven_clock():
  meter = measure.Meter()
  image = np.rint(picture()).astype(np.uint8)
  times = np.cumsum(np.tile([0.03, 0.05], measure.MOST))
  for time in times:
    meter.push(float(time), image, 30.0, (10, 10, 80, 80))
  found = meter.measured()
  assert found.frames == measure.MOST and found.is_variable
  assert found.jitter == pytest.approx(0.4, abs=0.01)
  assert (found.eyes, found.noise, found.bits) == (30.0, 0.0, None)


@pytest.mark.parametrize('tree', [True, False])
def test_a_file_of_x264_says_whether_it_has_a_macroblock_tree(tree, tmp_path):
  path = tmp_path / 'face.mp4'
  with av.open(str(path), 'w') as container:
    images = [np.rint(picture(seed=n)).astype(np.uint8) for n in range(9)]
    options = {} if tree else recording.SAME_BITS
    recording.encode(container, images, 25, images[0].shape, options)
  assert quantiser.has_tree(path) == tree
  assert not quantiser.has_tree(tmp_path)
  lines = video_report.lines(dataclasses.replace(MEASURED, tree=tree))
  assert any('macroblock tree' in line for line in lines) == tree


def test_quantisers_are_those_of_the_codec(tmp_path):
  """Coarser files have higher ones; a codec that tells none gives None."""
  image = np.rint(picture()).astype(np.uint8)
  told = []
  for codec, options in (
    ('libx264', {'crf': '18'}),
    ('libx264', {'crf': '35'}),
    ('mjpeg', {}),
  ):
    path = tmp_path / f'{len(told)}.mkv'
    with av.open(str(path), 'w') as container:
      stream = container.add_stream(codec, rate=fractions.Fraction(25))
      stream.height, stream.width = image.shape
      stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
      stream.options = options
      for shift in range(5):
        shown = np.ascontiguousarray(np.roll(image, shift, 1))
        container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, 'gray')))
      container.mux(stream.encode())
    with frames.opened(path) as source:
      assert len([*source]) == 5
      told.append(source.quantiser)
  assert 10 < told[0] < told[1] - 10 < 45 and told[2] is None


def test_recall_grows_with_amplitude_and_intervals_hold_it():
  known = study.load()
  camera, outside = known.camera(MEASURED)
  assert not outside
  for action in study.ACTIONS:
    values = [
      known.recall(camera, [action], far, 0.2) for far in known.amplitudes
    ]
    assert [x.value for x in values] == sorted(x.value for x in values)
    assert all(0 <= x.low <= x.value <= x.high <= 1 for x in values)


def test_the_model_is_near_the_counts_it_was_fitted_to():
  """Over all events of a camera; furthest off with two people at 200 fps."""
  known = study.load()
  for name, one in known.table['cameras'].items():
    if name.startswith('other'):
      continue
    own = {key: one['measured'][key] for key in study.KNOWN}
    camera = study.Camera(**own)
    pairs = [
      (known.recall(camera, [action], far, float(long)).value, counted)
      for action, rows in one['recall'].items()
      for long, counts in rows.items()
      for far, counted in zip(known.amplitudes, counts, strict=True)
    ]
    predicted, counted = np.mean(pairs, axis=0)
    assert predicted == pytest.approx(counted, abs=0.12), name


@pytest.mark.parametrize(
  ('changed', 'said'),
  [
    ({'fps': 8.0}, '8 frames a second'),
    ({'eyes': 900.0}, '900 px between the eyes'),
    ({'quantiser': 51.0}, '51 as quantiser'),
  ],
)
def test_outside_the_study_nothing_is_extrapolated(changed, said):
  found = verdict.verdict(dataclasses.replace(MEASURED, **changed))
  assert said in found.line and 'nothing is known' in found.line
  assert len(found.outside) == 1 and '%' not in found.line


def test_better_than_the_best_is_taken_for_the_best():
  known = study.load()
  low = known.table['range']['quantiser'][0]
  camera, outside = known.camera(dataclasses.replace(MEASURED, quantiser=1.0))
  assert camera.quantiser == low and not outside


def test_the_sentence_has_the_numbers_of_the_study():
  found = verdict.verdict(MEASURED, far=1.0, long=0.5)
  known = study.load()
  recall = known.recall(found.camera, ['AU1+2'], 1.0, 0.5)
  assert found.line.startswith(
    'at 25 fps and 60 px between the eyes, brow raises of 1 px and 0.5 s are '
    f'found in {round(100 * recall.value)} % ['
  )
  assert 'of SYNTHETIC faces' in found.line


def test_the_command_writes_what_it_measured(smile, tmp_path, capsys):
  path = videos.write(tmp_path / 'face.mp4', smile)
  assert command.main([str(path), f'--out={tmp_path / "out"}']) == 0
  said = capsys.readouterr().out
  found = json.loads((tmp_path / 'out' / 'camera.json').read_text())
  assert found['verdict'] in said
  assert found['measured']['fps'] == pytest.approx(25)
  width = recorded.VIEW.scale * 0.62  # of the eyes, dm
  assert found['measured']['eyes'] == pytest.approx(width, rel=0.12)
  picture = cv2.imread(str(tmp_path / 'out' / 'camera.png'))
  assert picture.shape[1] > 800 and picture.std() > 10


def test_too_short_or_without_a_face_is_one_line(smile, tmp_path, capsys):
  short = videos.write(tmp_path / 'short.mp4', smile[:12])
  wall = videos.write(tmp_path / 'wall.mp4', [np.full_like(smile[0], 90)] * 30)
  for path, words in ((short, 'too short'), (wall, 'no face')):
    assert command.main([str(path), f'--out={tmp_path / "out"}']) == 1
    error = capsys.readouterr().err
    assert words in error and path.name in error
    assert len(error.strip().splitlines()) == 1
  assert not (tmp_path / 'out').exists()
  for flag in ('--amplitude=9', '--duration=3'):
    assert command.main([str(short), flag]) == 1
    assert re.search(r'the study has [\d.]+ to [\d.]+', capsys.readouterr().err)
  with pytest.raises(errors.UserError):
    video_report.measured(str(tmp_path / 'none.mp4'))
