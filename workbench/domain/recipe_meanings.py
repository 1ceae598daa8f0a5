"""Descriptions of the recipe keys, one sentence each, for the manual and tooltips."""

from __future__ import annotations

MEANINGS: dict[str, str] = {
    "target": (
        "The label set to learn. `category+view` learns both jointly, with one network and two "
        "outputs."
    ),
    "backbone": "The network that computes the features.",
    "start": (
        "The initial weights: ImageNet, a weights file, a run of this project, or none "
        "(random weights)."
    ),
    "frozen": (
        "The deepest frozen stage: this and all earlier stages keep their start weights. `none` "
        "freezes nothing; `all` trains only the head."
    ),
    "stages": (
        "Exceptions for single stages, as `{ STAGE = { start, frozen, rate, penalty } }`. "
        '`start = "new"` draws random weights; `rate` and `penalty` multiply the learning rate and '
        "the strength of the penalties."
    ),
    "head": "How the backbone's last feature maps are pooled before classification.",
    "method": "The training method, which defines the forward pass and the loss.",
    "penalty": "Regularisation terms added to the loss; join several names with `+`.",
    "projection": "Removes the component of the penalties' gradient that opposes the loss's.",
    "options": (
        "Parameters of the method, the head and the penalties, as "
        "`{ NAME = { PARAMETER = value } }`. `--set NAME.PARAMETER=value` is the short form."
    ),
    "epochs": "Passes over the training images.",
    "batch": "Images per step, over all processes.",
    "learning_rate": "The peak learning rate of the backbone.",
    "head_factor": "The head's learning rate, as a multiple of the backbone's.",
    "optimizer": (
        "SGD with Nesterov momentum, or AdamW, whose recommended rate is a tenth of SGD's. "
        "`adamw-then-sgd` continues from the best weights with SGD when accuracy stops rising; "
        "its AdamW phase uses a tenth of `learning_rate`."
    ),
    "momentum": "Momentum of SGD.",
    "weight_decay": "Weight decay; not applied to biases and normalisation layers.",
    "schedule": "Learning-rate schedule.",
    "step_epochs": "Epochs between steps of the `step` schedule.",
    "step_factor": "Learning-rate factor of each step of the `step` schedule.",
    "sampling": (
        "How the images of an epoch are drawn. `balanced` draws each class equally often, "
        "`square-root` in proportion to the square root of its size. The length of the epoch "
        "does not change, and repeated images are augmented differently."
    ),
    "class_weights": "`balanced` weights the loss so that all classes count equally.",
    "loss": "`focal` gives more weight to images that are still misclassified.",
    "focal_gamma": "Focusing parameter of the focal loss; 0 is cross-entropy.",
    "mix": (
        "Blends two images and their labels: `mixup` as a transparent overlay, `cutmix` as a "
        "pasted rectangle."
    ),
    "mix_alpha": "Mixing shares are drawn from Beta(α, α); larger values mix more evenly.",
    "label_smoothing": "Share of each target distributed evenly over all classes.",
    "precision": "Floating-point format; `auto` measures which is fastest.",
    "averaging": (
        "Keeps a moving average of the weights over about this share of all steps; 0 keeps the "
        "last weights."
    ),
    "cache": (
        "Augmentations per image, used in turn, for which the output of the frozen stages is "
        "computed once and stored on disk; 0 computes it in every step."
    ),
    "early_stopping": "Stops after this many epochs without a better validation loss; 0 is off.",
    "keep": "The epoch whose weights are kept: the best on the validation part, or the last.",
    "seed": "Seed of all random numbers.",
    "image_size": "Side of the square network input, in pixels.",
    "crop_scale": "Smallest share of an image's area that a random crop keeps.",
    "flip": "Random horizontal flips; they swap mirrored labels such as left and right.",
    "rotation": "Largest random rotation, in degrees.",
    "brightness": "Random relative change of brightness.",
    "contrast": "Random relative change of contrast.",
    "test_mirror": "Averages the scores of an image and its mirror image.",
    "test_resize": (
        "Side of the square from which test crops are cut, in pixels; 0 scores one image of "
        "`image_size`."
    ),
    "test_crops": (
        "The crops of the larger square whose scores are averaged: the centre, or the centre and "
        "the four corners; `+whole` adds the whole square, resized. `five` with `test_mirror` is "
        "ten-crop. Exported models score the centre."
    ),
    "view_weight": "Weight of the view loss in joint training.",
    "tie": "Strength of the coupling of the per-view classifiers in joint training.",
}
