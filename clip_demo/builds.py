"""The building of heads and curves in the background, one at a time."""

from __future__ import annotations

import threading
from pathlib import Path

from .curve import CurveStore, FewShotCurve
from .encoder import Report
from .errors import OptionError
from .evaluation import places
from .images import ImageSet
from .loading import Loading
from .metadata import ARTICLE_TEMPLATE
from .numerics import normalize
from .probe import Head, HeadStore
from .probe_builder import Job, ProbeBuilder
from .results import BuildStatus
from .stored import FeatureStore
from .zero_shot import class_features, cosines_of

__all__ = ["EARLY", "Builds"]

# The first head comes from so many pictures of each class, and is tested on so many pictures: a ViT-B/32 on two
# cores has it in minutes.
EARLY, EARLY_TEST = 20, 1_000


class Builds:
    """Makes what a model and an image set lack: a first head soon, better ones in its place, and the few-shot curve.

    Visitors come first: pictures are encoded while nobody waits for an answer, see `Features.of_job`. What is made
    stays on disk, and the next start goes on from there.

    Parameters
    ----------
    heads, curves, stored
        Where results go.
    folder : path
        The cache: it gets ``heads``, ``curves`` and ``shards``.
    """

    def __init__(self, heads: HeadStore, curves: CurveStore, stored: FeatureStore, folder: Path):
        self._heads, self._curves, self._stored, self._folder = heads, curves, stored, folder
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str], Job] = {}

    def start(self, model: Loading, image_set: ImageSet) -> None:
        """Begin, unless that is under way.

        Raises
        ------
        OptionError
            When another model's or image set's is under way.
        """
        key = (model.name, image_set.name)
        with self._lock:
            for other, job in self._jobs.items():
                if job.running and other != key:
                    raise OptionError(f"build: {job.title} is under way; wait for it, or stop it.")
            if key not in self._jobs or not self._jobs[key].running:
                title = f"The probe of {model.name} on {image_set.title}"
                self._jobs[key] = Job(title, lambda report: self._work(model, image_set, report), image_set.sizes)

    def cancel(self) -> None:
        """End what is under way; what was made is kept."""
        with self._lock:
            for job in self._jobs.values():
                job.cancel()

    def status(self, model: str, images: str) -> BuildStatus | None:
        """Say how far it is; None where nothing was begun."""
        job = self._jobs.get((model, images))
        return job and job.status

    def curve(self, model: Loading, image_set: ImageSet) -> FewShotCurve | None:
        """Return the curve that is stored, or as far as it has come; None where there is none."""
        key = (model.encoder.sha256, image_set.name)
        return self._curves.get(*key)

    def _work(self, model: Loading, image_set: ImageSet, report: Report) -> None:
        encoder, key = model.encoder, (model.encoder.sha256, image_set.name)
        if not image_set.on_disk():
            report(f"fetching {image_set.title}", 0, 0)
            image_set.download()
        head, known = self._heads.get(*key), self._curves.get(*key)
        if head and head.provenance.n_train == image_set.sizes["train"] and known and known.complete:
            return
        builder = ProbeBuilder(
            encoder,
            image_set,
            self._folder / "shards",
            encode=model.features.of_job,
            progress=report,
            on_head=self._offer,
            known=known,
        )
        if head is None:
            builder.fit_few(EARLY, n_test=min(EARLY_TEST, image_set.sizes["test"]))
        self.measure(builder, model, self._folder / "curves")
        head = self._heads.get(*key)
        if head is None or head.provenance.n_train < image_set.sizes["train"]:
            builder.fit()

    def measure(self, builder: ProbeBuilder, model: Loading, folder: str | Path) -> None:
        """Measure the few-shot curve; as far as it has come it is on disk, and can be asked for."""
        image_set, templates = builder.image_set, (ARTICLE_TEMPLATE,)
        weights = class_features(model.features, image_set.classnames, templates)
        cosines = cosines_of(normalize(builder.features("test")), weights)
        zero_shot = float((places(cosines, image_set.labels()) == 0).mean())
        for curve in builder.curve(zero_shot, templates):
            self._curves.put(curve, folder)

    def _offer(self, head: Head) -> None:
        """Use a head where it was fitted on more pictures than the one that is there."""
        provenance = head.provenance
        present = self._heads.get(provenance.model_sha256, provenance.image_set)
        if present is None or present.provenance.n_train < provenance.n_train:
            self._heads.put(head, self._folder / "heads")
