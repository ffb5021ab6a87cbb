"""What the console shows of a training before it begins and after it ends."""

from mefnet_jax.models import from_config
from mefnet_jax.runs import environment
from mefnet_jax.training import deliberate_leaks, jobs


def announce(job: jobs.Job) -> None:
  """Prints what is trained, and first of all what limits its scores.

  Args:
    job: what is trained.

  Raises:
    errors.UserError: the protocol is unknown.
  """
  config, clips, print_line = job.config, job.source, job.console.print
  if clips.synthetic:
    print_line('SYNTHETIC: the clips show rendered faces, not people.')
  reason = deliberate_leaks.why_leaky(config.protocol)
  if reason:
    print_line(f'LEAKY protocol {config.protocol.name}: {reason}.')
  if config.train.selection == 'oracle':
    print_line(
      'LEAKY selection oracle: the epoch is chosen on the held-out clips.'
    )
  if config.protocol.shuffle_labels:
    print_line('SHUFFLED LABELS: a control; scores must fall to chance.')
  print_line(
    f'{from_config.name(config)}: {len(job.splits)} fold(s) of '
    f'{config.protocol.name}, {len(clips.clip)} clips of '
    f'{len(set(clips.subject))} subjects, on {environment.devices()}'
  )


def suggest_seeds(job: jobs.Job, seconds: float) -> None:
  """Prints, after a training with one seed, what more of them would cost.

  Args:
    job: what has been trained.
    seconds: the time that the training took.
  """
  # The seed changes nothing where the weights are given.
  if job.config.seeds > 1 or 'weights' in job.config:
    return
  minutes = max(1, round(4 * seconds / 60))
  job.console.print(
    'One seed: another one moves these scores. --config.seeds=5 in a new '
    '--workdir says by how much; it takes about '
    f'{minutes} minute{"s" if minutes > 1 else ""} more.'
  )
