"""The model card and the data sheet of a run, generated from report.json.

After Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), and Gebru
et al., "Datasheets for Datasets" (CACM 2021). What a run cannot know is stated
to be unknown.
"""

import json
from typing import Any

from mefnet_jax.evaluation import metrics
from mefnet_jax.runs import escape, legal_notices

# The three kinds of data differ in their people and their consent.
_ORIGIN = {
  'synthetic': 'Rendered faces with the folder layout of the real release, '
  'made by `mefnet_jax.synthetic`. No person is shown.',
  'maps': 'Public maps of the optical flow between onset and apex, made from '
  'SMIC, CASME II and SAMM, which show real people. No face is in them.',
  'real': 'Photographs of real people. The authors of the release describe '
  'who made them, why, and with whose consent; the licences of SMIC, '
  'CAS(ME)^2 and similar releases forbid redistributing images.',
}
_PRIVACY = {
  'synthetic': 'May be redistributed: it shows nobody.',
  'maps': 'This folder holds names of clips, digests and scores, no faces.',
  'real': 'Faces are personal data. This folder holds names of clips, digests '
  'and scores, but no images unless --show-faces was given.',
}


def write_cards(summary: dict[str, Any]) -> dict[str, str]:
  """Returns the Markdown of both cards by file name.

  Args:
    summary: the content of report.json.
  """
  # A name of a class or a clip is somebody else's text, and could hold markup.
  safe = {
    # Those two are shown as code, where escapes would be visible.
    key: value if key in ('config', 'command') else _text(value)
    for key, value in summary.items()
  }
  return {
    'model_card.md': model_card(safe),
    'data_sheet.md': data_sheet(safe),
  }


def _text(value):
  """Escapes every text in a value, so that Markdown shows it as it is."""
  if isinstance(value, str):
    return escape.markdown(value)
  if isinstance(value, dict):
    return {key: _text(x) for key, x in value.items()}
  if isinstance(value, list | tuple):
    return [_text(x) for x in value]
  return value


def model_card(summary: dict[str, Any]) -> str:
  """Describes the model, its evaluation, and its intended and excluded uses."""
  return (
    '\n\n'.join(
      [
        '# Model card: {model} on {dataset}, {protocol}'.format(**summary),
        *_notices(summary),
        '## Model',
        _list(
          {
            'Network': '{model}, {parameters:,} parameters'.format(**summary),
            'Input': _input(summary),
            'Output': f'probabilities of {", ".join(summary["classes"])}',
            'Settings': _code(summary['config'].get('model', {})),
            'Training': _training(summary['config']),
            'Protocol': summary['protocol'],
            'Selection of the epoch': summary['selection'],
            'Seeds': ', '.join(map(str, summary['seeds'])),
            'Hardware': _hardware(summary),
            'Code': _commit(summary),
            'Versions': _versions(summary),
            'Licence of this software': 'Apache-2.0',
            'Licence of the training data': summary['licence'] or 'not known',
            'Command': escape.code(summary['command']),
          }
        ),
        '## Intended use',
        'Research on the recognition of micro-expressions in clips that were '
        'recorded as the training data were.',
        '## Not for',
        'Decisions about a person: hiring, policing, border control, '
        'teaching, medicine, lie detection. A micro-expression is a '
        'movement; it does not prove what somebody feels. Not for '
        'faces recorded without consent.',
        '## Evaluation',
        summary['verdict'],
        f'Pooled over {summary["folds"]} folds, {summary["clips"]} held-out '
        f'clips of {summary["subjects"]} subjects; 95 % intervals by bootstrap '
        'over subjects.',
        _scores(summary),
        _per_class(summary),
        f'Calibration: ECE {summary["calibration"]["ece"]:.3f}, balanced '
        f'log-loss {summary["calibration"]["balanced_log_loss"]:.3f} (equal '
        f'probabilities: {summary["calibration"]["guess_log_loss"]:.3f}).',
        _people(summary),
        '## Leaks',
        _leaks(summary),
        '## Limits',
        'Age, sex, skin and origin of the people are not in the data that this '
        'run read, so fairness across them was not measured. The scores hold '
        'for other people under the same camera, light and task, and nowhere '
        'else.',
        f'{legal_notices.SCIENCE} {legal_notices.LAW}',
      ]
    )
    + '\n'
  )


def data_sheet(summary: dict[str, Any]) -> str:
  """Describes the data: origin, people, labels, preparation and losses."""
  config = summary['config'].get('dataset', {})
  rows = [f'| {x["class"]} | {x["clips"]} |' for x in summary['per_class']]
  people = [
    f'| {x["subject"]} | {x["clips"]} |' for x in summary['per_subject']
  ]
  counts = ', '.join(f'{n} {k}' for k, n in summary['findings'].items())
  maps = summary['maps']
  # Rendered maps are maps too; that they are rendered is what a reader needs.
  kind = 'maps' if maps else 'real'
  if summary['release'] == 'synthetic':
    kind = 'synthetic'
  return (
    '\n\n'.join(
      [
        f'# Data sheet: {summary["dataset"]}, {summary["release"]} release',
        *_notices(summary),
        '## Motivation and origin',
        _ORIGIN[kind],
        '## Composition',
        f'{summary["clips"]} scored clips of {summary["subjects"]} subjects.',
        '\n'.join(['| class | clips |', '|---|---|', *rows]),
        '\n'.join(['| subject | clips |', '|---|---|', *people]),
        '## Collection',
        'Rendered with known expressions; see docs/synthetic.md.'
        if kind == 'synthetic'
        else 'Not known to this run: see the publication of the release.',
        '## Preparation',
        _code(config),
        'The maps are read as they are stored.'
        if maps
        else 'Clips are cut out, aligned and interpolated to a fixed number of '
        'frames with these settings (docs/datasets.md).',
        f'Findings: {counts or "none"} (findings.csv lists them).',
        '## Labels',
        f'Classes as in the release: {", ".join(summary["classes"])}.'
        + (
          ' PERMUTED over the clips in this run.'
          if summary['shuffled_labels']
          else ''
        ),
        '## Distribution and privacy',
        _PRIVACY[kind],
      ]
    )
    + '\n'
  )


def _training(config):
  """The training of the weights; given ones were not trained in this run."""
  if 'weights' not in config:
    return _code(config.get('train', {}))
  weights = escape.code(config['weights'] or 'model')
  if 'transfer' not in config:
    return f'none here; the weights are those of {weights}'
  return (
    f'the networks of {weights} as they are; for each fold a head on their '
    'features, chosen and trained on its training clips (choices.csv), '
    f'{_code(config["transfer"])}'
  )


def _code(settings):
  return escape.code(json.dumps(settings))


def _notices(summary):
  return [f'> **{word}**: {why}.' for word, why in summary['notices'].items()]


def _list(pairs):
  return '\n'.join(f'- {name}: {value}' for name, value in pairs.items())


def _input(summary):
  """The input of the network, in words."""
  config = summary['config']
  what = {
    'difference': 'the difference of each frame to the onset frame',
    'frames': 'frames as they are',
    'flow': 'optical flow from the onset to each frame',
    'as_is': 'stored values at a fixed scale',
    'motion': 'motion maps, each at its own scale',
  }.get(config.get('input'), 'not stated')
  frames = config.get('dataset', {}).get('frames')
  return f'{what}, {frames} frames a clip' if frames else what


def _hardware(summary):
  bits = summary['vector_bits']
  width = f', vectors of {bits} bits' if bits else ''
  target = summary.get('compiled_for')  # missing in earlier reports
  made = f', compiled for {target}' if target else ''
  return f'{summary["device"]}{width}; layers by: {summary["kernels"]}{made}'


def _commit(summary):
  code = summary['code']
  if not code:
    return 'installed, not from a git repository'
  changed = ', with changes that are not committed' if code['changed'] else ''
  return f'commit {code["commit"]}{changed}'


def _versions(summary):
  return ', '.join(f'{x} {y}' for x, y in summary['versions'].items())


def _scores(summary):
  rows = [
    '| score | value | 95 % interval | majority class |',
    '|---|---|---|---|',
  ]
  for key in metrics.NAMES:
    value, bounds = summary['metrics'][key], summary['intervals'][key]
    interval = '{:.3f} to {:.3f}'.format(*bounds) if bounds else 'one subject'
    majority = f'{summary["majority"][key]:.3f}'
    cells = (metrics.title(key), f'{value:.3f}', interval, majority)
    rows.append(f'| {" | ".join(cells)} |')
  return '\n'.join(rows)


def _per_class(summary):
  keys = ('clips', 'recall', 'precision', 'f1', 'specificity')
  rows = [f'| class | {" | ".join(keys)} |', '|---' * 6 + '|']
  for x in summary['per_class']:
    cells = ' | '.join(f'{x[key]:.3f}' for key in keys[1:])
    rows.append(f'| {x["class"]} | {x["clips"]} | {cells} |')
  return '\n'.join(rows)


def _people(summary):
  """The people with the lowest and the highest accuracy."""
  # The mean hides people on whom the network fails.
  ranked = sorted(summary['per_subject'], key=lambda x: x['accuracy'])
  low, high = ranked[0], ranked[-1]
  return (
    f'Accuracy by subject: from {low["accuracy"]:.2f} ({low["subject"]}, '
    f'{low["clips"]} clips) to {high["accuracy"]:.2f} ({high["subject"]}, '
    f'{high["clips"]} clips).'
  )


def _leaks(summary):
  audit = summary['audit']
  if audit['leaks']:
    return '\n'.join(f'- {leak}' for leak in audit['leaks'])
  # An audit that never ran must not read like one that found nothing.
  if 'checked' not in audit:
    return 'The run was not audited.'
  return f'None found; {len(audit["checked"])} kinds were checked.'
