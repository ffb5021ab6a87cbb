"""Damaged images, faces in whole ones, and detectors that are not there."""

import dataclasses
from concurrent import futures

import cv2
import numpy as np
import pytest

from mefnet_jax.preprocess import clips, faces, images, insight
from mefnet_jax.runs import errors
from tests.fixtures import releases


def test_damaged_images_are_told_apart(tmp_path):
  image = releases.texture().astype(np.uint8)
  for kind in ('bmp', 'jpg', 'png'):
    path = tmp_path / f'a.{kind}'
    cv2.imwrite(str(path), image)
    assert images.read_grey(path).shape == image.shape
    whole = path.read_bytes()
    for part in (b'', whole[:40], whole[: len(whole) // 2], b'text' * 99):
      path.write_bytes(part)
      with pytest.raises(ValueError):
        images.read_grey(path)
  with pytest.raises(OSError):
    images.read_grey(tmp_path / 'none.bmp')


def test_faces_are_found_where_they_are(rendered):
  for row in rendered[::3]:
    image = images.read_grey(row.frames[0])
    landmarks = faces.find(image)
    assert landmarks.points.shape == (68, 2)
    left, right = (landmarks.points[p].mean(0) for p in ([36, 39], [42, 45]))
    mouth = landmarks.points[48:].mean(0)
    assert left[0] < mouth[0] < right[0]
    assert mouth[1] > max(left[1], right[1])
    wider = cv2.copyMakeBorder(image, 60, 60, 90, 90, cv2.BORDER_REPLICATE)
    again = faces.find(wider).points - (90, 60)
    assert np.abs(again - landmarks.points).mean() < 1.5


@pytest.mark.parametrize('attempt', [(0.0, 2.0), (0.3, 1.0), (0.3, 2.0)])
def test_each_attempt_says_the_same_points(rendered, monkeypatch, attempt):
  image = images.read_grey(rendered[1].frames[0])
  image = cv2.resize(image, (272, 336))  # large enough for each attempt
  plain = faces.find(image)
  monkeypatch.setattr(faces, '_ATTEMPTS', (attempt,))
  found = faces.find(image)
  assert np.abs(found.points - plain.points).mean() < 2
  assert ('border' in found.how) == (attempt[0] > 0)


def test_of_two_faces_the_larger_is_taken(rendered):
  image = images.read_grey(rendered[0].frames[0])
  height, width = image.shape
  small = cv2.resize(image, None, fx=0.7, fy=0.7)
  small = cv2.copyMakeBorder(
    small, 0, height - small.shape[0], 0, 0, cv2.BORDER_REPLICATE
  )
  both = np.hstack([small, image])
  found = faces.find(both)
  assert found.points[:, 0].min() > small.shape[1]
  assert found.faces == 2
  assert faces.find(image).faces == 1


def test_a_second_face_is_reported(rendered, tmp_path):
  row = rendered[0]
  frames = []
  for i, file in enumerate(row.frames):
    image = images.read_grey(file)
    frames.append(tmp_path / f'{i:03d}.png')
    cv2.imwrite(str(frames[-1]), np.hstack([image, image]))
  both = dataclasses.replace(row, frames=tuple(frames))
  told = {f.what for f in clips.prepare(both, clips.Options()).findings}
  assert '2 faces: the largest is taken' in told
  told = {f.what for f in clips.prepare(row, clips.Options()).findings}
  assert not any('faces' in what for what in told)


def test_no_face_is_none():
  assert faces.find(releases.texture().astype(np.uint8)) is None


def test_threads_find_what_one_finds(rendered):
  """Images of several sizes at once, so that a detector's memory moves."""
  found = [images.read_grey(row.frames[0]) for row in rendered[::3]]
  some = [x[k:, k:] for k in range(0, 40, 10) for x in found[:3]]
  alone = [faces.find(image).points for image in some]
  with futures.ThreadPoolExecutor(4) as pool:
    together = [x.points for x in pool.map(faces.find, some)]
  np.testing.assert_array_equal(together, alone)


def test_unknown_detector_is_one_line():
  with pytest.raises(errors.UserError, match='must be dlib, insightface'):
    faces.find(np.zeros((64, 64), np.uint8), 'mtcnn')


def test_missing_weights_name_the_package(monkeypatch):
  monkeypatch.setattr(faces.importlib.util, 'find_spec', lambda name: None)
  faces.finder.cache_clear()
  faces._points_in.cache_clear()
  with pytest.raises(errors.UserError, match='pip install face-recogn'):
    faces.finder('dlib')
  faces.finder.cache_clear()


def onnx_model(path, size, outputs):
  """Writes a model whose outputs are constants."""
  import onnx

  shape = [1, 3, size, size]
  image = onnx.helper.make_tensor_value_info('image', 1, shape)
  nodes, infos = [], []
  for i, values in enumerate(outputs):
    values = np.asarray(values, np.float32)
    nodes.append(
      onnx.helper.make_node(
        'Constant', [], [f'out{i}'], value=onnx.numpy_helper.from_array(values)
      )
    )
    infos.append(onnx.helper.make_tensor_value_info(f'out{i}', 1, values.shape))
  graph = onnx.helper.make_graph(nodes, 'constant', [image], infos)
  opset = [onnx.helper.make_opsetid('', 17)]
  onnx.save(
    onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), path
  )


@pytest.fixture
def pack(tmp_path):
  """A model pack that sees one face of 32 x 32 at (16, 16), 64 x 64 image."""
  anchors = [2 * (64 // stride) ** 2 for stride in (8, 16, 32)]
  scores = [np.zeros((n, 1)) for n in anchors]
  boxes = [np.zeros((n, 4)) for n in anchors]
  corners = [np.zeros((n, 10)) for n in anchors]
  at = 2 * (4 * 8 + 4)  # the anchor at (32, 32) of stride 8
  scores[0][at], boxes[0][at] = 0.9, 2
  onnx_model(tmp_path / 'det.onnx', 64, scores + boxes + corners)
  points = np.random.default_rng(0).uniform(-1, 1, (1103, 3))
  onnx_model(tmp_path / '1k3d68.onnx', 192, [points.reshape(1, 3309)])
  return tmp_path, points[-68:, :2]


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
@pytest.mark.filterwarnings('ignore::FutureWarning')
def test_insightface_gives_68_points_in_pixels(pack):
  folder, points = pack
  found, count = insight.finder(str(folder))(np.zeros((64, 64), np.uint8))
  assert count == 1
  wanted = 32 + points * 96 / 192 * 48  # the face is cut 1.5 times its size
  np.testing.assert_allclose(found, wanted, atol=1e-3)
  assert insight.weights(str(folder)) == insight.weights(str(folder))


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
@pytest.mark.filterwarnings('ignore::FutureWarning')
def test_insightface_says_what_is_missing(pack, monkeypatch):
  folder, _ = pack
  monkeypatch.setattr(insight, '_HOME', folder / 'home')
  with pytest.raises(errors.UserError, match='no such model pack; download'):
    insight.finder('buffalo_l')
  (folder / 'det.onnx').rename(folder / 'det.aside')
  with pytest.raises(errors.UserError, match='no detector among its models'):
    insight.finder(str(folder))
  (folder / 'det.aside').rename(folder / 'det.onnx')
  whole = (folder / '1k3d68.onnx').read_bytes()
  (folder / '1k3d68.onnx').write_bytes(whole[:100])
  with pytest.raises(errors.UserError, match='cannot be read'):
    insight.finder(str(folder))
  (folder / '1k3d68.onnx').unlink()
  with pytest.raises(errors.UserError, match=r'1k3d68.onnx is missing'):
    insight.finder(str(folder))


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
@pytest.mark.filterwarnings('ignore::FutureWarning')
def test_106_points_stand_for_68_where_there_is_no_better(pack):
  folder, _ = pack
  (folder / '1k3d68.onnx').unlink()
  points = np.random.default_rng(1).uniform(-1, 1, (106, 2))
  onnx_model(folder / '2d106det.onnx', 192, [points.reshape(1, 212)])
  found, count = insight.finder(str(folder))(np.zeros((64, 64), np.uint8))
  assert count == 1
  assert found.shape == (68, 2) and len(np.unique(found, axis=0)) == 68
  wanted = 32 + points[35] * 96 / 192 * 48  # outer corner of the left eye
  np.testing.assert_allclose(found[36], wanted, atol=1e-3)
