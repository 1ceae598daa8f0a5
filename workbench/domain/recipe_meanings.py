"""Descriptions of the recipe keys, one or two sentences each, for the manual and tooltips.

Names between backticks are values and keys as a recipe file has them.
"""

from __future__ import annotations

from workbench.domain.text import mark

MEANINGS: dict[str, str] = {
    "target": mark(
        "The label set to learn. `category+view` learns both jointly, with one network and two "
        "outputs."
    ),
    "backbone": mark("The network that computes the features."),
    "start": mark(
        "The initial weights: ImageNet, a weights file, a run of this project, or none "
        "(random weights)."
    ),
    "frozen": mark(
        "The deepest frozen stage: this and all earlier stages keep their start weights. `none` "
        "freezes nothing; `all` trains only the head."
    ),
    "stages": mark(
        "Exceptions for individual stages, as `{ STAGE = { start, frozen, rate, penalty } }`. "
        '`start = "new"` draws random weights; `rate` and `penalty` multiply the learning rate and '
        "the strength of the penalties."
    ),
    "head": mark("How the backbone's last feature maps are pooled before classification."),
    "method": mark("The training method, which defines the forward pass and the loss."),
    "penalty": mark("Regularisation terms added to the loss; join several names with `+`."),
    "projection": mark(
        "Removes the component of the penalties' gradient that opposes the gradient of the loss."
    ),
    "options": mark(
        "Parameters of the method, the head and the penalties, as "
        "`{ NAME = { PARAMETER = value } }`. `--set NAME.PARAMETER=value` is the short form."
    ),
    "epochs": mark("Number of passes over the training images."),
    "batch": mark("Number of images per optimizer step, summed over all processes."),
    "learning_rate": mark("The peak learning rate of the backbone."),
    "head_factor": mark("The head's learning rate, as a multiple of the backbone's."),
    "optimizer": mark(
        "SGD with Nesterov momentum, or AdamW, whose recommended rate is a tenth of SGD's. "
        "`adamw-then-sgd` continues from the best weights with SGD when accuracy stops rising; "
        "its AdamW phase uses a tenth of `learning_rate`."
    ),
    "momentum": mark("Momentum of SGD."),
    "weight_decay": mark("Weight decay; not applied to biases and normalisation layers."),
    "schedule": mark(
        "How the learning rate changes: `one-cycle` rises and then falls, `cosine` falls from the "
        "start, `step` multiplies it by `step_factor` every `step_epochs` epochs."
    ),
    "step_epochs": mark("Epochs between steps of the `step` schedule."),
    "step_factor": mark(
        "Factor by which each step of the `step` schedule multiplies the learning rate."
    ),
    "sampling": mark(
        "How the images of an epoch are drawn. `balanced` draws each class equally often, "
        "`square-root` in proportion to the square root of its size. The length of the epoch "
        "does not change, and repeated images are augmented differently."
    ),
    "class_weights": mark("`balanced` weights the loss so that all classes count equally."),
    "loss": mark(
        "The classification loss. `focal` gives more weight to images that are still misclassified."
    ),
    "focal_gamma": mark("Focusing parameter of the focal loss; 0 is cross-entropy."),
    "mix": mark(
        "Blends two images and their labels: `mixup` as a transparent overlay, `cutmix` as a "
        "pasted rectangle."
    ),
    "mix_alpha": mark("Mixing shares are drawn from Beta(α, α); larger values mix more evenly."),
    "label_smoothing": mark("Share of each target distributed evenly over all classes."),
    "precision": mark("Floating-point format; `auto` measures which is fastest."),
    "averaging": mark(
        "Keeps a moving average of the weights over about this share of all steps; 0 averages "
        "nothing."
    ),
    "cache": mark(
        "Augmentations per image, used in turn, for which the output of the frozen stages is "
        "computed once and stored on disk; 0 computes it in every step."
    ),
    "early_stopping": mark(
        "Stops after this many epochs without a better validation loss; 0 disables it."
    ),
    "keep": mark(
        "The epoch whose weights are kept: the one with the lowest validation loss (the last "
        "without a validation part), or the last."
    ),
    "seed": mark("Seed of all random numbers."),
    "image_size": mark("Side of the square network input, in pixels."),
    "aspect": mark(
        "How an image becomes a square: `centre` cuts it so that its sides differ by at most 4:3, "
        "and nothing outside is seen; `squeeze` keeps all of it, narrower; `pad` keeps all of it, "
        "smaller, with a grey border."
    ),
    "crop_scale": mark("Smallest share of an image's area that a random crop keeps."),
    "flip": mark("Random horizontal flips; they swap mirrored labels such as left and right."),
    "rotation": mark("Largest random rotation, in degrees."),
    "brightness": mark("Largest random change of brightness, as a share."),
    "contrast": mark("Largest random change of contrast, as a share."),
    "test_mirror": mark("Averages the scores of an image and its mirror image."),
    "test_resize": mark(
        "Side of the square from which test crops are cut, in pixels; 0 scores one image of "
        "`image_size`."
    ),
    "test_crops": mark(
        "The crops of the larger square whose scores are averaged: the centre, or the centre and "
        "the four corners; `+whole` adds the whole square, resized. `five` with `test_mirror` is "
        "ten-crop. `windows` scores windows of four scales that cover the whole image; each class "
        "gets its highest score. Exported models score the centre."
    ),
    "view_weight": mark("Weight of the view loss in joint training."),
    "tie": mark("Strength of the coupling between the classifiers of the views in joint training."),
}
