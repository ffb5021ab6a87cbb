"""Every knob of the project, its default and why; variants say what differs."""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
  config = ml_collections.ConfigDict()

  # Weights, dropout, order of clips and augmentation all follow from it.
  config.seed = 0
  # Repetitions of the whole protocol with seed, seed + 1, ...; probabilities
  # are averaged over them, and the report tells their spread.
  config.seeds = 1

  config.dataset = ml_collections.ConfigDict()
  config.dataset.name = 'smic'  # smic | cas_me2
  # Folder of the release. Empty: a synthetic one is made (once, cached).
  config.dataset.release = ''
  config.dataset.subset = 'hs'  # SMIC's cameras: hs | vis | nir
  # cas_me2: emotion3 | emotion4 (with others) | self_report | elicitation
  config.dataset.labels = 'emotion3'
  # cas_me2: auto | selectedpic | cropped | rawpic (cut out by onset, offset)
  config.dataset.images = 'auto'
  config.dataset.expressions = 'micro'  # cas_me2: micro | macro | both
  # dlib | insightface | insightface:PACK_OR_FOLDER
  config.dataset.detector = 'dlib'
  config.dataset.registration = 'ecc'  # ecc | landmarks (per frame) | none
  config.dataset.interpolation = 'tim'  # tim | linear
  config.dataset.frames = 18  # T, after interpolation
  config.dataset.face = 64  # pixels a side of the face clip
  config.dataset.eyes = 32  # pixels a side of the eye clip
  config.dataset.mouth = 32  # pixels a side of the mouth clip
  # Share of a release's clips that preparation may lose before it stops.
  config.dataset.allow_lost = 0.1
  config.dataset.workers = 0  # processes of the preparation; 0: one a core

  # What the network sees: the difference of each frame to the onset frame
  # (the person leaves the picture, the motion stays) or the frames (paper).
  config.input = 'difference'  # difference | frames

  config.protocol = ml_collections.ConfigDict()
  # Honest: loso (a subject a fold), kfold (whole subjects). Leaky, as in the
  # paper: holdout (20 % of the clips), kfold_clips.
  config.protocol.name = 'kfold'
  config.protocol.folds = 6  # K of kfold and kfold_clips (the paper's)
  config.protocol.test_share = 0.2  # of holdout (the paper's)
  # Control: labels permuted over the clips; scores must fall to chance.
  config.protocol.shuffle_labels = False
  # What a pixel is scaled by: clip (each clip alone), folds (mean and spread
  # of the fold's training clips; trains fold by fold), all (LEAKY).
  config.protocol.statistics = 'clip'
  # Made on purpose, always LEAKY: duplicates | tested_on_training.
  config.protocol.mistake = 'none'

  config.model = ml_collections.ConfigDict()
  config.model.name = 'mfcnn'  # base | mecnn | mfcnn
  config.model.filters = 32
  config.model.kernel = (15, 3, 3)  # frames, rows, columns
  config.model.pool = (3, 3, 3)
  config.model.channel_attention = True  # eq. 1; base has none
  config.model.spatial_attention = True  # eq. 2; base has none
  config.model.attention_place = 'conv'  # conv (before pooling) | pool
  config.model.fusion = 'late'  # mfcnn: intermediate | late
  config.model.hidden = (1024, 128)  # dense layers, of each stream if late
  config.model.dropout = 0.5

  config.train = ml_collections.ConfigDict()
  # The paper: 100 epochs at 1e-4. Ten times the rate learns in a third.
  config.train.epochs = 30
  config.train.batch_size = 64
  config.train.learning_rate = 1e-3
  config.train.decay = 1e-5  # Keras's meaning: rate / (1 + decay * step)
  config.train.weight_decay = 0.0  # L2 on kernels, eqs. 4-7
  config.train.class_weights = True  # inverse frequency in the fold's training
  # Which epoch's weights are tested. last looks at no held-out clip.
  config.train.selection = 'last'
  config.train.evaluate_every = 5  # epochs between points of held-out curves
  config.train.parallel = 'auto'  # folds | batch | auto: over the devices
  config.train.checkpoint_every = 10  # epochs
  return config
