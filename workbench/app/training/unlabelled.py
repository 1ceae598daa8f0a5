"""Unlabelled images for the methods that learn from them too."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np

from workbench.app.training.choices import chosen, specs
from workbench.app.training.samples import SampleSet, ready_made
from workbench.domain.crops import Crop
from workbench.domain.errors import KnownError
from workbench.domain.methods import Spec
from workbench.domain.recipes import Recipe
from workbench.domain.runs import Sample
from workbench.domain.splits import Part
from workbench.storage.project import Project

NEED = "unlabelled"  # in a spec's `needs`; its parameter of this name says how many at most
_Thing = tuple[int, Crop | None]


def with_unlabelled(
    store: Project, found: SampleSet, recipe: Recipe, parts: Mapping[int, Part] | None = None
) -> SampleSet:
    """`found`, and where the recipe's method needs them images (or crops) without a label, in no
    part; those that `parts` (None: the project's split) keeps for validation and test stay out.

    Raises KnownError where the method needs some and there are none.
    """
    spec = _method(recipe)
    if spec is None or NEED not in spec.needs:
        return found
    most = int(spec.options(recipe.options)[NEED])
    known = {(sample.image, sample.crop) for sample in found.samples}
    held_out = _held_out(store.splits.parts() if parts is None else parts)
    things = (_mouths if found.crops else _images)(store, held_out)
    left = [it for it in things if (it[0], it[1].id if it[1] else None) not in known]
    if not left and all(sample.part for sample in found.samples):
        raise KnownError(
            f"{spec.title} learns from unlabelled images too, and outside validation and test "
            f"every image has its {found.labels.target.name}.",
            "Import images without labelling them, or choose another method.",
        )
    if len(left) > most:
        draw = np.random.default_rng(recipe.seed)
        left = [left[at] for at in np.sort(draw.choice(len(left), most, replace=False))]
    return dataclasses.replace(found, samples=(*found.samples, *_samples(store, left)))


def _method(recipe: Recipe) -> Spec | None:
    """What is known of the recipe's method; None for the plain one, of which nothing is asked."""
    plain = recipe.method == Recipe(target=recipe.target).method
    return None if plain else chosen(specs(), "method", recipe.method)


def _held_out(parts: Mapping[int, Part]) -> set[int]:
    return {image for image, part in parts.items() if part in (Part.VALIDATION, Part.TEST)}


def _images(store: Project, held_out: Collection[int]) -> list[_Thing]:
    return [(int(image), None) for image in store.images.ids() if int(image) not in held_out]


def _mouths(store: Project, held_out: Collection[int]) -> list[_Thing]:
    """Usable crops, and images of sources that no detection has met, which are crops already."""
    ids = [image for image, _ in _images(store, held_out)]
    crops = store.crops.of_images(ids)
    whole = ready_made(store)
    things: list[_Thing] = []
    for image in ids:
        things += [(image, crop) for crop in crops.get(image, ()) if crop.usable]
        if image not in crops and image in whole:
            things.append((image, None))
    return things


def _samples(store: Project, things: list[_Thing]) -> list[Sample]:
    images = list(dict.fromkeys(image for image, _ in things))
    rows = {row.id: row for row in store.images.rows(np.array(images, dtype=np.int64))}
    samples = []
    for image, crop in things:
        rect = crop.rect if crop is not None else None
        if image in rows:
            samples.append(
                Sample(
                    image=image,
                    hash=rows[image].hash,
                    path=rows[image].path,
                    crop=crop.id if crop is not None else None,
                    box=rect.as_tuple() if rect is not None else None,
                )
            )
    return samples
