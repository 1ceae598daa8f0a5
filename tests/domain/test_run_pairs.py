"""What two runs differ in: recipe keys that have an effect, labels, split, version and images."""

import dataclasses

from workbench.domain.recipes import JOINT, Recipe, to_toml
from workbench.domain.run_pairs import automatic_name, differ_only_in, differences, seen_images
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus, Sample

LABELS = LabelList("category", ("owl", "puffin"), (0, 1))
VIEWS = LabelList("view", ("left", "right"), (1, 0))


def record(target="category", split="", version="", labels=LABELS, **recipe):
    text = to_toml(Recipe(target=target, **recipe))
    lists = RunLabels(labels, VIEWS if target == JOINT else None)
    made = RunRecord("id", "name", RunStatus.FINISHED, target, text, lists, 0.0)
    return dataclasses.replace(made, split=split, version=version)


def sample(name, target=0, part="train", **more):
    return Sample(image=1, hash=name, path=f"{name}.png", target=target, part=part, **more)


def test_every_differing_key_is_named_in_the_order_of_the_recipe():
    first = record(options={"delta": {"images": 8}}, penalty="delta")
    second = record(
        penalty="delta", method="at-cnn", epochs=3, options={"delta": {"images": 9, "beta": 1}}
    )
    named = ("method", "options.delta.images", "options.delta.beta", "epochs")
    assert differences(first, second) == named
    assert differences(first, first) == ()
    assert not differ_only_in(first, second, ("method", "epochs"))
    assert differ_only_in(first, second, named)


def test_keys_without_effect_do_not_matter():
    first = record(focal_gamma=1.0, mix_alpha=0.1, step_epochs=3, view_weight=2.0, tie=0.1)
    assert differences(first, record(options={"delta": {"images": 8}})) == ()
    assert differences(record(), record(loss="focal")) == ("loss",)
    assert differences(first, record(loss="focal")) == ("loss", "focal_gamma")
    both = record(loss="focal"), record(loss="focal", focal_gamma=1.0)
    assert differences(*both) == ("focal_gamma",)
    joint = record(JOINT, tie=0.1, view_weight=0.5)
    assert differences(joint, record()) == ("target",)
    assert differences(joint, record(JOINT)) == ("view_weight", "tie")


def test_a_key_that_an_older_recipe_lacks_differs():
    first = record()
    old = dataclasses.replace(first, recipe_toml=first.recipe_toml.replace("aspect", "# aspect"))
    assert differences(first, old) == ("aspect",)
    assert differences(old, old) == ()


def test_known_images_decide_and_names_of_splits_and_versions_only_without_them():
    first, second = record(split="A", version="1"), record(split="B", version="2")
    assert differences(first, second) == ("split", "version")
    same = seen_images([sample("x"), sample("y", 1)], first.labels)
    assert differences(first, second, lambda _: same) == ()
    others = {
        "A": same,
        "B": seen_images([sample("x"), sample("y", 1, part="test")], first.labels),
    }
    assert differences(first, second, lambda run: others[run.split]) == (
        *("split", "version"),
        "images",
    )
    fewer = dataclasses.replace(first, metrics={"train": {"images": 3}})
    assert differences(first, fewer) == ("images",)
    renamed = LabelList("category", ("owl", "x"), (0, 1))
    assert differences(record(), record(labels=renamed)) == ("labels",)


def test_images_boxes_parts_and_labels_are_what_a_run_saw():
    labels, joint = RunLabels(LABELS), RunLabels(LABELS, VIEWS)
    basis = [sample("x"), sample("y", 1)]
    seen = seen_images(basis, labels)
    assert seen.same(seen_images(basis[::-1], labels))
    for other in (
        [sample("x"), sample("z", 1)],
        [sample("x"), sample("y", 0)],
        [sample("x"), sample("y", 1, part="test")],
        [sample("x"), sample("y", 1, box=(0, 0, 4, 4))],
        [*basis, sample("u", -1, part="")],
    ):
        assert not seen.same(seen_images(other, labels))
    turned = RunLabels(LabelList("category", ("puffin", "owl"), (0, 1)))
    assert seen.same(seen_images([sample("x", 1), sample("y", 0)], turned))
    views = seen_images([sample("x", view=0), sample("y", 1), sample("v", -1, view=1)], joint)
    assert seen.same(views), "a view adds nothing to what is known of the category"
    assert not views.same(seen_images([sample("x", view=1), sample("y", 1)], joint))


def named(record, *others):
    return automatic_name(record, others)


def test_names_have_what_differs_from_the_other_runs():
    first = record()
    assert named(first) == "category 1: SqueezeNet 1.1"
    known = dataclasses.replace(first, name="category 1: SqueezeNet 1.1")
    assert named(record(), known) == "category 2: SqueezeNet 1.1"
    head = dataclasses.replace(record(head="bilinear"), name="bilinear")
    assert named(head, known) == "category 2: SqueezeNet 1.1, bilinear head"
    tuned = record(method="at-cnn", start="file:/weights/cub.pth", frozen="fire5", seed=3)
    assert named(tuned, known, head) == (
        "category 3: SqueezeNet 1.1, at-cnn, linear head, frozen up to fire5, from cub.pth"
    )
    assert named(record(image_size=96, epochs=1, batch=8), known) == (
        "category 2: SqueezeNet 1.1, 96 px, 1 epoch, batch 8"
    )
    options = record(penalty="l2", options={"l2": {"alpha": 0.1}})
    assert named(options, known) == "category 2: SqueezeNet 1.1, l2, alpha 0.1"
    assert named(record("view"), known) == "view 1: SqueezeNet 1.1", "another target"
    other = record(backbone="resnet18", epochs=3)
    assert named(other, known) == "category 2: ResNet-18", "the backbone tells it"
    split = named(record(split="B"), dataclasses.replace(known, split="A"))
    assert split == "category 2: SqueezeNet 1.1, split B"


def test_names_are_not_given_twice():
    taken = dataclasses.replace(record(), name="category 2: SqueezeNet 1.1")
    assert named(record(), taken) == "category 3: SqueezeNet 1.1"
