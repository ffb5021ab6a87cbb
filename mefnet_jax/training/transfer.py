"""Real clips on top of weights that have seen none: a head for each fold.

The network stays as it is. A fold's head (`kernel_head`) learns from its
training clips what the network's probabilities miss. Which features it looks
at, and how strongly it is held back, is chosen by inner folds of whole
subjects within the training clips, among them to leave everything as it is.
choices.csv and facts.json say by which clips.
"""

import dataclasses
import json
import time

import ml_collections
import numpy as np

from mefnet_jax.evaluation import folds, held_out_mask
from mefnet_jax.models import motion_input
from mefnet_jax.runs import errors, files
from mefnet_jax.training import jobs, kernel_head, seed_results, zero_shot

AS_IT_IS = ('as it is', 0.0)  # nothing is learnt
# Name of a head: the features that it looks at, and its kernel.
HEADS = {
  'layers, linear': ('layers', 'linear'),
  'layers, gaussian': ('layers', 'gaussian'),
  'map and layers, gaussian': ('map and layers', 'gaussian'),
}
_COLUMNS = ('fold', 'head', 'strength', 'error', 'error as it is', 'clips')


@dataclasses.dataclass(frozen=True, eq=False)
class Known:
  """What is known of N clips.

  Attributes:
    network: (N, C) probabilities of the network that is kept.
    features: (N, D) by name.
    label: (N,) classes.
    subject: (N,) names.
  """

  network: np.ndarray
  features: dict[str, np.ndarray]
  label: np.ndarray
  subject: np.ndarray

  def part(self, index: np.ndarray) -> 'Known':
    """Of some of the clips."""
    features = {name: x[index] for name, x in self.features.items()}
    arrays = (self.network, self.label, self.subject)
    network, label, subject = (x[index] for x in arrays)
    return Known(network, features, label, subject)


@dataclasses.dataclass(frozen=True)
class Choice:
  """A head, by its name and strength, and why it was chosen.

  Attributes:
    head, strength: a key of `HEADS`, or `AS_IT_IS`.
    error: mean square error on clips of the inner folds, classes equally.
    error_as_it_is: that of the network alone.
    clips: (N,) positions of the clips that the choice looked at.
  """

  head: str
  strength: float
  error: float
  error_as_it_is: float
  clips: np.ndarray


def train(
  job: jobs.Job, seeds: tuple[int, ...]
) -> list[seed_results.SeedResult]:
  """Probabilities of each fold's held-out clips by a head of its own.

  Args:
    job: whose `config.weights` name the network.
    seeds: the first one draws the inner folds; nothing else is random.

  Raises:
    errors.UserError: as `zero_shot.train`; or a fold trains on one subject.
  """
  started = time.monotonic()
  model = zero_shot.opened(job)
  known = _known(model, job)
  held_out, rows, looked_at = [], [], {}
  for fold in job.splits:
    _stop(job)
    learnt, tested = known.part(fold.train), known.part(fold.test)
    found = choose(learnt, fold.name, job.config.transfer.folds, seeds[0])
    held_out.append(answers(found, learnt, tested))
    looked_at[fold.name] = [job.source.clip[i] for i in fold.train[found.clips]]
    error = (found.error, found.error_as_it_is)
    rows.append(
      (fold.name, found.head, found.strength, *error, len(found.clips))
    )
  files.write_csv(job.workdir / 'choices.csv', _COLUMNS, rows)
  _state(job.workdir / 'facts.json', looked_at)
  one = seed_results.SeedResult(
    held_out=held_out,
    parameters=model.description['parameters'],
    seconds=time.monotonic() - started,
  )
  return [one] * len(seeds)


def choose(known: Known, name: str, count: int, seed: int) -> Choice:
  """Chooses a head by inner folds.

  Args:
    known: of a fold's training clips, and of nothing else.
    name: of the fold, for errors.
    count: of the inner folds; fewer where there are fewer subjects.
    seed: of the inner folds.

  Raises:
    errors.UserError: the clips are of one subject.
  """
  people = len(np.unique(known.subject))
  if people < 2:
    raise errors.UserError(
      f'fold {name} trains on the one subject {known.subject[0]}: transfer '
      'chooses by inner folds, which need two'
    )
  protocol = ml_collections.ConfigDict(
    {'name': 'kfold', 'folds': min(count, people)}
  )
  # Whole people: a head that knows the face would seem better than it is.
  inner = folds.make(protocol, known.label, known.subject, seed=seed)
  found = {AS_IT_IS: known.network}
  for head in HEADS:
    both = _kernel(head, known, known)
    guessed = np.zeros((len(kernel_head.STRENGTHS), *known.network.shape))
    for fold in inner:
      guessed[:, fold.test] = _fit(known, both, fold.train, fold.test)
    pairs = zip(kernel_head.STRENGTHS, guessed, strict=True)
    found |= {(head, strength): p for strength, p in pairs}
  wrong = {what: _error(p, known.label) for what, p in found.items()}
  best = min(wrong, key=lambda what: wrong[what])
  clips = np.unique([i for f in inner for i in (*f.train, *f.test)])
  return Choice(*best, wrong[best], wrong[AS_IT_IS], clips)


def answers(choice: Choice, learnt: Known, tested: Known) -> np.ndarray:
  """Probabilities (M, C) of clips by the chosen head, fitted to others.

  Args:
    choice: of `choose`.
    learnt: of the training clips.
    tested: of the clips that are answered; their labels are not looked at.
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


def _fit(known, both_NN, train, test):
  """Probabilities (S, M, C) of inner held-out clips, for each strength."""
  part = known.part(train)
  added = kernel_head.corrections(
    both_NN[np.ix_(train, train)],
    both_NN[np.ix_(test, train)],
    _missing(part),
    _weights(part),
  )
  return kernel_head.probabilities(known.network[test], added)


def _kernel(head, one, learnt):
  """(M, N) of clips with training clips, by whose features it is scaled."""
  name, kernel = HEADS[head]
  x = learnt.features[name]
  # Of what is learnt from alone: a held-out clip scales nothing.
  mean, spread = x.mean(0), x.std(0)
  spread = np.where(spread > 0, spread, 1)
  scaled = ((k.features[name] - mean) / spread for k in (one, learnt))
  return kernel_head.KERNELS[kernel](*scaled)


def _missing(known):
  return np.eye(known.network.shape[1])[known.label] - known.network


def _weights(known):
  """(N,) of the clips, by the inverse frequency of their class."""
  return held_out_mask.clip_weights(
    known.label,
    np.arange(len(known.label)),
    known.network.shape[1],
    balanced=True,
  ).astype(np.float64)


def _error(p_NC, label_N):
  """Mean square error of probabilities, each class counting the same."""
  wrong_N = ((p_NC - np.eye(p_NC.shape[1])[label_N]) ** 2).sum(1)
  return float(np.mean([wrong_N[label_N == c].mean() for c in set(label_N)]))


def _known(model, job):
  """What the network and the maps say of all clips, each on its own."""
  probabilities, out = zero_shot.answers(model, job)
  if 'features' not in out[0]:
    raise errors.UserError(
      f'{model.folder}: a {model.description["model"]} gives no features to '
      'train a head on: name weights of configs/mefnet_zero.py'
    )
  layers = np.concatenate([one['features'] for one in out], axis=1)
  (maps,) = model.inputs(job.clips).values()
  seen = motion_input.standardise(np.asarray(maps)[:, 0])
  # Averaged over the mirror image, as the network's own answers are.
  both = (np.asarray(x) for x in (seen, motion_input.mirrored(seen)))
  # Roots, or the few cells that move far would decide every distance.
  roots = sum(np.sign(x) * np.sqrt(np.abs(x)) for x in both) / 2
  features = {'layers': layers.astype(np.float64)}
  flat = roots.reshape(len(roots), -1)
  features['map and layers'] = np.concatenate([flat, features['layers']], 1)
  return Known(
    np.mean(probabilities, axis=0),
    features,
    job.clips['label'],
    np.array(job.source.subject),
  )


def _stop(job):
  if job.stop.is_set():
    raise errors.Stopped


def _state(path, looked_at):
  """Tells the audit by which clips each fold has chosen."""
  facts = json.loads(path.read_text())
  facts['chosen']['hyper-parameters'] = looked_at
  facts['fitted']['normalisation'] = {'on': 'training'}
  files.write_json(path, facts)
