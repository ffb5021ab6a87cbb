"""Compares finished runs, or writes the page of one again.

python -m mefnet_jax.report compare RUN RUN [RUN ...] [--out=FILE.json]
    Are they different? Each RUN is a workdir or a predictions.csv.
python -m mefnet_jax.report page RUN [--show-faces]
    Writes report.html again; --show-faces with faces of a licensed release.
"""

import pathlib

from absl import flags

from mefnet_jax.report import compare, write
from mefnet_jax.runs import cli, errors, files


def main(words):
  """`compare A B ...`, `page W`: see the head of this file."""
  given = flags.FLAGS
  if words[:1] == ['page'] and len(words) == 2:
    write.page(words[1], _clips(words[1], given['show-faces'].value))
    print(f'report: {pathlib.Path(words[1]) / "report.html"}')
  elif words[:1] == ['compare'] and len(words) > 2:
    found = compare.compare(words[1:])
    print(compare.markdown(found))
    if given.out:
      files.write(given.out, write.to_json(found))
  else:
    raise errors.UserError('say `compare A B [C ...]` or `page W`: see --help')


def _clips(workdir, show_faces):
  """Clips whose faces the page may show: synthetic, or asked for."""
  summary = write.finished(workdir)
  if not show_faces and summary['release'] != 'synthetic':
    return None
  import ml_collections

  from mefnet_jax import datasets

  return datasets.load(ml_collections.ConfigDict(summary['config']).dataset)


def _define():
  flags.DEFINE_bool('show-faces', False, 'Show faces of a licensed release.')
  flags.DEFINE_string('out', '', 'Write the comparison as JSON.')


if __name__ == '__main__':
  _define()
  taken = cli.words()
  cli.run(lambda: main(taken))
