"""The service: one method for each thing that the page, the command line and the endpoints can ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from PIL import Image

from .artifacts import check_folder
from .datasets.base import Dataset
from .datasets.catalog import open_chosen, open_datasets, resolve_dataset
from .errors import ModelError, OptionError
from .evaluation.ablations import NameRow, TemplateRow
from .evaluation.first_image import FirstImage
from .evaluation.ood_detection import HIDDEN, HiddenClasses
from .evaluation.report import EvaluationReport
from .features.extract import Extract
from .features.feature_store import encode_and_save
from .linear_probe.few_shot_curve import FewShotCurve
from .linear_probe.head import Head
from .linear_probe.pipeline import ProbePipeline, Stores, check_fit
from .models.catalog import BUILT_IN
from .models.encoder import Encoder
from .numerics import check_top_k
from .progress import Progress
from .serving.downloads import Downloads
from .serving.evaluator import Evaluator
from .serving.heavy_requests import HeavyRequests
from .serving.host_rules import NO_RULES, HostRules
from .serving.inspector import Inspector
from .serving.model_handle import ModelHandle, ModelStatus
from .serving.model_pool import ModelPool
from .serving.none_of_these import NoneOfTheseJudge
from .serving.photo_encoder import ImageSource, PhotoEncoder
from .serving.photo_predictor import PhotoPrediction, PhotoPredictor
from .serving.prediction import Prediction
from .serving.preparation import Preparation
from .serving.probe_job import WHOLE, Plan, ProbeJobs
from .serving.searcher import Searcher, SearchResult
from .serving.status import Status, StatusReporter
from .serving.subject import Subject
from .serving.teacher import Teacher
from .serving.thumbnails import Thumbnails
from .zero_shot.prompt_set import PromptSet, check_prompts, check_switch
from .zero_shot.word_knowledge import WordKnowledge, word_knowledge


class Backend:
    """Zero-shot prediction beside a linear probe.

    Calls may name a model and a dataset; without a name they use the default ones. Wrong arguments raise an InputError,
    and a model or dataset that cannot be used a ModelError or DatasetError.

    Parameters
    ----------
    models : ModelPool
        The models on offer.
    datasets : dict of str to Dataset, optional
        Default: CIFAR-100 and Shapes-100.
    stores : Stores, optional
        Heads, features and curves; default those in ``assets`` and in the cache folder.
    default_dataset : str, optional
        Default: the first dataset that is available. Kept as the attribute `requested_dataset`.
    rules : HostRules, optional
        What visitors of the page may start; default everything. An attribute, too.

    Attributes
    ----------
    heavy_requests : HeavyRequests
        Gives the progress callback of one visitor's request, with which the methods below wait for their turn.
    preparation : Preparation
        Gets model, dataset and linear probe ready without a click.
    inside : Inspector
        Answers what happens inside a prediction.
    teacher : Teacher
        Learns own classes from photos.
    thumbnails : Thumbnails
        Small versions of test images.

    Raises
    ------
    DatasetError
        When `default_dataset` is unknown.
    OptionError
        When the rules offer what is neither a model nor a dataset.
    """

    def __init__(
        self,
        models: ModelPool,
        *,
        datasets: Mapping[str, Dataset] | None = None,
        stores: Stores | None = None,
        default_dataset: str | None = None,
        rules: HostRules = NO_RULES,
    ):
        self.datasets = open_datasets() if datasets is None else datasets
        if default_dataset is not None:
            resolve_dataset(self.datasets, default_dataset)
        self.requested_dataset = default_dataset
        self.rules, self.heavy_requests = rules.check((*models.names, *self.datasets)), HeavyRequests()
        self._models = models
        self._stores = Stores.open() if stores is None else stores
        self._downloads = Downloads()
        self._evaluator = Evaluator(self._stores.features, self._stores.heads)
        self._judge = NoneOfTheseJudge(self._evaluator)
        self._jobs = ProbeJobs(self._stores, self._downloads, self._evaluator)
        self.preparation = Preparation(self._jobs, models, self.datasets, default_dataset)
        self._reporter = StatusReporter(
            models, self.datasets, self._stores.heads, self._downloads, self._jobs, self.preparation
        )
        self.inside = Inspector(self._subject, self._choose, self._evaluator, self._stores.heads)
        encoder = PhotoEncoder()
        self.teacher = Teacher(self._choose, encoder)
        self._photos = PhotoPredictor(self._choose, encoder, self._stores.heads, self._judge)
        self._searcher = Searcher(self._choose, self._evaluator)
        self.thumbnails = Thumbnails()

    @classmethod
    def open(
        cls,
        model: str = BUILT_IN,
        *,
        dataset: str | Dataset | Sequence[str | Dataset] | None = None,
        data_root: str | Path | None = None,
        rules: HostRules = NO_RULES,
        stores: Stores | None = None,
        **options,
    ) -> Backend:
        """Return a backend for a model by its name; the model loads in the background.

        Parameters
        ----------
        model : str
            ``"tiny"``, a name of ``clip.available_models()``, the path of a checkpoint, or ``"auto"``: the built-in
            model at once, and ViT-B/32 as soon as it is downloaded and loaded.
        dataset : str or Dataset, or several, optional
            Names or paths; see `clip_demo.datasets.catalog.add_dataset`. The first is the default dataset.
        data_root : path, optional
            Folder that holds ``cifar-100-python``; see `clip_demo.datasets.cifar100.data_roots`.
        rules : HostRules
            What visitors of the page may start.
        stores : Stores, optional
            See `Backend`.
        **options
            ``weights_root``, ``device``, ``activation``, ``heads``, ``encoder`` and ``hold`` of
            `clip_demo.serving.model_pool.ModelPool.open`.

        Raises
        ------
        ModelError, DatasetError, OptionError
            When a name is unknown, `data_root` is not a folder, or an option is not allowed. `status` reports what
            fails later.
        """
        datasets, default = open_chosen(data_root, dataset)
        models = ModelPool.open(model, **options)
        return cls(models, datasets=datasets, stores=stores, default_dataset=default, rules=rules)

    # --- models and datasets --------------------------------------------------------------------------------------

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models on offer."""
        return self._models.names

    @property
    def default_model(self) -> str:
        """Name of the model that is used unless a call names another."""
        return self._models.default

    @property
    def preferred_model(self) -> str:
        """Name of the model that becomes the default as soon as it is loaded."""
        return self._models.preferred

    @property
    def default_dataset(self) -> str:
        """Name of the dataset that is used unless a call names another."""
        return self._dataset(None).name

    def encoder(self, model: str | None = None) -> Encoder:
        """Return a model; waits until it is loaded."""
        return self._models.get(model).encoder

    def assumption(self, model: str | None = None) -> str:
        """Return what was assumed of a checkpoint that does not say it, usually nothing; waits until it is loaded."""
        return self._models.get(model).assumption

    def is_downloaded(self, model: str) -> bool:
        """Whether a model can be loaded without a download; looks at files."""
        return self._models.is_downloaded(model)

    def load_model(self, model: str) -> None:
        """Start to load a model in the background, downloading it where it must; after a failure, try again."""
        self._models.retry(model)

    def download_dataset(self, dataset: str) -> None:
        """Start to download a dataset in the background; after a failure, try again."""
        self._downloads.start(self._dataset(dataset))

    def model_status(self, model: str | None = None) -> ModelStatus:
        """Return the state of a model; never waits, and looks up no file."""
        return self._models.status(model or self.default_model)

    def status(self, model: str | None = None, dataset: str | None = None) -> Status:
        """Return a snapshot of the service; never waits."""
        return self._reporter.status(model or self.default_model, self._dataset(dataset), self.default_dataset)

    # --- predictions ----------------------------------------------------------------------------------------------

    def predict(
        self,
        *,
        image: Image.Image | str | Path | bytes | None = None,
        index: int | None = None,
        dataset: str | None = None,
        prompts: PromptSet | None = None,
        top_k: int = 5,
        model: str | None = None,
        logit_scale: float | None = None,
        none_of_these: bool = False,
        progress: Progress | None = None,
    ) -> Prediction:
        """Predict the class of one image by both methods.

        Parameters
        ----------
        image : PIL image, path or bytes, optional
            Any image. Exactly one of `image` and `index` must be given.
        index : int, optional
            An image of the dataset's test split.
        dataset : str, optional
            Gives `index` its meaning, the default prompt set its class names, and the probe its head.
        prompts : PromptSet, optional
            Default: the dataset's class names in the template of openai/CLIP's README.
        top_k : int
            How many classes of each method to return, at least 1; fewer where there are fewer classes.
        model : str, optional
        logit_scale : float, optional
            Factor of the cosines in the softmax; default the model's own.
        none_of_these : bool
            Whether to ask also if the image shows none of the classes; see `clip_demo.zero_shot.none_of_these`.
        progress : callable, optional
            See `clip_demo.progress.Progress`.
        """
        top_k = check_top_k(top_k)
        judge = self._judge if check_switch("none_of_these", none_of_these) else None
        subject = self._subject(image=image, index=index, dataset=dataset, prompts=prompts, model=model)
        head = self._stores.heads.get(subject.model.encoder.sha256, subject.dataset.key)
        return Prediction.of(subject, head, top_k, logit_scale, judge, progress)

    def search(self, text: str | None = None, **options) -> SearchResult:
        """Rank all test images of a dataset by their cosines with a sentence, an image, or both.

        With both, the query is the normalised sum of the two normalised vectors. The ranking is exact, and that of the
        latest queries is remembered. Where the features of the test images are not stored, they are computed first.

        Parameters
        ----------
        text : str, optional
            A sentence, as typed: no template is added.
        **options
            ``image``, any image, or ``index``, a test image, which is then not ranked itself; ``offset`` and ``limit``,
            the part of the ranking, by default the first 24 images; ``dataset``, ``model`` and ``progress`` as in
            `predict`.

        Raises
        ------
        InputError
            When the sentence is empty or too long, or an option is not allowed.
        """
        return self._searcher.search(text, **options)

    def predict_many(self, images: Iterable[ImageSource], **options) -> Iterator[PhotoPrediction]:
        """Yield the predictions for many photos in their order, encoded when no visitor waits, and not remembered.

        Parameters
        ----------
        images : iterable of PIL image, path or bytes
            One that cannot be read does not end the work: the answer says why.
        **options
            ``dataset``, ``prompts``, ``top_k``, ``model``, ``logit_scale``, ``none_of_these`` and ``progress`` as in
            `predict`.
        """
        return self._photos.predict_many(images, **options)

    def word_knowledge(self, names: Iterable[str], model: str | None = None) -> tuple[WordKnowledge, ...]:
        """Return what a model knows of words or class names; empty where that is not known, as for OpenAI's models."""
        return word_knowledge(names, self._ready(model).encoder.sha256)

    def evaluate(
        self,
        prompts: PromptSet | None = None,
        *,
        dataset: str | None = None,
        model: str | None = None,
        baseline: PromptSet | None = None,
        progress: Progress | None = None,
    ) -> EvaluationReport:
        """Evaluate a prompt set on the whole test set.

        The images' features are computed once and stored; the latest predictions are remembered.

        Parameters
        ----------
        prompts : PromptSet, optional
            One class name for each class of the dataset, in its order; default as in `predict`.
        baseline : PromptSet, optional
            What to compare with, on the same images.
        dataset, model : str, optional
        progress : callable, optional
            See `clip_demo.progress.Progress`.
        """
        on = self._dataset(dataset)
        prompts = check_prompts(prompts, on, whole=True)
        baseline = None if baseline is None else check_prompts(baseline, on, "baseline", whole=True)
        return self._evaluator.evaluate(self._ready(model), on, prompts, baseline, progress)

    def ablate_templates(
        self,
        prompts: PromptSet | None = None,
        *,
        dataset: str | None = None,
        model: str | None = None,
        progress: Progress | None = None,
    ) -> tuple[TemplateRow, ...]:
        """Measure every template alone, and the ensemble without it; see `evaluate` for the arguments."""
        on = self._dataset(dataset)
        prompts = check_prompts(prompts, on, whole=True)
        return self._evaluator.ablate_templates(self._ready(model), on, prompts, progress)

    def compare_names(
        self,
        classname: str,
        names: Iterable[str],
        prompts: PromptSet | None = None,
        *,
        dataset: str | None = None,
        model: str | None = None,
        progress: Progress | None = None,
    ) -> tuple[NameRow, ...]:
        """Measure 1 to 50 other names for one class of the prompt set; see `evaluate` for the arguments."""
        on = self._dataset(dataset)
        prompts = check_prompts(prompts, on, whole=True)
        position = prompts.position(classname)
        renamed = prompts.renamed(position, names)
        return self._evaluator.compare_names(self._ready(model), on, prompts, position, renamed, progress)

    def hide_classes(
        self, prompts: PromptSet | None = None, *, dataset=None, model=None, hidden=HIDDEN, seed=0, progress=None
    ) -> HiddenClasses:
        """Hide some classes, and measure how well it is seen that their images show none of the others.

        Parameters
        ----------
        prompts, dataset, model, progress
            As in `evaluate`.
        hidden, seed : int
            How many classes, and which: drawn at random with this seed.
        """
        on = self._dataset(dataset)
        prompts = check_prompts(prompts, on, whole=True)
        return self._judge.measure(self._ready(model), on, prompts, hidden, seed, progress)

    def has_test_features(self, dataset: str | None = None, model: str | None = None) -> bool:
        """Whether the features of all test images are stored, so that the images themselves are not needed."""
        return self._stores.features.get(self.encoder(model).sha256, self._dataset(dataset).key) is not None

    def store_features(
        self, dataset: str | None = None, *, folder: str | Path, progress: Progress | None = None
    ) -> Path:
        """Encode all test images again, and write their features in compact form; return the file."""
        on, folder = self._dataset(dataset), check_folder(folder, "folder")
        return encode_and_save(self.encoder(), on, folder, progress)

    def first_image(self, dataset: str | None = None, model: str | None = None) -> FirstImage | None:
        """Return the image that a visitor sees first; None until the model is loaded, and where none is stored."""
        on, chosen = self._dataset(dataset), self._models.peek(model or self.default_model)
        return self._evaluator.first_image(chosen, on) if chosen and chosen.state == "ready" else None

    def find_first_image(
        self, dataset: str | None = None, *, folder: str | Path, progress: Progress | None = None
    ) -> FirstImage | None:
        """Find the first image and store it in the head's folder; None where no image fits."""
        on, folder = self._dataset(dataset), check_folder(folder, "folder")
        return self._evaluator.find_first_image(self._models.get(), on, folder, progress)

    # --- linear probes --------------------------------------------------------------------------------------------

    def head(self, dataset: str | None = None, model: str | None = None) -> Head | None:
        """Return the head for a model and a dataset, or None."""
        return self._stores.heads.get(self.encoder(model).sha256, self._dataset(dataset).key)

    def few_shot_curve(self, dataset: str | None = None, model: str | None = None) -> FewShotCurve | None:
        """Return the few-shot curve for a model and a dataset, perhaps incomplete, or None."""
        return self._stores.curves.get(self.encoder(model).sha256, self._dataset(dataset).key)

    def fit_probe(
        self,
        dataset: str | None = None,
        *,
        folder: str | Path,
        progress: Progress | None = None,
        extract: Extract | None = None,
        **options,
    ) -> tuple[Path, Head]:
        """Fit a head on all training images, test it on all test images, and save it and the first image.

        Features are kept in the cache, so interrupted work continues where it stopped.

        Parameters
        ----------
        dataset : str, optional
        folder : path
            Folder of the head.
        progress : callable, optional
        extract : Extract, optional
            How images are encoded; default directly.
        **options
            Passed to `clip_demo.linear_probe.pipeline.ProbePipeline.fit`.

        Raises
        ------
        OptionError
            When an option or a folder is not allowed: before anything is loaded or encoded.
        ArtifactError
            When the head cannot be saved.
        """
        on, options = self._dataset(dataset), check_fit(**options)
        folder = check_folder(folder, "folder")
        model = self._models.get()
        zero_shot = partial(self._evaluator.zero_shot, model, on)
        pipeline = ProbePipeline(model.encoder, on, self._stores, zero_shot, extract=extract, progress=progress)
        head = pipeline.fit(**options)
        path = self._stores.heads.put(head, folder)
        self._evaluator.find_first_image(model, on, folder)
        return path, head

    def start_probe_job(self, dataset: str | None = None, model: str | None = None, *, plan: Plan = WHOLE) -> None:
        """Start to fit a head and its few-shot curve in the background; `status` reports the progress.

        The job waits for the model and the dataset, downloading them where it must, and continues where an earlier one
        stopped. While it is running, a second call for the same model and dataset lets it go as far as both.

        Parameters
        ----------
        dataset, model : str, optional
        plan : Plan, optional
            How far it goes; default to the head on all training images and the complete curve.

        Raises
        ------
        OptionError
            While a job for another model or dataset is running.
        """
        on = self._dataset(dataset)
        self._jobs.start(self._models.retry(model or self.default_model), on, plan)

    def stop_probe_job(self) -> None:
        """Stop the running job after its current batch or fit; what it computed stays on disk."""
        self._jobs.stop()

    # --- what the methods share -----------------------------------------------------------------------------------

    def _dataset(self, name: str | None) -> Dataset:
        return resolve_dataset(self.datasets, self.requested_dataset if name in (None, "") else name)

    def _choose(self, model: str | None, dataset: str | None) -> tuple[ModelHandle, Dataset]:
        on = self._dataset(dataset)
        return self._ready(model), on

    def _subject(self, *, image=None, index=None, dataset=None, prompts=None, model=None) -> Subject:
        """Return what a prediction is about, with the image's features; see `predict` for the arguments."""
        on = self._dataset(dataset)
        prompts = check_prompts(prompts, on)
        if (image is None) == (index is None):
            given = "neither" if image is None else "both"
            raise OptionError(f"image, index: got {given}; give one of them, an image or an index of a dataset.")
        chosen = self._ready(model)
        if index is None:
            return Subject.of_image(chosen, on, prompts, image)
        return Subject.of_index(chosen, on, prompts, index, self._stores.features)

    def _ready(self, model: str | None) -> ModelHandle:
        """Return a model; a call waits only for the default one."""
        chosen = self._models.get(model)
        if chosen.name != self.default_model and chosen.state in ("downloading", "loading"):
            message = chosen.status.message
            raise ModelError(
                f"model: {message} Ask again later, or use {self.default_model!r}.",
                page=f"{message} Wait until it is ready, or choose another model.",
            )
        return chosen
