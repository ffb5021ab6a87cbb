"""The page in the browser gives Python's answers, and asks nobody else."""

import json
import os
import shutil
import socket
import threading

import cv2
import numpy as np
import pytest
import uvicorn

import mefnet_jax
from configs import mefnet_zero
from mefnet_jax.predict.browser import node, write
from mefnet_jax.predict.serve import static
from mefnet_jax.preprocess import motion_map
from mefnet_jax.runs import errors, legal_notices
from tests.fixtures import browser, motion_maps, untrained

TOLERANCE = 1e-4  # of a probability
SIDE = 112


@pytest.fixture(
  scope='module',
  params=['untrained', pytest.param('mefnet-zero', marks=pytest.mark.slow)],
)
def page(request, tmp_path_factory):
  """The model, and the folder of its page."""
  folder = tmp_path_factory.mktemp('page')
  name = request.param
  if name == 'untrained':
    name = untrained.write(folder / 'model', mefnet_zero.get_config())
  model = mefnet_jax.load(name)
  write.folder(model, browser.runtime(), folder / 'page')
  return model, folder / 'page'


@pytest.fixture(scope='module')
def served(page):
  """The address of the page, from a running server."""
  with socket.socket() as listening:
    listening.bind(('127.0.0.1', 0))
    host = f'127.0.0.1:{listening.getsockname()[1]}'
    app = static.make(page[1], [host])
    config = uvicorn.Config(app, log_level='error', ws='none')
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f'http://{host}/'
    server.should_exit = True
    thread.join()


@pytest.fixture(scope='module')
def driver(served):
  """Chromium with the page, its model loaded."""
  with browser.chromium() as made:
    made.get(served)
    browser.wait(lambda: 'ready' in browser.text(made, 'status'))
    yield made


@pytest.fixture(scope='module')
def maps(page):
  """32 stored maps, and Python's probabilities."""
  found = motion_maps.stored(32)
  return found, page[0].probabilities({'face': found[:, None]})


@pytest.mark.slow
def test_node_gives_pythons_answers(page, maps, tmp_path):
  if not shutil.which('node'):
    pytest.skip('no Node: apt-get install nodejs')
  folder = node.prepared(page[1], tmp_path / 'page')
  found = node.answers(folder, maps[0][:, None], page[1])
  assert np.abs(found - maps[1]).max() < TOLERANCE


def test_chromium_gives_pythons_answers(driver, served, maps, tmp_path):
  """As files through the page itself; and no other host is asked."""
  paths = [tmp_path / f'{i:02d}.png' for i in range(len(maps[0]))]
  for path, one in zip(paths, maps[0], strict=True):
    cv2.imwrite(str(path), one[..., ::-1])
  place = driver.find_element('id', 'maps-file')
  place.send_keys('\n'.join(map(str, paths)))
  browser.wait(lambda: '32 maps' in browser.text(driver, 'status'))
  found = driver.execute_script(
    "return [...document.querySelectorAll('#rows tr')].map((row) =>"
    " [...row.querySelectorAll('[data-value]')]"
    '.map((cell) => Number(cell.dataset.value)))'
  )
  assert np.abs(np.array(found) - maps[1]).max() < TOLERANCE
  asked = browser.asked(driver)
  assert f'{served}model.onnx' in asked
  assert {
    one for one in asked if not one.startswith((served, 'data:'))
  } == set()
  assert driver.get_log('browser') == []  # nor was anything refused


def test_chromium_measures_two_pictures(driver, pair, tmp_path):
  driver.execute_script("document.getElementById('rows').replaceChildren()")
  for name, image in zip(('onset', 'apex'), pair, strict=True):
    cv2.imwrite(str(tmp_path / f'{name}.png'), image)
    place = driver.find_element('id', f'{name}-file')
    place.send_keys(str(tmp_path / f'{name}.png'))
  button = driver.find_element('id', 'pair')
  browser.wait(button.is_enabled)
  button.send_keys('\n')  # by the keyboard
  browser.wait(lambda: 'moved by' in browser.text(driver, 'status'))
  assert 'two pictures' in browser.text(driver, 'rows')


def test_chromium_refuses_other_sizes_and_takes_a_camera(driver, tmp_path):
  cv2.imwrite(str(tmp_path / 'large.png'), np.zeros((40, 30), np.uint8))
  place = driver.find_element('id', 'maps-file')
  place.send_keys(str(tmp_path / 'large.png'))
  browser.wait(lambda: '30 x 40 pixels' in browser.text(driver, 'status'))
  driver.find_element('id', 'camera').click()
  take = driver.find_element('id', 'onset-take')
  browser.wait(take.is_displayed)
  take.click()
  label = driver.find_element('id', 'onset').get_attribute
  browser.wait(lambda: '640 x 480' in label('aria-label'))
  driver.find_element('id', 'camera').click()
  browser.wait(lambda: not take.is_displayed())


def test_the_page_says_what_it_is(page):
  text = (page[1] / 'index.html').read_text()
  assert legal_notices.TEXT in text and 'SYNTHETIC' in text
  for name in write.PAGES:
    whole = (page[1] / name).read_text()
    assert 'http://' not in whole and 'https://' not in whole


@pytest.fixture(scope='module')
def pair():
  """Two pictures (SIDE, SIDE) uint8; the second is 1.5 pixels further right."""
  random = np.random.default_rng(0)
  image = random.normal(size=(SIDE, SIDE)).astype(np.float32)
  image = cv2.GaussianBlur(image, (0, 0), 3.0)
  image = 128 + 40 * image / image.std()
  moved = np.float32([[1, 0, 1.5], [0, 1, -0.5]])
  other = cv2.warpAffine(
    image, moved, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=1
  )
  return [np.clip(x, 0, 255).astype(np.uint8) for x in (image, other)]


@pytest.fixture(scope='module')
def scripts(tmp_path_factory):
  """A folder with the page's own arithmetic."""
  folder = tmp_path_factory.mktemp('scripts')
  shutil.copy(write._FOLDER / 'motion.js', folder)
  return folder


def test_its_flow_finds_a_shift(scripts, pair):
  u, v = browser.node(
    scripts,
    "import * as motion from './motion.js';"
    'const found = motion.map(...given.map((x) => Float32Array.from(x)));'
    'console.log(JSON.stringify(found.map((x) => [...x])));',
    [one.ravel().tolist() for one in pair],
  )
  unit = 4 * (21 - 6.3)  # the eyes' distance in pixels
  np.testing.assert_allclose(np.median(u) * unit, 1.5, atol=0.05)
  np.testing.assert_allclose(np.median(v) * unit, -0.5, atol=0.05)
  theirs = motion_map.between(*pair) * unit
  ours = np.stack([u, v], axis=-1).reshape(28, 28, 2) * unit
  inside = slice(3, -3)
  off = (ours - theirs)[inside, inside]
  assert np.sqrt((off**2).mean()) < 0.15


def test_its_maps_are_stored_as_the_public_ones(scripts):
  uv = motion_maps.smooth(1)[0]
  found = browser.node(
    scripts,
    "import * as motion from './motion.js';"
    'const uv = given.map((x) => Float32Array.from(x));'
    'console.log(JSON.stringify([...motion.stored(uv)]));',
    uv.transpose(2, 0, 1).reshape(2, -1).tolist(),
  )
  found = np.reshape(found, (28, 28, 3))
  assert np.abs(found - motion_maps.stored(1)[0].astype(int)).max() <= 1


def test_a_page_that_answers_otherwise_is_not_written(tmp_path, monkeypatch):
  """Files stand for ONNX Runtime Web, and a script for Node."""
  runtime, commands = tmp_path / 'runtime', tmp_path / 'bin'
  for place in (runtime, commands):
    place.mkdir()
  for name in write.RUNTIME:
    (runtime / name).write_bytes(b'of the package')
  folder = untrained.write(tmp_path / 'model', mefnet_zero.get_config())
  model, out = mefnet_jax.load(folder), tmp_path / 'page'
  fake = commands / 'node'
  monkeypatch.setenv('PATH', str(commands), prepend=os.pathsep)

  def node_says(text, *, status=0):
    (tmp_path / 'said').write_text(text)
    said = f'/bin/cat {tmp_path}/said >&{2 if status else 1}'
    fake.write_text(f'#!/bin/sh\n/bin/cat > input\n{said}\nexit {status}\n')
    fake.chmod(0o755)

  node_says('node:1\n\nSyntaxError: Unexpected token', status=1)
  with pytest.raises(errors.UserError, match=r'\(SyntaxError.*newer Node'):
    write.folder(model, runtime, out)
  node_says('no JSON')
  with pytest.raises(errors.UserError, match='page: not written: Node'):
    write.folder(model, runtime, out)
  node_says('[[0.5, 0.25, 0.25]]')
  found = node.answers(tmp_path, np.zeros((1, 1, 28, 28, 3), np.uint8), out)
  assert found.tolist() == [[0.5, 0.25, 0.25]]
  assert json.loads((tmp_path / 'input').read_text()) == [[0] * 2352]

  def right(folder, maps, out):
    return model.probabilities({'face': maps})

  def wrong(folder, maps, out):
    return right(folder, maps, out) + [2e-5, -2e-5, 0]

  monkeypatch.setattr(node, 'answers', wrong)
  with pytest.raises(errors.UserError, match='page: not written.*otherwise'):
    write.folder(model, runtime, out)
  assert not out.exists()
  monkeypatch.setattr(node, 'answers', right)
  assert write.folder(model, runtime, out)[1] < 1e-6
  assert {p.name for p in out.iterdir()} == {
    *(*write.PAGES, *write.RUNTIME, 'model.onnx', 'model.json')
  }
  monkeypatch.setattr(shutil, 'which', lambda name: None)
  assert write.folder(model, runtime, out)[1] is None


def test_what_is_not_there_is_one_line(tmp_path):
  with pytest.raises(errors.UserError, match='npm install'):
    write.folder(None, tmp_path, tmp_path / 'out')
  with pytest.raises(errors.UserError, match='predict.browser'):
    static.serve(str(tmp_path), 0)
  assert not (tmp_path / 'out').exists()
