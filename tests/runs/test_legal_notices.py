"""What is said of the law, and of the model that is used."""

from mefnet_jax.runs import legal_notices

RUN = {
  'dataset': 'smic',
  'synthetic': True,
  'protocol': 'kfold',
  'verdict': 'UAR 0.700: above chance on SYNTHETIC faces.',
}


def test_on_whom_a_model_was_tested_is_said_of_others_than_mefnet_zero():
  assert legal_notices.for_model('mefnet-zero', RUN) == legal_notices.TEXT
  said = legal_notices.for_model('runs/mecnn', RUN)
  assert said.startswith(legal_notices.TEXT)
  assert said.endswith(
    ' Expressions are named by runs/mecnn, trained on the SYNTHETIC faces of '
    'smic and tested there by the protocol kfold: UAR 0.700: above chance on '
    'SYNTHETIC faces.'
  )
  assert 'not scored' in legal_notices.for_model(
    'm', {**RUN, 'verdict': 'not scored'}
  )


def test_the_law_and_the_science_are_named():
  for words in ('2 February 2025', 'art. 5(1)(f)', 'Annex III', 'no proof'):
    assert words in legal_notices.TEXT
