r"""Classical baselines on prepared clips, as submissions to the leaderboard.

python -m experiments.baselines --out=runs/baselines [--release=DIR]
    [--protocol=loso|cross_database] [--train-on=casme2]
    [--methods=svm,mlp,majority]

An RBF SVM and a multilayer perceptron of scikit-learn, and the majority, on the
pixels of motion maps (as configs/mefnet_flow.py has them). Pixels are
standardised by each fold's training clips. All other settings are
scikit-learn's defaults, with balanced class weights for the SVM: nothing is
chosen by a score. Each method gets a folder OUT/METHOD with predictions.csv,
folds.csv, clips.csv and facts.json, which `mefnet_jax.audit` and
`mefnet_jax.report.leaderboard` read.
"""

import pathlib
import sys
import warnings

import numpy as np

from configs import mefnet_flow
from mefnet_jax.audit import record
from mefnet_jax.runs import cli, facts, outputs, predictions
from mefnet_jax.training import config_check, jobs


def svm(train_NP, label_N, test_MP, classes):
  """Votes (M, C) of an RBF SVM: 1 for the class that it predicts."""
  from sklearn import svm as machines

  model = machines.SVC(class_weight='balanced').fit(train_NP, label_N)
  return np.eye(classes)[model.predict(test_MP)]


def mlp(train_NP, label_N, test_MP, classes):
  """Probabilities (M, C) of a perceptron with one hidden layer of 100."""
  from sklearn import exceptions, neural_network

  found = np.zeros((len(test_MP), classes))
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    model = neural_network.MLPClassifier(random_state=0).fit(train_NP, label_N)
  found[:, model.classes_] = model.predict_proba(test_MP)
  return found


def majority(train_NP, label_N, test_MP, classes):
  """Shares (M, C) of the classes in training."""
  shares_C = np.bincount(label_N, minlength=classes) / len(label_N)
  return np.tile(shares_C, (len(test_MP), 1))


METHODS = {'svm': svm, 'mlp': mlp, 'majority': majority}


def main() -> None:
  """Runs the methods that the command line names."""
  args = _parsed()
  config = mefnet_flow.get_config()
  config.dataset.release = args.release
  config.train.kernels = 'xla'  # none is used, so that none is compiled
  config.protocol.name = args.protocol
  config.protocol.train_on = args.train_on
  config_check.check(config)
  job = jobs.prepare(config, _made(args.out))
  (stream,) = (x for name, x in job.arrays.items() if name != 'label')
  pixels_NP = np.asarray(stream, np.float64).reshape(len(stream), -1)
  for name in args.methods:
    folder = _made(args.out / name)
    found = evaluate(METHODS[name], pixels_NP, job.arrays['label'], job)
    write(folder, job, *found, weighted=name == 'svm')
    print(folder)


def evaluate(method, pixels_NP, label_N, job):
  """Probabilities of each held-out clip.

  Args:
    method: of `METHODS`.
    pixels_NP: (N, P) of all clips.
    label_N: (N,) classes.
    job: whose splits are used.

  Returns:
    order (M,) of the held-out clips, probabilities (M, C).
  """
  found = []
  for fold in job.splits:
    train_NP = pixels_NP[fold.train]
    mean_P, spread_P = train_NP.mean(0), train_NP.std(0)
    scaled_NP = (pixels_NP - mean_P) / np.where(spread_P > 0, spread_P, 1)
    found.append(
      method(
        scaled_NP[fold.train],
        label_N[fold.train],
        scaled_NP[fold.test],
        len(job.source.classes),
      )
    )
  order = np.concatenate([fold.test for fold in job.splits])
  return order, np.concatenate(found)


def write(folder, job, order, probabilities_MC, *, weighted):
  """Writes predictions.csv and the evidence of an audit."""
  source, classes = job.source, job.source.classes
  predictions.write(
    folder / 'predictions.csv',
    clip=[source.clip[i] for i in order],
    subject=[source.subject[i] for i in order],
    fold=[fold.name for fold in job.splits for _ in fold.test],
    label=[classes[job.arrays['label'][i]] for i in order],
    predicted=[classes[c] for c in probabilities_MC.argmax(1)],
    probabilities_NC=probabilities_MC,
    classes=classes,
  )
  record.write(folder, source, job.arrays['label'], job.splits, job.config)
  path = folder / facts.FILE
  stated = facts.read(path, [fold.name for fold in job.splits])
  stated['fitted']['normalisation'] = {'on': 'training'}
  stated['fitted']['class weights'] = {
    'on': 'training' if weighted else 'nothing'
  }
  facts.write(path, stated)


def _made(folder):
  folder.mkdir(parents=True, exist_ok=True)
  return folder


def _parsed():
  parser = cli.Parser(prog='python -m experiments.baselines')
  add = parser.add_argument
  add('--out', type=outputs.folder, default=pathlib.Path('runs/baselines'))
  add('--release', default='', help='flow maps; empty: synthetic ones')
  add('--protocol', choices=('loso', 'kfold', 'cross_database'), default='loso')
  add(
    '--train-on',
    '--train_on',
    default='',
    help='cross_database: these databases, joined by +; empty: all others',
  )
  add('--methods', type=cli.names(METHODS), default=tuple(METHODS))
  return parser.parse_args()


if __name__ == '__main__':
  sys.exit(cli.status(main))
