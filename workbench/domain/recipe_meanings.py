"""What each recipe key means, in one sentence for a person: for the manual and for tooltips."""

from __future__ import annotations

MEANINGS: dict[str, str] = {
    "target": (
        "The label set to learn. `category+view` learns both together, with one network and two "
        "sets of scores."
    ),
    "backbone": "The network that computes the features.",
    "start": (
        "The weights to start from: ImageNet, a weights file, a run of this project, or none "
        "(random weights)."
    ),
    "frozen": (
        "The deepest frozen stage: it and all stages below keep their start weights. `none` "
        "freezes nothing, `all` trains the head only."
    ),
    "stages": (
        "Exceptions for single stages, as `{ STAGE = { start, frozen, rate, penalty } }`. "
        '`start = "new"` draws fresh weights; `rate` and `penalty` multiply the learning rate and '
        "the strength of the penalties."
    ),
    "head": "How features are made of the backbone's last maps before labels are scored.",
    "method": "The training method: it owns the forward pass and the loss.",
    "penalty": "Terms added to the loss; several names are joined by `+`.",
    "projection": "Drops the part of the penalties' gradient that points against the loss's.",
    "options": (
        "Parameters of the method, the head and the penalties, as "
        "`{ NAME = { PARAMETER = value } }`. `--set NAME.PARAMETER=value` is the short form."
    ),
    "epochs": "Passes over the training images.",
    "batch": "Images per step. With several processes, they share it.",
    "learning_rate": "The learning rate of the backbone at its highest.",
    "head_factor": "The head's learning rate, as a multiple of the backbone's.",
    "optimizer": (
        "SGD with Nesterov momentum, or AdamW, whose advised rate is a tenth of SGD's. "
        "`adamw-then-sgd` continues from the best weights with SGD when accuracy stops rising; "
        "its AdamW phase uses a tenth of `learning_rate`."
    ),
    "momentum": "Momentum of SGD.",
    "weight_decay": "Weight decay; biases and normalisation layers get none.",
    "schedule": "How the learning rate changes during the training.",
    "step_epochs": "Epochs between two steps of the `step` schedule.",
    "step_factor": "What a step of the `step` schedule multiplies the rate by.",
    "sampling": (
        "Which images an epoch shows. `balanced` draws equally many of each class, `square-root` "
        "in proportion to the square roots of the class sizes; the epoch keeps its length, and an "
        "image that comes again is augmented differently."
    ),
    "class_weights": "`balanced` weighs the loss: rare classes count as much as common ones.",
    "loss": "`focal` gives more weight to images that are still predicted badly.",
    "focal_gamma": "How strongly the focal loss favours them; 0 is cross-entropy.",
    "mix": (
        "Blends two images and their labels: `mixup` as a transparent overlay, `cutmix` as a "
        "pasted rectangle."
    ),
    "mix_alpha": "The shares of a blend are drawn from Beta(α, α): larger is more even.",
    "label_smoothing": "Share of each target that is spread evenly over all classes.",
    "precision": "Number format of the computation; `auto` measures which is fastest.",
    "averaging": (
        "Keeps a running mean of the weights over about this share of all steps; 0 keeps the last "
        "weights."
    ),
    "cache": (
        "Augmentations per image, shown in turn, for which the output of the frozen stages is "
        "computed once and stored on disk; 0 computes it in every step."
    ),
    "early_stopping": "Stops after so many epochs without a better validation loss; 0 is off.",
    "keep": "The epoch whose weights are kept: the best on the validation images, or the last.",
    "seed": "Seed of everything that is drawn at random.",
    "image_size": "Side of the square network input, in pixels.",
    "crop_scale": "Smallest share of an image's area that a random crop keeps.",
    "flip": "Random horizontal flips; they swap mirrored labels such as left and right.",
    "rotation": "Random rotation by up to so many degrees.",
    "brightness": "Random relative change of brightness.",
    "contrast": "Random relative change of contrast.",
    "test_mirror": "Averages the scores of an image and of its mirror image.",
    "test_resize": (
        "Side of the square from which crops are cut at test, in pixels; 0 scores one image of "
        "`image_size`."
    ),
    "test_crops": (
        "Which crops of the larger square are scored and averaged: the centre, or the centre and "
        "the four corners; `+whole` adds the whole square, reduced. `five` with `test_mirror` is "
        "ten-crop. An exported file scores the centre."
    ),
    "view_weight": "Weight of the view's loss where category and view are learned together.",
    "tie": "How strongly the per-view classifiers of a joint training are held together.",
}
