"""The table of `experiments.camera` that ships, its Markdown and its figure."""

import datetime
import pathlib

import numpy as np
from sklearn import linear_model

from experiments import camera_footage
from mefnet_jax.predict.camera import study
from mefnet_jax.runs import figure_file, files

DRAWS = 100  # of people
_SOFT = 3.0  # 1 / strength of the penalty: a coefficient of 2 is nothing odd
_OTHER = 'other'  # names of cameras that are predicted, not fitted
_SHOWN = (0.5, 0.2)  # pixels and seconds of the figure


def write(out: pathlib.Path, found: dict[str, dict]) -> dict:
  """Writes study.json, camera.md and camera.png.

  Args:
    out: folder.
    found: result.json of each camera.

  Returns:
    The content of study.json.
  """
  found = {name: _with_threshold(one) for name, one in found.items()}
  star = {k: x for k, x in found.items() if not k.startswith(_OTHER)}
  x, y, who = _rows(star)
  fitted = _fit(x, y)
  random = np.random.default_rng(0)
  names = np.unique(who)
  draws = []
  for _ in range(DRAWS):
    drawn = random.integers(0, len(names), len(names))
    times = np.bincount(drawn, minlength=len(names))
    draws.append(_fit(x, y, times[np.searchsorted(names, who)]))
  measured = [_mean(one) for one in found.values()]
  table = {
    'SYNTHETIC': 'rendered faces, none of them real',
    'made': 'python -m experiments.camera --out=DIR',
    'date': datetime.date.today().isoformat(),
    'people': len(names),
    'events': len(y),
    'minutes': {k: one['minutes'] for k, one in found.items()},
    'amplitudes': list(camera_footage.AMPLITUDES),
    'durations': list(camera_footage.DURATIONS),
    'range': {
      key: [min(m[key] for m in measured), max(m[key] for m in measured)]
      for key in study.KNOWN
    },
    'quantiser_of_bits': _line(measured),
    'fitted': _rounded(fitted),
    'draws': [_rounded(draw) for draw in draws],
    'cameras': {name: _summary(one) for name, one in found.items()},
  }
  table['checked'] = _checked(table, found)
  files.write_json(out / 'study.json', table)
  files.write(out / 'camera.md', markdown(table).encode())
  files.write(out / 'camera.png', figure(table))
  return table


def threshold(quiet: list[list[float]], minutes: float) -> float:
  """The motion that is exceeded once a minute while no face moves.

  Args:
    quiet: of each person, the motion of each false event.
    minutes: of all of them.
  """
  peaks = sorted(sum(quiet, []), reverse=True)
  allowed = int(minutes)
  return peaks[allowed] if allowed < len(peaks) else 0.0


def markdown(table: dict) -> str:
  """The tables of docs/camera.md."""
  far, long = _SHOWN
  head = ['camera', 'quantiser', 'people', 'threshold']
  head += [f'{a}: {x:g} px' for a in study.ACTIONS for x in (far, 1.0)]
  lines = [f'SYNTHETIC, events of {long:g} s, at one false event a minute:', '']
  lines += ['| ' + ' | '.join(head) + ' |', '|---' * len(head) + '|']
  for one in table['cameras'].values():
    cells = [_says(one['asked']), f'{one["measured"]["quantiser"]:.0f}']
    cells += [str(one['asked']['people']), f'{one["threshold"]:.4f}']
    for action in study.ACTIONS:
      own = one['recall'][action][str(long)]
      at = camera_footage.AMPLITUDES
      cells += [f'{own[at.index(x)]:.2f}' for x in (far, 1.0)]
    lines.append('| ' + ' | '.join(cells) + ' |')
  for row in table['checked']:
    lines.append(
      f'\n{row["camera"]}: {row["counted"]:.2f} of all events counted, '
      f'{row["predicted"]:.2f} predicted'
    )
  return '\n'.join(lines) + '\n'


def figure(table: dict) -> bytes:
  """Recall over each factor, of all actions together, for each amplitude."""
  from matplotlib import figure as figures

  plot = figures.Figure(figsize=(11, 3.4), dpi=120, layout='constrained')
  factors = ('fps', 'eyes', 'crf', 'noise', 'blur')
  panels = plot.subplots(1, len(factors), sharey=True)
  reference = table['cameras']['reference']
  for axes, factor in zip(panels, factors, strict=True):
    own = [
      one
      for name, one in table['cameras'].items()
      if name == 'reference' or name.startswith(f'{factor}-')
    ]
    own.sort(key=lambda one: one['asked'][factor])
    values = [one['asked'][factor] for one in own]
    for k, far in enumerate(camera_footage.AMPLITUDES):
      recall = [
        np.mean(
          [rows[k] for a in one['recall'].values() for rows in a.values()]
        )
        for one in own
      ]
      axes.plot(values, recall, 'o-', label=f'{far:g} px', color=f'C{k}')
    axes.axvline(reference['asked'][factor], color='#5b6570', lw=1, ls='--')
    if factor in ('fps', 'eyes'):
      axes.set_xscale('log')
      axes.set_xticks(values, [f'{v:g}' for v in values])
      axes.minorticks_off()
    axes.set_xlabel(_LABELS[factor])
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
  panels[0].set_ylabel('found')
  panels[0].legend(frameon=False, fontsize=8)
  plot.suptitle(
    'SYNTHETIC: what is found at one false event a minute, all action units '
    'and durations; dashed: the reference',
    fontsize=10,
    x=0.01,
    ha='left',
    color='#b3400a',
  )
  return figure_file.encoded(plot)


_LABELS = {
  'fps': 'frames a second',
  'eyes': 'px between the eyes',
  'crf': 'H.264 crf',
  'noise': 'noise, grey levels',
  'blur': 'blur, px',
}


def _with_threshold(one):
  """The result, with the minutes of quiet footage and their threshold."""
  minutes = one['asked']['people'] * camera_footage.QUIET / 60
  limit = threshold(one['quiet'], minutes)
  return {**one, 'minutes': minutes, 'threshold': limit}


def _mean(one):
  """The means of the measurements over the people."""
  keys = (*study.KNOWN, 'bits')
  return {k: float(np.mean([m[k] for m in one['measured']])) for k in keys}


def _rows(found):
  """Features (n, F), whether found (n,), and who (n,) of each event."""
  x, y, who = [], [], []
  for one in found.values():
    own = [
      study.Camera(**{k: m[k] for k in study.KNOWN}) for m in one['measured']
    ]
    for number, action, far, long, motion, _ in one['events']:
      x.append(study.features(action, far, long, own[number]))
      y.append(motion > one['threshold'])
      who.append(number)
  return np.array(x), np.array(y), np.array(who)


def _fit(x, y, weight=None):
  """Coefficients (F,); the first ones are the actions', so no intercept."""
  model = linear_model.LogisticRegression(
    C=_SOFT, fit_intercept=False, max_iter=2000
  )
  return model.fit(x, y, sample_weight=weight).coef_[0]


def _line(measured):
  """Slope and start of the quantiser over the logarithm of bits a pixel."""
  bits = np.log([m['bits'] for m in measured])
  return np.polyfit(bits, [m['quantiser'] for m in measured], 1).tolist()


def _summary(one):
  """One camera: its settings, measurements, threshold and counted recalls."""
  events = one['events']

  def counted(test, *key):
    own = [test(e) for e in events if (e[1], e[3], e[2]) == key]
    return round(float(np.mean(own)), 3)

  def grid(test):
    return {
      action: {
        str(long): [
          counted(test, action, long, far) for far in camera_footage.AMPLITUDES
        ]
        for long in camera_footage.DURATIONS
      }
      for action in study.ACTIONS
    }

  limit = one['threshold']
  return {
    'asked': one['asked'],
    'measured': {k: round(v, 4) for k, v in _mean(one).items()},
    'threshold': limit,
    'recall': grid(lambda e: e[4] > limit),
    'named': grid(lambda e: e[4] > limit and e[5]),
  }


def _checked(table, found):
  """Cameras that were not fitted: counted and predicted shares."""
  rows = []
  for name, one in found.items():
    if not name.startswith(_OTHER):
      continue
    x, y, _ = _rows({name: one})
    chance = 1 / (1 + np.exp(-x @ np.array(table['fitted'])))
    rows.append(
      {
        'camera': _says(one['asked']),
        'counted': round(float(y.mean()), 3),
        'predicted': round(float(chance.mean()), 3),
        'brier': round(float(((chance - y) ** 2).mean()), 3),
      }
    )
  return rows


def _says(asked):
  return (
    f'{asked["fps"]:g} fps, {asked["eyes"]:g} px, crf {asked["crf"]}, noise '
    f'{asked["noise"]:g}, blur {asked["blur"]:g}'
  )


def _rounded(values):
  return [round(float(x), 3) for x in values]
