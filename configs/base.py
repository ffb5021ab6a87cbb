"""Every field of a config, its default and why; variants change some."""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
  config = ml_collections.ConfigDict()

  # Weights, dropout, order of clips and augmentation all follow from it.
  config.seed = 0
  # Repetitions of the whole protocol with seed, seed + 1, ...; probabilities
  # are averaged over them, and the report gives the spread of their scores.
  config.seeds = 1

  config.dataset = ml_collections.ConfigDict()
  config.dataset.name = 'smic'  # smic | cas_me2 | megc_flow | folder
  # Folder of the release. Empty: a synthetic one is made (once, cached).
  config.dataset.release = ''
  # smic: hs | vis | nir | all (their union) | hs_long, ... (SMIC-E)
  config.dataset.subset = 'hs'
  # cas_me2: emotion3 | emotion4 (with others) | self_report | elicitation
  config.dataset.labels = 'emotion3'
  # Which images where a release has several. auto | smic: cropped, raw |
  # cas_me2: selectedpic, cropped, rawpic or rawvideo (cut out by onset, offset)
  # | megc_flow: loso, whole | folder: tree, table
  config.dataset.images = 'auto'
  config.dataset.table = ''  # folder: name of its CSV; empty: clips.csv
  config.dataset.expressions = 'micro'  # cas_me2: micro | macro | both
  # dlib | insightface | insightface:PACK_OR_FOLDER | none (face crops)
  config.dataset.detector = 'dlib'
  config.dataset.registration = 'ecc'  # ecc | landmarks (per frame) | none
  config.dataset.interpolation = 'tim'  # tim | linear | uniform (frames picked)
  # Optical flow from the onset to each frame, with strain, stored beside the
  # crops: none | dis | dis_fine | farneback | tvl1. Seen if input = 'flow'.
  config.dataset.flow = 'none'
  # Each clip as one map of its motion (28 x 28, onset to the middle of the
  # expression), as prediction makes it, instead of crops. megc_flow is maps.
  config.dataset.maps = False
  # Eulerian magnification: changes since the onset, 1 + magnify times as large.
  config.dataset.magnify = 0.0
  config.dataset.colour = False  # crops in three channels instead of grey
  config.dataset.frames = 18  # T, after interpolation
  config.dataset.face = 64  # pixels a side of the face clip
  config.dataset.eyes = 32  # pixels a side of the eye clip
  config.dataset.mouth = 32  # pixels a side of the mouth clip
  # audio, text: files beside the frames of a clip (docs/modalities.md), which
  # may be missing. The synthetic release has them if they are asked for.
  config.dataset.modalities = ()
  config.dataset.audio = (32, 32)  # time steps and mel bands of a sound
  config.dataset.text = 16  # words of a transcript
  # Share of a release's clips that preparation may lose before it stops.
  config.dataset.allow_lost = 0.1
  config.dataset.workers = 0  # processes of the preparation; 0: one a core
  # Dask scheduler (tcp://...) whose workers prepare; empty: this machine does
  config.dataset.cluster = ''

  # What the network sees: the difference of each frame from the onset frame
  # (which leaves the motion and removes the person), the frames (paper), the
  # stored flow of each crop, the stored values at a fixed scale (as_is), or
  # flow maps by their strongest motion (motion, for configs/mefnet_zero.py).
  config.input = 'difference'  # difference | frames | flow | as_is | motion

  # What clips are scaled by: clip (each by its own mean and spread) | train
  # (all by those of the fold's training clips).
  config.scale = 'clip'

  # Drawn for each clip and step, the same in all streams of a clip; 0 is off.
  config.augment = ml_collections.ConfigDict()
  config.augment.flip = 0.0  # share of clips mirrored left to right
  config.augment.shift = 0.0  # at most, as a share of the image; such as 0.05
  config.augment.scale = 0.0  # a face grows or shrinks by at most; such as 0.1
  config.augment.brightness = 0.0  # contrast changes by at most; such as 0.1
  config.augment.crop = 0.0  # cut off the clip's time at most; such as 0.2
  config.augment.jitter = 0.0  # of a frame's time, in frames; such as 0.3
  config.augment.reverse = 0.0  # share of clips played backwards

  config.protocol = ml_collections.ConfigDict()
  # Honest: loso (a subject a fold), kfold (whole subjects, classes balanced),
  # cross_database (see below). Leaky, as in the paper: holdout (20 % of the
  # clips), kfold_clips.
  config.protocol.name = 'kfold'
  config.protocol.folds = 6  # K of kfold and kfold_clips (the paper's)
  config.protocol.test_share = 0.2  # of holdout (the paper's)
  # cross_database: names joined by +. Empty test_on: a fold for each database;
  # empty train_on: all databases that are not tested.
  config.protocol.train_on = ''
  config.protocol.test_on = ''
  # Control: labels permuted over the clips; scores must fall to chance.
  config.protocol.shuffle_labels = False
  # Pixels are scaled by: clip (each clip alone), folds (their mean and spread
  # over the fold's training clips; trains fold by fold), all (LEAKY).
  config.protocol.statistics = 'clip'
  # Made on purpose, always LEAKY: duplicates | tested_on_training.
  config.protocol.mistake = 'none'

  config.model = ml_collections.ConfigDict()
  config.model.name = 'mfcnn'  # base | mecnn | residual | mfcnn
  # Its input streams: of face, eyes, mouth, flow, audio, text. mfcnn takes any
  # number of them (the last two want dataset.modalities), the others one.
  config.model.streams = ('eyes', 'mouth')
  # 3d, or 2d: maps without a time axis, such as one onset-to-apex flow map;
  # the first numbers of kernel, pool and attention_kernel are then not used.
  config.model.form = '3d'
  config.model.conv = '3d'  # 3d | 2plus1d: in space, ReLU, then in time
  config.model.middle = 0  # channels between the two; 0: by parameter match
  config.model.filters = 32
  config.model.kernel = (15, 3, 3)  # frames, rows, columns
  config.model.pool = (3, 3, 3)
  config.model.channel_attention = True  # CAM, eq. 1; base has none
  config.model.spatial_attention = True  # STAM, eq. 2; base has none
  config.model.attention_place = 'conv'  # conv (before pooling) | pool
  config.model.reduction = 8  # of the channels, in CAM's perceptron
  config.model.attention_kernel = (3, 7, 7)  # STAM's (2+1)D convolution
  # STAM in training: the share of clips whose highlight map is replaced by a
  # mask, and above which share of its maximum that mask hides a position (Choe
  # & Shim 2019).
  config.model.drop_rate = 0.25
  config.model.drop_threshold = 0.9
  # Residual units with micro-attention after the pooling: units and channels
  # of each stage, such as (2, 2) and (32, 64). Empty: none.
  config.model.depth = ()
  config.model.width = ()
  config.model.fusion = 'late'  # mfcnn: intermediate | late
  config.model.fusion_norm = 'l2'  # mfcnn, intermediate: l2 | layer
  # mfcnn: in training, the probability that a stream of a clip is left out.
  config.model.modality_dropout = 0.0
  config.model.vocabulary = 1024  # mfcnn, text: rows of the word embedding
  config.model.hidden = (1024, 128)  # dense layers, of each stream if late
  config.model.dropout = 0.5
  # After each convolution, within each clip: none (paper) | group | layer.
  config.model.normalisation = 'none'
  # Of all kernels but the last: glorot_uniform (Keras's, the paper's) |
  # glorot_normal | he_* | lecun_* (uniform, normal) | orthogonal.
  config.model.kernel_init = 'glorot_uniform'
  config.model.head_init = 'zeros'  # of the last: the first loss is log(n)
  # Of products: float32 | bfloat16. Parameters and the loss stay float32.
  config.model.dtype = 'float32'

  config.train = ml_collections.ConfigDict()
  # The paper: 100 epochs at 1e-4. Ten times the rate learns in a third.
  config.train.epochs = 30
  config.train.batch_size = 64
  config.train.learning_rate = 1e-3
  config.train.decay = 1e-5  # Keras's meaning: rate / (1 + decay * step)
  config.train.weight_decay = 0.0  # L2 on kernels, eqs. 4-7
  config.train.class_weights = True  # inverse frequency in the fold's training
  # uniform (each clip once an epoch) | balanced (classes drawn equally often;
  # then set class_weights to False, or rare classes would count twice)
  config.train.sampling = 'uniform'
  config.train.mixup = 0.0  # alpha of mixup's Beta distribution; 0: none
  # Which epoch's weights are tested: last, whatever its scores; validation, of
  # the lowest loss on training subjects that each fold sets aside; oracle
  # (LEAKY, to study it), of the highest accuracy on the held-out clips.
  config.train.selection = 'last'
  config.train.validation_share = 0.2  # of a fold's training clips
  # validation: epochs without a better one after which a fold stops; 0: none
  config.train.patience = 0
  config.train.evaluate_every = 5  # epochs between points of held-out curves
  config.train.parallel = 'auto'  # folds | batch | auto: over the devices
  # Layers by XLA or by kernels of a CPU, which take a third of the time: xla |
  # cpu | auto (cpu where they run). The last digits differ, so a run keeps to
  # what it began with.
  config.train.kernels = 'auto'
  config.train.checkpoint_every = 10  # epochs
  # GB that training may take; more members than fit train in blocks, one
  # after another. 0: four fifths of what is free.
  config.train.memory = 0.0
  config.train.profile = False  # trace of the second epoch, in profile/
  return config
