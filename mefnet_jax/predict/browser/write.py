"""Writes a folder that any web server can serve: page, model, runtime.

The runtime is not part of this package: it is copied from the npm package
onnxruntime-web (MIT licence), which the user has installed.
"""

import html
import json
import pathlib
import shutil

from mefnet_jax.predict import thresholds, trained_model
from mefnet_jax.predict.browser import node
from mefnet_jax.predict.export import metadata, model_function, write
from mefnet_jax.runs import errors, files, legal_notices

PAGES = ('index.html', 'page.css', 'page.js', 'model.js', 'motion.js')
# With one thread it needs no headers of the server; its wasm is one file.
RUNTIME = ('ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.wasm')
PACKAGE = 'onnxruntime-web'
_INPUTS = {'face': ((1, 28, 28, 3), 'uint8')}
_FOLDER = pathlib.Path(__file__).parent


def folder(
  model: trained_model.Model, runtime: pathlib.Path, out: pathlib.Path
) -> tuple[str, float | None]:
  """Writes the folder, once its model gives the right answers there.

  Args:
    model: a model for motion maps of whole faces.
    runtime: the folder of the npm package, or a node_modules that holds it.
    out: the folder to write; an earlier page there is replaced.

  Returns:
    The exported model's SHA-256, and the largest difference of a probability in
    ONNX Runtime Web; None if there is no Node to measure it.

  Raises:
    errors.UserError: the model is of another kind, there is no runtime, the
      page gives other answers than the model, or the folder holds other files
      or cannot be written.
  """
  sources = _sources(runtime)
  _check_inputs(model)
  _check_folder(out)
  try:
    out.parent.mkdir(parents=True, exist_ok=True)
    with files.aside(out) as aside:
      aside.mkdir()
      for name in PAGES:
        text = (_FOLDER / name).read_text(encoding='utf-8')
        (aside / name).write_text(_filled(text, model), encoding='utf-8')
      for source in sources:
        shutil.copyfile(source, aside / source.name)
      made = write.write(model, aside / 'model.onnx', 'onnx')
      files.write_json(aside / 'model.json', _about(model, made.sha256))
      off = node.check(aside, model, out)
      files.remove(out)
  except OSError as error:
    raise errors.UserError(
      f'--out={out}: cannot be written ({error.strerror}): '
      + files.remedy(error, out, 'choose another')
    ) from error
  return made.sha256, off


def _sources(runtime):
  """The runtime's files."""
  places = (runtime, runtime / 'dist', runtime / PACKAGE / 'dist')
  for place in places:
    if all((place / name).is_file() for name in RUNTIME):
      return [place / name for name in RUNTIME]
  raise errors.UserError(
    f'--runtime={runtime}: no {RUNTIME[0]} and its wasm there: get them with '
    f'`npm install {PACKAGE}` and name node_modules'
  )


def _check_inputs(model):
  needed = model_function.inputs(model)
  if needed != _INPUTS:
    raise errors.UserError(
      f'{model.folder}: this model needs {", ".join(needed)}; '
      'the page makes motion maps of a whole face: use mefnet-zero'
    )


def _check_folder(out):
  """Raises UserError for a folder with files that are not a page's."""
  if out.is_dir():
    ours = {*PAGES, *RUNTIME, 'model.onnx', 'model.json'}
    others = sorted({one.name for one in out.iterdir()} - ours)
    if others:
      raise errors.UserError(
        f'--out={out}: holds other files ({others[0]}): name a new folder'
      )


def _filled(text, model):
  """A page with the texts about the law and the model's training."""
  training = (
    'Trained on SYNTHETIC faces alone: rendered heads, no real person.'
    if model.synthetic
    else f'Trained on data under this licence: {model.description["licence"]}'
  )
  for name, words in {
    'training': training,
    'limits': legal_notices.TEXT,
  }.items():
    text = text.replace(f'{{{name}}}', html.escape(words))
  return text


def _about(model, sha256):
  """The description of the model that the page shows and uses."""
  members = model.description['members']
  whole = metadata.of_members(model, members)
  return {
    'name': model.folder.name,
    'sha256': sha256,
    'classes': list(model.classes),
    'licence': whole['licence'],
    'notices': json.loads(whole['notices']),
    'synthetic': model.synthetic,
    'least_motion': thresholds.CHOSEN.amplitude,
  }
