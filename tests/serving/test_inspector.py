"""The inspector's answers about many images."""

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.errors import Cancelled, ClassnamesError, OptionError
from clip_demo.features.balanced_order import balanced_order
from clip_demo.inside.deletion_check import deletion_row
from clip_demo.numerics import normalize
from clip_demo.paths import EXAMPLES
from clip_demo.zero_shot.prompt_set import PromptSet


@pytest.fixture(scope="module")
def tiny():
    return Backend.open("tiny", dataset="shapes100")


def test_a_batch_has_the_cosines_of_the_model(tiny):
    sources = ["cat.jpg", "shapes100 220", "woman.jpg"]
    captions = ["a photo of a cat.", "a red circle", "a photo of a dog."]
    batch = tiny.inside.contrastive_batch(captions, sources=sources)
    encoder, known = tiny.encoder(), {each.source: each for each in tiny.inside.batch_images()}
    images = normalize(encoder.encode_images([encoder.preprocess(known[source].image) for source in sources]))
    np.testing.assert_allclose(batch.cosines, images @ normalize(encoder.encode_texts(captions)).T, atol=1e-5)
    assert (batch.sources, batch.captions, batch.progress) == (tuple(sources), tuple(captions), None)
    assert batch.logit_scale == encoder.logit_scale
    wrong = tiny.inside.contrastive_batch(captions[1:] + captions[:1], sources=sources)
    assert wrong.loss > 5 * batch.loss and wrong.right_captions == 0


def test_the_last_snapshot_is_the_batch_of_the_model(tiny):
    moments = tiny.inside.snapshots()
    assert moments == (0.0, 0.0025, 0.01, 0.03, 0.075, 0.175, 0.65, 1.0)
    last, now = tiny.inside.contrastive_batch(snapshot=7), tiny.inside.contrastive_batch()
    np.testing.assert_allclose(last.cosines, now.cosines, atol=1e-3)
    assert (last.progress, now.progress) == (1.0, None)


def test_snapshots_belong_to_the_built_in_model_and_its_captions(tiny, opened):
    captions = [each.caption for each in tiny.inside.batch_images()]
    for inside, given in ((tiny.inside, captions), (opened.backend.inside, None)):
        with pytest.raises(OptionError, match="only the built-in model has snapshots") as caught:
            inside.contrastive_batch(given, snapshot=0)
        assert "Put them back" in caught.value.page_message
    assert opened.backend.inside.snapshots() == ()


def test_the_exact_plot_has_the_cosines_with_both_prompts(tiny):
    prompts = ("a photo of a red circle.", "a photo of a blue square.")
    plot = tiny.inside.exact_plot(*prompts, images=200, star={"image": EXAMPLES / "cat.jpg"})
    dataset, encoder = tiny.datasets["shapes100"], tiny.encoder()
    np.testing.assert_array_equal(plot.indices, balanced_order(dataset.labels())[:200])
    np.testing.assert_array_equal(plot.labels, dataset.labels()[plot.indices])
    assert plot.prompts == prompts and plot.classnames == dataset.classnames and plot.points.shape == (200, 2)
    texts = normalize(encoder.encode_texts(prompts))
    for row in (0, 150):
        image = normalize(encoder.encode_images([encoder.preprocess(dataset.image(plot.indices[row]))]))[0]
        np.testing.assert_allclose(plot.points[row], texts @ image, atol=1e-4)  # stored features have 16 bits
    shares = tiny.predict(image=EXAMPLES / "cat.jpg", prompts=PromptSet(prompts, ["{}"]))
    assert dict(zip(prompts, plot.star, strict=True)) == pytest.approx({e.label: e.cosine for e in shares.zero_shot})


def test_the_map_has_a_point_for_each_class_image_and_star(tiny):
    found = tiny.inside.map_of_meanings(added=["zorblax", "cat"], images=200, star={"index": 3})
    names = tiny.datasets["shapes100"].classnames
    assert found.classnames == (*names, "zorblax", "cat") and found.n_added == 2 and not found.centred
    assert (found.classes.shape, found.images.shape, len(found.star)) == ((102, 2), (200, 2), 2)
    assert [(each.name, each.state) for each in found.knowledge[-2:]] == [("zorblax", "unknown"), ("cat", "learned")]
    prompts = PromptSet((*names, "zorblax", "cat"))
    expected = tiny.predict(index=3, prompts=prompts, top_k=5).zero_shot
    assert [each.label for each in found.nearest] == [each.label for each in expected]
    assert [each.cosine for each in found.nearest] == pytest.approx([each.cosine for each in expected], abs=1e-7)
    alone = tiny.inside.map_of_meanings(images=200)
    np.testing.assert_allclose(alone.classes, found.classes[:100], atol=1e-6)
    assert alone.star is None and alone.nearest == () and alone.modality_gap == pytest.approx(found.modality_gap)
    assert 0 < alone.prompts_kept < 1 and 0 < sum(alone.variance) < 1 and alone.modality_gap > 0.3


def test_words_that_the_built_in_model_does_not_know_lie_on_a_heap(tiny):
    found = tiny.inside.map_of_meanings(added=["zorblax", "qwfpgj", "lorry"], images=200, dataset="cifar100")
    heap = np.linalg.norm(found.classes[-3] - found.classes[-2])
    truck = found.classes[found.classnames.index("pickup_truck")]
    assert heap < 0.5 * np.linalg.norm(found.classes[-1] - found.classes[-2])
    assert np.linalg.norm(found.classes[-1] - truck) < np.linalg.norm(found.classes[-1] - found.classes[-2])


def test_many_added_classes_wait_for_their_turn(tiny):
    def refuse(what, done, total):
        raise Cancelled(f"{what} {done} {total}")

    with pytest.raises(Cancelled, match="prompts 0 200"):
        tiny.inside.map_of_meanings(added=[f"word {i}" for i in range(200)], progress=refuse)


def test_what_is_not_allowed_is_refused(tiny):
    with pytest.raises(OptionError, match="images: got 1; use a whole number from 2 to 2000"):
        tiny.inside.map_of_meanings(images=1)
    with pytest.raises(OptionError, match="prompt: got ' '; give text of 1 to 500 characters"):
        tiny.inside.exact_plot("a cat", " ")
    with pytest.raises(ClassnamesError, match="make the same prompts"):
        tiny.inside.map_of_meanings(added=["Red circle"])


def test_the_deletion_check_has_a_row_for_each_map_and_method(opened):
    rows = opened.backend.inside.deletion_check(images=4)
    assert [(row.method, row.predictor, row.n) for row in rows] == [
        (method, predictor, 4)
        for method in ("cover test", opened.model.heat_map_method)
        for predictor in ("zero-shot", "linear probe")
    ]
    inspector, checks = opened.backend.inside, []
    for index in balanced_order(opened.backend.datasets["toys"].labels())[:4].tolist():
        request = inspector._request({"index": index})
        checks.append(inspector._mapper.cover_maps(request, seed=index).zero_shot.check)
    assert rows[0] == deletion_row("cover test", "zero-shot", checks)


def test_both_maps_are_better_than_random_on_the_built_in_model(tiny):
    rows = tiny.inside.deletion_check(images=4)
    assert {row.method for row in rows} == {"cover test", "HiResCAM"}
    assert all(row.drop > 0 for row in rows)
