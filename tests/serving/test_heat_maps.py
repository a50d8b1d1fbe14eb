"""Heat maps: the cover test against the same covers one by one, its place behind visitors, and what is remembered."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import BusyEncoder, wait_for
from PIL import Image

from clip_demo.errors import Cancelled, ClassnamesError, DatasetError, ModelError
from clip_demo.features.feature_store import TestFeatures
from clip_demo.inside.heat_map import hottest_fifth, random_fifth, resample, single_cells
from clip_demo.numerics import normalize, softmax
from clip_demo.serving.heat_maps import SEED
from clip_demo.zero_shot.prompt_set import PromptSet

RANDOM = np.random.default_rng(0)
PHOTO = Image.fromarray(RANDOM.integers(0, 255, (40, 50, 3), dtype=np.uint8))
OTHER = Image.fromarray(RANDOM.integers(0, 255, (40, 50, 3), dtype=np.uint8))


def logits_of(opened, features):
    """Return the logits of both methods, computed by hand."""
    features = features.astype(np.float64)
    prompts = PromptSet.for_dataset(opened.backend.datasets["toys"])
    texts = normalize(opened.model.encode_texts([row[0] for row in prompts.prompts]).astype(np.float64))
    zero_shot = opened.model.logit_scale * normalize(features) @ texts.T
    return zero_shot, features @ opened.head.coef.T + opened.head.intercept


def covered(opened, cover):
    return opened.model.encode_covered(opened.model.preprocess(PHOTO), cover[None])


def test_the_cover_test_equals_the_same_covers_one_by_one(opened):
    side = opened.model.anatomy.cover_grid
    maps = opened.backend.inside.cover_maps(image=PHOTO, first="red", second="blue", probe_class="white")
    before = logits_of(opened, opened.model.encode_images([opened.model.preprocess(PHOTO)]))
    rows = [logits_of(opened, covered(opened, cover)) for cover in single_cells(side)]
    zero_shot = np.array([row[0][0, 0] - row[0][0, 2] for row in rows]).reshape(side, side)
    probe = np.array([row[1][0, 4] for row in rows]).reshape(side, side)
    assert maps.zero_shot.score == pytest.approx(before[0][0, 0] - before[0][0, 2], abs=1e-4)
    np.testing.assert_allclose(maps.zero_shot.values, before[0][0, 0] - before[0][0, 2] - zero_shot, atol=2e-4)
    np.testing.assert_allclose(maps.probe.values, before[1][0, 4] - probe, atol=2e-4)
    assert (maps.zero_shot.first, maps.zero_shot.second) == ("red", "blue")
    assert (maps.probe.first, maps.probe.second, maps.probe.method) == ("white", "", "cover test")
    np.testing.assert_array_equal(maps.pixels, opened.model.preprocess(PHOTO))


@pytest.mark.parametrize("kind", ["cover_maps", "instant_maps"])
def test_a_check_covers_the_hottest_fifth_and_a_random_one(opened, kind):
    side, options = opened.model.anatomy.cover_grid, {} if kind == "cover_maps" else {"check": True}
    maps = getattr(opened.backend.inside, kind)(image=PHOTO, first="red", second="blue", **options)
    nothing, random = np.zeros((side, side), dtype=bool), random_fifth((side, side), SEED)
    for heat_map, method in ((maps.zero_shot, 0), (maps.probe, 1)):
        check, first = heat_map.check, opened.head.classes_.index(heat_map.first)
        hottest = hottest_fifth(resample(heat_map.values, side))
        for cover, effect in ((nothing, check.before), (hottest, check.hottest), (random, check.random)):
            logits = logits_of(opened, covered(opened, cover))[method][0]
            score = logits[0] - logits[2] if method == 0 else logits[first]
            assert effect.score == pytest.approx(score, abs=2e-4)
            assert effect.probability == pytest.approx(softmax(logits)[first], abs=1e-4)
        assert heat_map.check.cells == side**2


def test_an_instant_map_takes_one_forward_pass_for_each_method(opened):
    maps = opened.backend.inside.instant_maps(image=PHOTO)
    assert opened.calls == [("encode_images", 1), ("gradient_maps", 1), ("gradient_maps", 1)]
    prediction = opened.backend.predict(image=PHOTO)
    assert (maps.zero_shot.first, maps.zero_shot.second) == tuple(each.label for each in prediction.zero_shot[:2])
    assert maps.probe.first == prediction.linear_probe.top[0].label
    assert maps.zero_shot.check is None and maps.zero_shot.method == opened.model.heat_map_method
    position = opened.head.classes_.index(maps.probe.first)
    expected = opened.model.gradient_maps(maps.pixels, opened.head.coef[position][None], False)[0]
    np.testing.assert_allclose(maps.probe.values, expected, rtol=1e-5)


def test_covers_are_computed_once_for_all_classes(opened):
    cells = opened.model.anatomy.cover_grid**2
    opened.backend.inside.cover_maps(image=PHOTO)
    first = sum(n for name, n in opened.calls if name == "encode_covered")
    assert cells + 3 <= first <= cells + 4  # nothing, each cell, a random fifth, and the hottest of both methods
    opened.backend.inside.cover_maps(image=PHOTO, first="blue", second="red", probe_class="green")
    assert sum(n for name, n in opened.calls if name == "encode_covered") <= first + 2  # other hottest cells


def test_a_stopped_cover_test_continues_where_it_stopped(opened):
    cells, calls = opened.model.anatomy.cover_grid**2, []

    def stop(what, done, total):
        calls.append((what, done, total))
        if done >= 5:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        opened.backend.inside.cover_maps(image=PHOTO, progress=stop)
    done = calls[-1][1]
    assert calls[0] == ("cells", 1, cells + 1)  # the first piece is one cell, until its time is known
    again = []
    opened.backend.inside.cover_maps(image=PHOTO, progress=lambda *call: again.append(call))
    assert again[-1] == ("cells", cells + 1 - done, cells + 1 - done)


def test_visitors_are_served_between_the_pieces(opened):
    answers = []

    def progress(what, done, total):
        if done == 1:  # the cover test is not done, and nothing waits for it
            answers.append(opened.backend.predict(image=OTHER))

    opened.backend.inside.cover_maps(image=PHOTO, progress=progress)
    assert len(answers) == 1
    assert opened.calls.index(("encode_images", 1), 2) < len(opened.calls) - 2


def test_visitors_come_before_waiting_covers(opened):
    opened.backend.predict(image=PHOTO)  # so that the prompts and the photo's features are known
    opened.calls.clear()
    busy = BusyEncoder(opened.queue)
    with ThreadPoolExecutor(2) as threads:
        maps = threads.submit(opened.backend.inside.cover_maps, image=PHOTO)
        wait_for(lambda: len(opened.queue) == 1)
        prediction = threads.submit(opened.backend.predict, image=OTHER)
        wait_for(lambda: len(opened.queue) == 2)
        busy.release()
        prediction.result(60), maps.result(60)
    assert opened.calls[0] == ("encode_images", 1) and opened.calls[1][0] == "encode_covered"


def test_unknown_classes_are_refused(opened):
    with pytest.raises(ClassnamesError, match="'zebra' is none of the 5 classes"):
        opened.backend.inside.instant_maps(image=PHOTO, first="zebra")
    with pytest.raises(ClassnamesError, match="'zebra' is none of the 5 classes"):
        opened.backend.inside.cover_maps(image=PHOTO, probe_class="zebra")


def test_without_a_head_there_is_no_map_of_the_probe(opened):
    opened.stores.heads.remember(None, opened.model.sha256, "toys")
    assert opened.backend.inside.instant_maps(image=PHOTO).probe is None


def test_where_only_features_are_stored_the_steps_are_shown_and_the_maps_refused(opened, toy_dataset, monkeypatch):
    features = opened.model.encode_images([opened.model.preprocess(each) for each in toy_dataset.images(range(20))])
    opened.stores.features.remember(TestFeatures(features, toy_dataset.labels()), opened.model.sha256, "toys")
    monkeypatch.setattr(toy_dataset, "available", lambda: False)
    walk = opened.backend.inside.walk(index=3)
    assert walk.image is None and walk.truth == "yellow"
    np.testing.assert_allclose(walk.cosine.image, normalize(features[3]))
    with pytest.raises(DatasetError, match="the images of toys are not on this machine") as caught:
        opened.backend.inside.instant_maps(index=3)
    assert caught.value.page_message == (
        "The images of Toys-5 are not on this machine. Download Toys-5, or use another image."
    )


def test_a_model_that_cannot_be_looked_into_is_named(toy_backend):
    for ask in (toy_backend.inside.walk, toy_backend.inside.instant_maps, toy_backend.inside.cover_maps):
        with pytest.raises(ModelError, match="'toy' cannot be looked into") as caught:
            ask(index=0)
        assert caught.value.page_message == "It is not possible to look inside toy. Choose another model."
