"""Compares finished runs, or rewrites the HTML page of one.

python -m mefnet_jax.report compare RUN RUN [RUN ...] [--out=FILE.json]
    Tests whether runs differ. Each RUN is a WORKDIR or a predictions.csv.
python -m mefnet_jax.report page WORKDIR [--show-faces]
    Rewrites report.html; --show-faces shows faces of real people.
"""

import pathlib

from absl import flags

from mefnet_jax.report import compare, write
from mefnet_jax.runs import cli, errors, files, outputs


def main(arguments: list[str]) -> None:
  """Runs `compare RUN RUN ...` or `page WORKDIR`, see the module's docstring.

  Args:
    arguments: the positional arguments.

  Raises:
    errors.UserError: other arguments, a file that cannot be used, or runs that
      differ in their clips.
  """
  args = flags.FLAGS
  if arguments[:1] == ['page'] and len(arguments) == 2:
    workdir = arguments[1]
    write.page(workdir, _clips(workdir, args['show-faces'].value))
    print(f'report: {pathlib.Path(workdir) / "report.html"}')
  elif arguments[:1] == ['compare'] and len(arguments) > 2:
    found = compare.compare(arguments[1:])
    print(compare.markdown(found))
    if args.out:
      files.write(args.out, write.to_json(found))
  else:
    raise errors.UserError(
      'write `compare RUN RUN [RUN ...]` or `page WORKDIR`: see --help'
    )


def _clips(workdir, show_faces):
  """The clips whose faces the page may show; None if it may show none."""
  summary = write.finished(workdir)
  if not show_faces and summary['release'] != 'synthetic':
    return None
  import ml_collections

  from mefnet_jax import datasets

  clips = datasets.load(ml_collections.ConfigDict(summary['config']).dataset)
  # Asked again of the clips: the folder may hold another release by now.
  if clips.synthetic or show_faces:
    return clips
  print(
    'Faces are left out: the release that lies there now is not synthetic, as '
    'the one of the report was.'
  )
  return None


def _define():
  """Defines the flags of both commands."""
  flags.DEFINE_bool('show-faces', False, 'Show faces of real people.')
  outputs.DEFINE_file('out', '', 'Write the comparison to this JSON file.')


if __name__ == '__main__':
  _define()
  positional = cli.positional_arguments()
  cli.run(lambda: main(positional))
