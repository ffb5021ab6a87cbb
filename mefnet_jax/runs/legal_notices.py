"""Legal and scientific notices, kept in one place."""

from collections.abc import Mapping
from typing import Any

LAW = (
  'In the EU it has been forbidden since 2 February 2025 to infer the emotions '
  'of people at work or in education from their faces, save for medical or '
  'safety reasons (AI Act, Regulation (EU) 2024/1689, art. 5(1)(f)); other '
  'emotion recognition counts as high-risk (Annex III), and the people it '
  'looks at must be told (art. 50(3)).'
)
SCIENCE = (
  'A micro-expression is a movement of a face. It is no proof of a lie, of an '
  'intention or of a feeling.'
)
TRAINING = (
  'mefnet-zero was trained on rendered heads alone; docs/zero.md says on which '
  'public recordings of which people it was tested. On other faces, cameras '
  'and light its errors are not known.'
)
TEXT = f'{SCIENCE} {LAW} {TRAINING}'
SHORT = (
  'A micro-expression is no proof of a lie or a feeling. Inferring emotions at '
  'work or in schools is banned in the EU (AI Act, art. 5(1)(f)).'
)


def for_model(name: str, description: Mapping[str, Any]) -> str:
  """Returns `TEXT` and the sentence of `training`; arguments as of it."""
  return f'{TEXT} {training(name, description)}'.strip()


def training(name: str, description: Mapping[str, Any]) -> str:
  """Returns a sentence on the data that a model was trained and tested on.

  Args:
    name: the model's name or path, as the user gives it.
    description: the content of model.json.

  Returns:
    The sentence; '' for mefnet-zero, which `TEXT` covers, and for a model
    without a data set.
  """
  if name == 'mefnet-zero' or not description.get('dataset'):
    return ''
  faces = 'SYNTHETIC faces' if description['synthetic'] else 'recordings'
  return (
    f'Expressions are named by {name}, trained on the {faces} of '
    f'{description["dataset"]} and tested there by the protocol '
    f'{description["protocol"]}: {description.get("verdict", "not scored")}'
  )
