"""Real clips on top of weights that have seen none: a head for each fold.

The network stays as it is. A fold's head (`kernel_head`) learns from its
training clips what the network's probabilities miss. Its features and the
strength of its regularisation are chosen on inner subject-wise folds of the
training clips; leaving the network unchanged is one option. choices.csv and
facts.json list the choices and the clips on which they were made.
"""

import dataclasses
import time

import ml_collections
import numpy as np

from mefnet_jax.evaluation import folds, held_out_mask
from mefnet_jax.models import motion_input
from mefnet_jax.runs import errors, facts, files
from mefnet_jax.training import jobs, kernel_head, seed_results, zero_shot

AS_IT_IS = ('as it is', 0.0)  # no head: the network unchanged
# Name of a head: its features and its kernel.
HEADS = {
  'layers, linear': ('layers', 'linear'),
  'layers, gaussian': ('layers', 'gaussian'),
  'map and layers, gaussian': ('map and layers', 'gaussian'),
}
_COLUMNS = ('fold', 'head', 'strength', 'error', 'error as it is', 'clips')


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
  """The inputs of a head, for N clips.

  Attributes:
    network: (N, C) probabilities by the given network.
    features: (N, D) by name.
    label: (N,) classes.
    subject: (N,) names.
  """

  network: np.ndarray
  features: dict[str, np.ndarray]
  label: np.ndarray
  subject: np.ndarray

  def part(self, index: np.ndarray) -> 'Inputs':
    """The inputs for some of the clips, by index."""
    features = {name: x[index] for name, x in self.features.items()}
    arrays = (self.network, self.label, self.subject)
    network, label, subject = (x[index] for x in arrays)
    return Inputs(network, features, label, subject)


@dataclasses.dataclass(frozen=True)
class Choice:
  """A head, by its name and strength, and why it was chosen.

  Attributes:
    head, strength: a key of `HEADS`, or `AS_IT_IS`.
    error: mean square error on the clips of the inner folds, with equal weight
      for each class.
    error_as_it_is: the same error of the network alone.
    index: of the clips on which the choice was made.
  """

  head: str
  strength: float
  error: float
  error_as_it_is: float
  index: np.ndarray


def train(
  job: jobs.Job, seeds: tuple[int, ...]
) -> list[seed_results.SeedResult]:
  """Scores each fold's held-out clips by a head of its own.

  Writes choices.csv, and adds to facts.json the clips that chose each head.

  Args:
    job: what is trained; its `config.weights` name the network.
    seeds: the first one draws the inner folds; nothing else is random.

  Returns:
    The result of each seed: the same for all.

  Raises:
    errors.UserError: as `zero_shot.train`; or a fold trains on one subject.
  """
  started = time.monotonic()
  model = zero_shot.open_model(job)
  inputs = _inputs(model, job)
  held_out, rows, chosen_on = [], [], {}
  for fold in job.splits:
    _check_stop(job)
    learnt, tested = inputs.part(fold.train), inputs.part(fold.test)
    found = choose(learnt, fold.name, job.config.transfer.folds, seeds[0])
    held_out.append(probabilities(found, learnt, tested))
    chosen_on[fold.name] = [job.source.clip[i] for i in fold.train[found.index]]
    error = (found.error, found.error_as_it_is)
    rows.append(
      (fold.name, found.head, found.strength, *error, len(found.index))
    )
  files.write_csv(job.workdir / 'choices.csv', _COLUMNS, rows)
  _record_choices(job, chosen_on)
  one = seed_results.SeedResult(
    held_out=held_out,
    parameters=model.description['parameters'],
    seconds=time.monotonic() - started,
  )
  return [one] * len(seeds)


def choose(inputs: Inputs, name: str, count: int, seed: int) -> Choice:
  """Chooses a head by inner folds.

  Args:
    inputs: for a fold's training clips, and for no other.
    name: of the fold, for errors.
    count: number of inner folds; fewer where there are fewer subjects.
    seed: for drawing the inner folds.

  Raises:
    errors.UserError: all clips are of one subject.
  """
  people = len(np.unique(inputs.subject))
  if people < 2:
    raise errors.UserError(
      f'fold {name} trains on the one subject {inputs.subject[0]}: transfer '
      'chooses by inner folds, which need two'
    )
  protocol = ml_collections.ConfigDict(
    {'name': 'kfold', 'folds': min(count, people)}
  )
  # By subject: a head that has learnt the face would seem better than it is.
  inner = folds.make(protocol, inputs.label, inputs.subject, seed=seed)
  found = {AS_IT_IS: inputs.network}
  for head in HEADS:
    both = _kernel(head, inputs, inputs)
    tried = np.zeros((len(kernel_head.STRENGTHS), *inputs.network.shape))
    for fold in inner:
      tried[:, fold.test] = _inner_probabilities(
        inputs, both, fold.train, fold.test
      )
    pairs = zip(kernel_head.STRENGTHS, tried, strict=True)
    found |= {(head, strength): p for strength, p in pairs}
  error = {what: _error(p, inputs.label) for what, p in found.items()}
  best = min(error, key=lambda what: error[what])
  index = np.unique([i for f in inner for i in (*f.train, *f.test)])
  return Choice(*best, error[best], error[AS_IT_IS], index)


def probabilities(choice: Choice, learnt: Inputs, tested: Inputs) -> np.ndarray:
  """Probabilities (M, C) of clips by the chosen head.

  Args:
    choice: the head, as `choose` returns it.
    learnt: inputs for the training clips, to which the head is fitted.
    tested: inputs for the M clips; their labels are not used.
  """
  if choice.head == AS_IT_IS[0]:
    return tested.network
  added = kernel_head.corrections(
    _kernel(choice.head, learnt, learnt),
    _kernel(choice.head, tested, learnt),
    _missing(learnt),
    _weights(learnt),
    (choice.strength,),
  )
  return kernel_head.probabilities(tested.network, added[0])


def _inner_probabilities(inputs, both_NN, train, test):
  """Probabilities (S, M, C) of inner held-out clips, for each strength."""
  part = inputs.part(train)
  added = kernel_head.corrections(
    both_NN[np.ix_(train, train)],
    both_NN[np.ix_(test, train)],
    _missing(part),
    _weights(part),
  )
  return kernel_head.probabilities(inputs.network[test], added)


def _kernel(head, one, learnt):
  """Kernel matrix (M, N) of clips and training clips.

  Features are scaled by the statistics of the training clips.
  """
  name, kernel = HEADS[head]
  x = learnt.features[name]
  # A held-out clip must not influence the scale.
  mean, spread = x.mean(0), x.std(0)
  spread = np.where(spread > 0, spread, 1)
  scaled = ((k.features[name] - mean) / spread for k in (one, learnt))
  return kernel_head.KERNELS[kernel](*scaled)


def _missing(inputs):
  """The truth minus the network's probabilities, (N, C)."""
  return np.eye(inputs.network.shape[1])[inputs.label] - inputs.network


def _weights(inputs):
  """Weights (N,) of the clips, by the inverse frequency of their class."""
  return held_out_mask.masked_weights(
    inputs.label,
    np.arange(len(inputs.label)),
    inputs.network.shape[1],
    balanced=True,
  ).astype(np.float64)


def _error(p_NC, label_N):
  """Mean square error of probabilities, with equal weight for each class."""
  wrong_N = ((p_NC - np.eye(p_NC.shape[1])[label_N]) ** 2).sum(1)
  return float(np.mean([wrong_N[label_N == c].mean() for c in set(label_N)]))


def _inputs(model, job):
  """The inputs of a head, for all clips."""
  probabilities, out = zero_shot.outputs(model, job)
  if 'features' not in out[0]:
    raise errors.UserError(
      f'{model.folder}: a {model.description["model"]} gives no features to '
      'train a head on: name weights of configs/mefnet_zero.py'
    )
  layers = np.concatenate([one['features'] for one in out], axis=1)
  (maps,) = model.inputs(job.arrays).values()
  seen = motion_input.standardise(np.asarray(maps)[:, 0])
  # Averaged with the mirror image, as the network's own outputs are.
  both = (np.asarray(x) for x in (seen, motion_input.mirrored(seen)))
  # Without the roots the few cells that move far would decide every distance.
  roots = sum(np.sign(x) * np.sqrt(np.abs(x)) for x in both) / 2
  features = {'layers': layers.astype(np.float64)}
  flat = roots.reshape(len(roots), -1)
  features['map and layers'] = np.concatenate([flat, features['layers']], 1)
  return Inputs(
    np.mean(probabilities, axis=0),
    features,
    job.arrays['label'],
    np.array(job.source.subject),
  )


def _check_stop(job):
  if job.stop.is_set():
    raise errors.Stopped


def _record_choices(job, chosen_on):
  """Adds the clips on which each fold chose its head, for the audit."""
  path = job.workdir / facts.FILE
  stated = facts.read(path, [fold.name for fold in job.splits])
  stated['chosen']['hyper-parameters'] = chosen_on
  stated['fitted']['normalisation'] = {'on': 'training'}
  facts.write(path, stated)
