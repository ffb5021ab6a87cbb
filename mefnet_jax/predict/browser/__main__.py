r"""Writes a page that runs a model in the browser; nothing leaves it.

npm install onnxruntime-web
python -m mefnet_jax.predict.browser --runtime=node_modules --out=page
python -m mefnet_jax.predict --serve --static=page

The page takes motion maps, two pictures of a face, or a camera. Any web server
will do, as all of it is files. docs/export.md.
"""

import pathlib

from absl import flags

from mefnet_jax.runs import cli, errors, outputs, plugins

flags.DEFINE_string(
  'model', 'mefnet-zero', 'Name, run or folder of a model for motion maps.'
)
flags.DEFINE_string(
  'runtime', None, 'node_modules, or the folder of the package onnxruntime-web.'
)
outputs.DEFINE_folder('out', None, 'Folder of the page.')
plugins.DEFINE_files('plugin')


def main() -> None:
  """Writes the folder, and prints how to open it.

  Raises:
    errors.UserError: a flag is missing, or as `write.folder`.
  """
  args = flags.FLAGS
  for name in ('runtime', 'out'):
    if not args[name].value:
      raise errors.UserError(f'--{name} is missing: see --help')
  # Imported here: --help must not wait for jax.
  from mefnet_jax.predict import trained_model
  from mefnet_jax.predict.browser import write
  from mefnet_jax.predict.export import agreement

  plugins.load(args.plugin)
  out = pathlib.Path(args.out).absolute()
  digest, off = write.folder(
    trained_model.load(args.model), pathlib.Path(args.runtime), out
  )
  tried = 'not tried: there is no Node here'
  if off is not None:
    tried = f'{off:.1e} off at most on {agreement.CLIPS} made-up maps'
  print(f'{args.out}: model.onnx has SHA-256 {digest}')
  print(f'in ONNX Runtime Web: {tried}')
  print(f'python -m mefnet_jax.predict --serve --static={args.out}')


if __name__ == '__main__':
  cli.run(main)
