"""What the verbs of the command line do: ask the backend, print."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tqdm import tqdm

from ..backend import Backend, Prediction
from ..datasets.catalog import CIFAR100
from ..datasets.cifar100 import Cifar100
from ..datasets.shapes100 import Shapes100
from ..evaluation import tables as exports
from ..evaluation.accuracy import Evaluation
from ..evaluation.significance import Difference
from ..linear_probe.few_shot_curve import CurvePoint, FewShotCurve
from ..linear_probe.head import Provenance
from ..models.catalog import OPENAI_MODELS, PREFERRED
from ..paths import cache_folder, weights_on_disk
from ..zero_shot.prompts import read_classnames

__all__ = [
    "BENCH_SECTIONS",
    "run_bench",
    "run_download",
    "run_evaluate",
    "run_fit_probe",
    "run_predict",
    "run_reproduce",
    "run_store_features",
    "run_zero_shot",
]

# Those of `clip_demo.bench.SECTIONS`, which cannot be asked without importing torch.
BENCH_SECTIONS = ("loading", "start", "text", "image", "users", "memory")


def run_zero_shot(options: argparse.Namespace) -> None:
    """Print the article's "Top predictions:" block."""
    prediction = _predict(options)
    print("\nTop predictions:\n")
    for score in prediction.zero_shot:
        print(f"{score.label:>16s}: {100 * score.probability:.2f}%")


def run_predict(options: argparse.Namespace) -> None:
    """Print both predictions, for people or as JSON."""
    prediction = _predict(options, image=options.image)
    print(json.dumps(prediction.to_dict(), indent=2, ensure_ascii=False) if options.json else _as_text(prediction))


def run_evaluate(options: argparse.Namespace) -> None:
    """Print accuracy over the whole test set."""
    classnames, before = (each and read_classnames(each) for each in (options.classes, options.baseline_classes))
    backend, bars = _open(options), Bars("")
    wording = backend.wording(
        classnames=classnames, templates=options.template, replace_underscores=options.replace_underscores
    )
    examination = backend.examine(
        classnames=wording.classnames,
        templates=wording.templates,
        replace_underscores=wording.replace_underscores,
        baseline=wording.varied(before, options.baseline_template, options.baseline_replace_underscores),
        progress=bars,
    )
    bars.close()
    if options.csv:
        print(exports.to_csv(exports.per_class(examination)), end="")
    elif options.json:
        print(json.dumps(examination.evaluation.to_dict()))
    else:
        print(_evaluation_as_text(examination.evaluation))


def run_store_features(options: argparse.Namespace) -> None:
    """Compute the features of all test images and store them with sixteen bits a number."""
    backend, bars = _open(options), Bars()
    path = backend.store_features(folder=options.output, progress=bars)
    bars.close()
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def run_fit_probe(options: argparse.Namespace) -> None:
    """Fit a head, save it, and print its accuracy in the article's form."""
    backend, bars = _open(options), Bars()
    recipe = {} if options.C is None else {"C": options.C}
    if options.normalized:
        recipe["normalized"] = True
    path, head = backend.fit_probe(
        options.dataset,
        folder=options.output or cache_folder() / "heads",
        progress=bars,
        curve_folder=options.curve,
        swept=options.sweep,
        **recipe,
    )
    bars.close()
    print(f"Accuracy = {100 * head.provenance.test_accuracy:.3f}")
    print(f"{_describe(head.provenance)}: {path}", file=sys.stderr)
    if options.curve:
        print(_curve_as_text(backend.curve(options.dataset)), file=sys.stderr)


def run_download(options: argparse.Namespace) -> None:
    """Fetch a model's weights or an dataset, with a bar."""
    if options.what in OPENAI_MODELS:
        path = _fetch_weights(options.what, options.weights_root)
        print(f"{options.what} is ready: {path}")
    else:
        # Made directly: the folder need not be there yet.
        dataset = Cifar100(options.data_root) if options.what == CIFAR100 else Shapes100()
        dataset.download()  # torchvision draws the bar
        print(f"{dataset.title} is ready.")


def run_reproduce(options: argparse.Namespace) -> int:
    """Print expected and got for every published number; 1 where one is missed."""
    from .reproduce import reproduce, table

    options.model, options.dataset = PREFERRED, CIFAR100
    backend = _open(options)
    bars = Bars()
    rows = reproduce(backend, clip_png=options.clip_png, whole_test_set=not options.quick, progress=bars)
    bars.close()
    print(table(rows))
    return int(any(row.missed for row in rows))


def run_bench(options: argparse.Namespace) -> None:
    """Measure, and print ratios."""
    from ..benchmark.report import as_text
    from ..benchmark.sections import measure

    sections = options.sections
    if "all" in sections:
        # --users alone asks for that one thing.
        sections = BENCH_SECTIONS if options.users is None else ("users",)
    rows = []
    for section in sections:
        bars = Bars("rounds")
        rows += measure(
            section, rounds=options.rounds, users=options.users or 30, duration=options.seconds, progress=bars
        )
        bars.close()
    print(json.dumps([each.to_dict() for each in rows]) if options.json else as_text(rows))


def _open(options: argparse.Namespace) -> Backend:
    if options.model in OPENAI_MODELS and not weights_on_disk(options.model, options.weights_root):
        _fetch_weights(options.model, options.weights_root)
    backend = Backend.open(
        options.model,
        dataset=options.dataset,
        data_root=options.data_root,
        weights_root=options.weights_root,
        device=options.device,
    )
    dataset = backend.datasets[backend.default_dataset]
    if getattr(options, "image", None) is None and not dataset.available():
        print(f"{dataset.title} is not on disk; fetching it.", file=sys.stderr)
        dataset.download()
    return backend


def _fetch_weights(name: str, root: str | None) -> Path:
    from ..models.download import fetch_weights

    bars = Bars("B")
    try:
        return fetch_weights(name, root, lambda done, total: bars(name, done, total))
    finally:
        bars.close()


def _classnames(options: argparse.Namespace) -> tuple[str, ...] | None:
    return None if options.classes is None else read_classnames(options.classes)


def _predict(options: argparse.Namespace, image: str | None = None) -> Prediction:
    classnames = _classnames(options)  # before anything is fetched or loaded
    return _open(options).predict(
        image=image,
        index=options.index,
        classnames=classnames,
        templates=options.template,
        replace_underscores=options.replace_underscores,
        top_k=options.top_k,
    )


class Bars:
    """Progress bars on the terminal, one for each thing that is being done."""

    def __init__(self, unit: str = "dataset"):
        self._unit, self._bars = unit, {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._bars:
            unit = "fits" if what.startswith("fits") else self._unit
            # What is done by now may come from an earlier start: it says nothing about the speed.
            self._bars[what] = tqdm(total=total, initial=done, desc=what, unit=unit, unit_scale=unit != "fits")
        if self._bars[what].total != total:
            self._bars[what].reset(total)  # the same once more, for another number
        self._bars[what].update(done - self._bars[what].n)

    def close(self) -> None:
        """Leave every bar as it stands."""
        for bar in self._bars.values():
            bar.close()


# --- text -------------------------------------------------------------------------------------------------------


def _as_text(prediction: Prediction) -> str:
    what = "your image" if prediction.index is None else f"{prediction.dataset} test image {prediction.index}"
    lines = [f"{prediction.model} · {what} · true label: {prediction.truth or 'unknown'}", "", "Zero-shot:", ""]
    lines += [f"{s.label:>16s}: {100 * s.probability:6.2f}%  cosine {s.cosine:.4f}" for s in prediction.zero_shot]
    probe = prediction.linear_probe
    if probe is None:
        lines += [
            "",
            f"Linear probe: no head for {prediction.model} on {prediction.dataset}; make one with fit-probe.",
        ]
    else:
        lines += ["", f"Linear probe ({_describe(probe.head)}):", ""]
        lines += [f"{s.label:>16s}: {100 * s.probability:6.2f}%" for s in probe.top]
    return "\n".join(lines)


def _evaluation_as_text(got: Evaluation) -> str:
    lines = [f"top-1 = {100 * got.top1:.2f}", f"top-5 = {100 * got.top5:.2f}", f"n = {got.n}"]
    if got.probe_top1 is not None:
        lines.append(f"linear probe = {100 * got.probe_top1:.2f}")
    if got.difference is not None:
        lines += ["", *_difference_as_text(got.difference)]
    return "\n".join(lines)


def _difference_as_text(difference: Difference) -> list[str]:
    change, low, high = (f"{100 * each:+.2f}" for each in (difference.top1, difference.low, difference.high))
    p_value = "less than 0.0001" if difference.p_value < 0.0001 else f"{difference.p_value:.4f}"
    meaning = "chance alone hardly explains this" if difference.p_value < 0.05 else "chance alone may explain this"
    return [
        f"against the baseline: {change} points of top-1 (95 % interval {low} to {high})",
        f"{difference.gained} images became right, {difference.lost} became wrong",
        f"p = {p_value} (McNemar's exact test): {meaning}",
    ]


def _curve_as_text(curve: FewShotCurve) -> str:
    lines = [f"zero-shot: {100 * curve.zero_shot:.2f}%", *map(_point_as_text, curve.points)]
    reached = "not reached" if curve.crossing is None else f"at about {curve.crossing:.1f} images of each class"
    return "\n".join([*lines, f"the probe is as good as zero-shot: {reached}"])


def _point_as_text(point: CurvePoint) -> str:
    spread = f" ± {100 * point.std:.2f} over {len(point.draws)} draws" if len(point.draws) > 1 else ""
    return f"{point.per_class:>4d} of each class: {100 * point.mean:.2f}%{spread}"


def _describe(head: Provenance) -> str:
    note = f", {head.note}" if head.note else ""
    return (
        f"{head.model} on {head.dataset}, {head.n_train:,} images, C={head.C:.4g}{note}, "
        f"{100 * head.test_accuracy:.2f}% on {head.n_test:,} test images"
    )
