r"""Writes a trained network as one file for another runtime.

python -m mefnet_jax.predict.export --model=mefnet-zero --format=onnx \
    --out=mefnet-zero.onnx
python -m mefnet_jax.predict.export --model=runs/mfcnn --format=stablehlo \
    --fold=fold1 --out=mfcnn.zip

Input: the stored streams (uint8, any number of clips). Output: probabilities
of the classes, the mean over folds and seeds unless --fold or --seed chooses.
The file is run in its own runtime on 64 made-up clips and must agree with the
model within 1e-5, or no file is left. docs/export.md.
"""

from absl import flags

from mefnet_jax.runs import cli, errors, outputs, plugins

_FORMATS = ('onnx', 'stablehlo', 'safetensors')
flags.DEFINE_string(
  'model', None, 'Name (mefnet-zero), run or folder of a model.'
)
flags.DEFINE_enum('format', None, _FORMATS, 'What to write.')
outputs.DEFINE_file('out', None, 'The file.')
flags.DEFINE_string('fold', None, 'Export this fold alone.')
flags.DEFINE_integer('seed', None, 'Export this seed alone.')
plugins.DEFINE_files('plugin')


def main() -> None:
  """Exports a model, and prints the file's size and digest.

  Raises:
    errors.UserError: a flag is missing, or as `write.write`.
  """
  args = flags.FLAGS
  for name in ('model', 'format', 'out'):
    if not args[name].value:
      raise errors.UserError(f'--{name} is missing: see --help')
  # Imported here: --help must not wait for jax.
  from mefnet_jax.predict import trained_model
  from mefnet_jax.predict.export import write

  plugins.load(args.plugin)
  found = write.write(
    trained_model.load(args.model),
    args.out,
    args.format,
    fold=args.fold,
    seed=args.seed,
  )
  print(
    f'{found.path}: {found.size / 2**20:.1f} MiB, at most '
    f'{found.difference:.1e} off its model\nSHA-256 {found.sha256}'
  )


if __name__ == '__main__':
  cli.run(main)
