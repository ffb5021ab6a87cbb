"""All folds of a config: prepare, train, evaluate, pool, report."""

import dataclasses
import hashlib
import math
import pathlib
import platform
import shlex
import sys
import threading
import time
from importlib import metadata

import jax
import numpy as np
import rich.console

from mefnet_jax import (
  databases,
  datasets,
  errors,
  findings,
  fit,
  folds,
  hardware,
  inputs,
  logs,
  mistakes,
  models,
  planning,
  processes,
  provenance,
  report,
  results,
  settings,
  validation,
)

_VERSIONS = (
  'jax',
  'jaxlib',
  'flax',
  'optax',
  'orbax-checkpoint',
  'tensorflow-datasets',
  'numpy',
  'opencv-python',
  'dlib-bin',
)


def run(
  config,
  workdir: pathlib.Path,
  *,
  console: rich.console.Console,
  stop: threading.Event,
  fitting=mistakes.fit_folds,
) -> dict:
  """Runs a config from release to report, or what is left of it.

  Args:
    config: as in configs/base.py, already checked (`settings.check`).
    workdir: where the run leaves its files; what it holds is resumed.
    console: for tables and progress.
    stop: set when the process is asked to leave.
    fitting: what trains: (fit.Job, seeds) -> list of fit.Fitted.

  Returns:
    The content of report.json.

  Raises:
    UserError: a release or workdir that cannot be used.
    errors.Stopped: `stop` was set; the checkpoint is saved.
  """
  started = time.monotonic()
  made = prepare(
    config, workdir, console=console, stop=stop, memory=_memory(config)
  )
  prepared = time.monotonic()
  clips, label, splits = made.clips, made.job.clips['label'], made.job.splits
  _announce(config, clips, splits, console)
  if processes.is_first():
    folds.write(workdir / 'folds.json', splits, clips.clip, config)
    provenance.write(workdir, clips, label, splits, config)
  seeds = made.seeds
  fitted = fitting(made.job, seeds)
  order = np.concatenate([fold.test for fold in splits])
  by_seed = np.stack([np.concatenate(one.held_out) for one in fitted])
  result = results.Result(
    dataset=config.dataset.name,
    synthetic=clips.synthetic,
    release=config.dataset.release or 'synthetic, made by this package',
    protocol=config.protocol.name,
    leaky=_leaky(config),
    selection=config.train.selection,
    seeds=seeds,
    config=config.to_dict(),
    model=_model_name(config),
    parameters=fitted[0].parameters,
    classes=clips.classes,
    clip=tuple(clips.clip[i] for i in order),
    subject=tuple(clips.subject[i] for i in order),
    database=tuple(clips.database[i] for i in order),
    fold=tuple(fold.name for fold in splits for _ in fold.test),
    label=label[order],
    probabilities=by_seed.mean(0),
    seed_probabilities=by_seed if len(seeds) > 1 else None,
    history=logs.read(workdir),
    findings=(*clips.findings, *_diverged(seeds, fitted)),
    seconds={
      'prepare': prepared - started,
      'train': sum(one.seconds for one in fitted),
      'command': time.monotonic() - started,
    },
    versions=_versions(),
    device=_device(),
    command=_command(),
  )
  if not processes.is_first():
    return results.summary(result)
  summary = report.write(workdir, result, clips=clips)
  confusion = workdir / 'figures' / 'confusion.png'
  logs.picture(workdir, 'confusion', confusion.read_bytes())
  console.quiet = False
  console.print(report.table(summary))
  if summary['databases']:
    console.print(databases.table(summary))
  return summary


@dataclasses.dataclass(frozen=True)
class Prepared:
  """All that a config's training needs, and the clips it comes from."""

  clips: datasets.Clips
  job: fit.Job
  seeds: tuple[int, ...]


def prepare(
  config,
  workdir: pathlib.Path,
  *,
  console: rich.console.Console | None = None,
  stop: threading.Event | None = None,
  memory: float = math.inf,
) -> Prepared:
  """The clips, labels, folds and network of a config; trains nothing.

  Args:
    config, workdir, console, stop: as for `run`.
    memory: bytes that the clips may take; if they are more they are streamed.

  Raises:
    UserError: a release that cannot be used, or a protocol that it cannot
      be split for.
  """
  console = console or rich.console.Console(quiet=True)
  clips = _load(config, workdir, console, memory)
  label = _labels(config, clips)
  splits = folds.make(
    config.protocol, label, clips.subject, clips.database, seed=config.seed
  )
  if config.train.selection == 'validation':
    splits = validation.set_aside(
      splits,
      label,
      clips.subject,
      share=config.train.validation_share,
      seed=config.seed,
    )
  clips, label, splits = mistakes.make(config, clips, label, splits)
  job = fit.Job(
    model=settings.network(config, len(clips.classes)),
    clips=_inputs(config, clips, label),
    splits=splits,
    config=config,
    workdir=workdir,
    fingerprint=_fingerprint(clips, label, splits),
    console=console,
    stop=stop or threading.Event(),
  )
  seeds = tuple(range(config.seed, config.seed + config.seeds))
  return Prepared(clips, job, seeds)


def _memory(config):
  """Bytes for the clips; what looks at all of them needs all at once."""
  whole = config.protocol.mistake == 'duplicates'
  if whole or config.protocol.statistics != 'clip':
    return math.inf
  return planning.host_memory(config.train.memory)


def _load(config, workdir, console, memory):
  """The clips, with the table of what preparation met, on error too.

  Of several processes the first prepares; the others read what it kept.
  """
  try:
    if not processes.is_first():
      processes.wait('clips')
    clips = datasets.load(config.dataset, memory=memory)
    if processes.is_first():
      processes.wait('clips')
  except errors.UserError as error:
    _show(getattr(error, 'findings', ()), workdir, console)
    raise
  _show(clips.findings, workdir, console)
  return clips


def _show(found, workdir, console):
  if found and processes.is_first():
    console.print(datasets.table(found))
    datasets.write_findings(workdir / 'findings.csv', found)


def _labels(config, clips):
  """(N,) labels; permuted over the clips where the control asks for it."""
  label = np.asarray(clips.label, np.int32)
  if config.protocol.shuffle_labels:
    label = np.random.default_rng(config.seed).permutation(label)
  return label


def _inputs(config, clips, label):
  """What goes to the device: the streams the network looks at, and labels."""
  wanted = models.views(config.model.name, config.model.streams)
  made = {'label': label}
  for name in wanted:
    stored = inputs.stored(name, config.input)
    made[name] = clips.streams[stored]
    mask = f'{stored}_present'
    if mask in clips.streams:
      made[f'{name}_present'] = clips.streams[mask]
  return made


def _diverged(seeds, fitted):
  """Findings on members whose loss was not finite."""
  return [
    findings.Finding(
      'diverged',
      '',
      '',
      f'fold {name}, seed {seed}: loss not finite from epoch {epoch} on; its '
      'clips were given the class frequencies of its training',
    )
    for seed, one in zip(seeds, fitted, strict=True)
    for name, epoch in one.diverged.items()
  ]


def _fingerprint(clips, label, splits):
  """A digest of all that the training reads but the config."""
  digest = hashlib.blake2b(clips.fingerprint.encode(), digest_size=16)
  for array in (label, *(fold.test for fold in splits)):
    digest.update(np.ascontiguousarray(array, np.int64).tobytes())
  return digest.hexdigest()


def _model_name(config):
  fusion = config.model.get('fusion')
  return f'{config.model.name}-{fusion}' if fusion else config.model.name


def _announce(config, clips, splits, console):
  """One line on what is trained; reservations at once, not at the end."""
  if clips.synthetic:
    console.print('SYNTHETIC: the clips show rendered faces, not people.')
  reason = _leaky(config)
  if reason:
    console.print(f'LEAKY protocol {config.protocol.name}: {reason}.')
  if config.train.selection == 'oracle':
    console.print(
      'LEAKY selection oracle: the epoch is chosen on the held-out clips.'
    )
  if config.protocol.shuffle_labels:
    console.print('SHUFFLED LABELS: a control; scores must fall to chance.')
  console.print(
    f'{_model_name(config)}: {len(splits)} folds of '
    f'{config.protocol.name}, {len(clips.clip)} clips of '
    f'{len(set(clips.subject))} subjects, on {_device()}'
  )


def _leaky(config):
  """Why the protocol, or a mistake made on purpose, is leaky; '' if not."""
  reasons = folds.is_leaky(config.protocol.name), mistakes.why(config.protocol)
  return '; '.join(reason for reason in reasons if reason)


def _versions():
  versions = {'python': platform.python_version()}
  for name in ('mefnet_jax', *_VERSIONS):
    try:
      versions[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
      continue
  return versions


def _command():
  """The command that runs: of main, or of an experiment that calls this."""
  module = getattr(sys.modules['__main__'], '__spec__', None)
  name = module.name if module else 'mefnet_jax.main'
  return shlex.join(['python', '-m', name, *sys.argv[1:]])


def _device():
  """The accelerators, or the processor's name and cores."""
  devices = jax.devices()
  if devices[0].platform != 'cpu':
    return f'{len(devices)} x {devices[0].device_kind}'
  return f'CPU {hardware.processor()}, {len(devices)} device(s)'
