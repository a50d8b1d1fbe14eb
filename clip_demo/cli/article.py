"""The two experiments of the article "[CLIP] Zero-shot Prediction & Linear Probe", step by step.

To be read beside the article. Its code is that of openai/CLIP's README, sections "Zero-Shot Prediction" and
"Linear-probe evaluation". The numbered comments follow the comments of that code, and below each stand the calls of
this package that do the same. `clip_demo.cli.commands.run_article` loads the model and the dataset, and prints the
results.

``python -m clip_demo article`` runs both experiments with the built-in model. With OpenAI's ViT-B/32 they are the
article's: ``python -m clip_demo article --model ViT-B/32 --dataset cifar100``.
"""

import numpy as np

from ..datasets.base import Dataset
from ..features.feature_store import TestFeatures
from ..linear_probe.fit import ProbeFitter
from ..linear_probe.head import Head
from ..linear_probe.pipeline import Stores
from ..models.encoder import Encoder
from ..numerics import best, normalize, softmax
from ..progress import Progress
from ..zero_shot.classifier import ZeroShotScore


def predict_zero_shot(model: Encoder, dataset: Dataset, index: int) -> list[ZeroShotScore]:
    """Experiment 1: predict the class of a test image from the names of the classes alone, without any training."""
    # 1. Prepare the inputs: one image, and one sentence for each class.
    image_input = model.preprocess(dataset.image(index))
    text_inputs = [f"a photo of a {name}" for name in dataset.classnames]

    # 2. Calculate features: two encoders turn image and sentences into vectors of one common space.
    image_features = model.encode_images([image_input])  # (1, d)
    text_features = model.encode_texts(text_inputs)  # (n_classes, d)

    # 3. Pick the top 5 most similar classes for the image. With vectors of length 1, the dot product is the cosine.
    image_features, text_features = normalize(image_features), normalize(text_features)
    cosines = (image_features @ text_features.T)[0]  # (n_classes,)

    similarity = softmax(model.logit_scale * cosines)  # the logit scale is the 100.0 of the README, and learned
    return [ZeroShotScore(dataset.classnames[i], float(similarity[i]), float(cosines[i])) for i in best(cosines, 5)]


def fit_linear_probe(model: Encoder, dataset: Dataset, stores: Stores, progress: Progress) -> Head:
    """Experiment 2, first part: fit a linear classifier on labelled images. The image encoder stays as it is."""
    # 1. Calculate the image features. They are not normalised. What the cache has already is read from there.
    images = ProbeFitter(model, dataset, stores.shards)
    images.encode("train", progress=progress)
    images.encode("test", progress=progress)
    test_features, test_labels = images.shards["test"].features, images.labels["test"]
    if stores.features.get(model.sha256, dataset.key) is None:  # kept for the second part, and for the page
        stores.features.put(TestFeatures(test_features, test_labels), model, dataset)

    # 2. Perform logistic regression, with scikit-learn's LogisticRegression and these settings. It takes some minutes.
    progress("fits of the linear probe", 0, 1)
    return images.fit(random_state=0, C=0.316, max_iter=1000)


def evaluate_linear_probe(head: Head, test: TestFeatures, dataset: Dataset) -> float:
    """Experiment 2, second part: the accuracy on the test images, in per cent."""
    # 3. Evaluate using the logistic regression classifier: the most probable class of every image, and its label.
    predictions = np.array(head.classes_)[head.predict_proba(test.features).argmax(axis=1)]
    return 100 * float(np.mean(predictions == np.array(dataset.classnames)[test.labels]))
