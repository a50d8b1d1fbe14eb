"""The command ``prepare``: makes all that the page can show of a model and a dataset, and reports what it made."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from ..artifacts import check_folder, checksums_of, file_name
from ..backend import Backend
from ..datasets.base import Dataset
from ..datasets.catalog import CIFAR100
from ..download import places
from ..evaluation.first_image import FirstImageStore
from ..features.extract import Extract, encode_directly
from ..features.feature_store import FeatureStore, is_compact, save_features
from ..linear_probe.few_shot_curve import CurveStore
from ..linear_probe.fit import is_full_head
from ..linear_probe.head import HeadStore
from ..linear_probe.pipeline import ProbePipeline, Stores
from ..models.catalog import BUILT_IN, OPENAI_MODELS, PREFERRED, is_downloaded
from ..models.sources import weights_files
from ..paths import ASSETS, BUILT_IN_CHECKPOINT, cache_folder, converted_path, expanded, weights_path
from ..progress import Progress
from ..zero_shot.prompt_set import PromptSet
from .commands import chosen_dataset, open_backend
from .progress_bars import ProgressBars
from .ray_option import check_ray, whole_sets
from .reproduce import reproduce, table

HEAD, CURVE, TEST_FEATURES, FIRST_IMAGE = "linear probe", "few-shot curve", "test features", "first image"


@dataclass(frozen=True)
class Part:
    """A row of the report.

    Attributes
    ----------
    what : str
    state : str
        Such as ``"made"`` or ``"was there"``.
    path : pathlib.Path or None
        File or folder; None where there is none.
    """

    what: str
    state: str
    path: Path | None


def run_prepare(options: Namespace) -> int:
    """Make what is missing, and print the report; return 1 if a published number is missed."""
    folder = None if options.output is None else check_folder(options.output, "--output")
    check_folder(cache_folder(), "$CLIP_DEMO_CACHE")
    had_weights = is_downloaded(options.model, options.weights_root)
    had_images = chosen_dataset(options).available()
    # What is somewhere is not made again. New files of the page's own go to the cache.
    stores = Stores.open(*filter(None, (folder, ASSETS, cache_folder())))
    check_ray(options)
    backend = open_backend(options, stores=stores)
    dataset = backend.datasets[backend.default_dataset]
    with ProgressBars() as bars:
        with whole_sets(options, backend) as extract:
            made = prepare(backend, stores, folder, bars, extract)
        accuracy = backend.evaluate(progress=bars).accuracy
        is_published = (backend.default_model, dataset.name) == (PREFERRED, CIFAR100)
        rows = reproduce(backend, progress=bars) if is_published else []
    inputs = [
        Part("weights", _state(not had_weights, "downloaded"), _weights(options)),
        Part("images", _state(not had_images, "downloaded") if dataset.folder else "drawn by code", dataset.folder),
    ]
    title = f"{backend.default_model} on {dataset.title}"
    print(f"{title}\n\n{_table([*inputs, *made])}\n\n{_summary(made[1:], folder)}\n")
    print(f"zero-shot     {100 * accuracy.top1:.2f} % of {accuracy.n:,} test images")
    print(f"linear probe  {100 * accuracy.probe_top1:.2f} %")
    if not accuracy.balanced:
        means = f"{100 * accuracy.mean_per_class:.2f} % and {100 * accuracy.probe_mean_per_class:.2f} %"
        print(f"mean of the classes, which have unequal numbers of images: {means}")
    print()
    print(table(rows) if rows else f"No numbers of {title} are published, so there are none to compare these with.")
    return int(any(row.missed for row in rows))


def prepare(
    backend: Backend,
    stores: Stores,
    folder: Path | None,
    progress: Progress | None = None,
    extract: Extract | None = None,
) -> list[Part]:
    """Make what is missing of a head by the default recipe, the few-shot curve, test features and the first image.

    Features are kept in the cache and the curve after each fit, so a killed run is continued by the next.

    Parameters
    ----------
    backend : Backend
        Opened with `stores`.
    stores : Stores
        Look in `folder`, too, and keep features in the cache.
    folder : path or None
        Shall have all of it. None: what is anywhere in `stores` is not missing, and new files go to the cache.
    progress : callable, optional
        See `clip_demo.progress.Progress`.
    extract : Extract, optional
        How images are encoded; default directly.

    Returns
    -------
    list of Part
        The features of all images, then these four.
    """
    encoder, dataset = backend.encoder(), backend.datasets[backend.default_dataset]
    key, target = (encoder.sha256, dataset.key), folder or cache_folder()
    before, shards = _present(folder, key, dataset), _shards(stores, encoder.name, key)
    n_shards = _n_files(shards)

    def zero_shot(*_) -> tuple[float, tuple[str, ...]]:
        prompts = PromptSet.for_dataset(dataset)
        return backend.evaluate(prompts).accuracy.top1, prompts.templates

    pipeline = ProbePipeline(encoder, dataset, stores, zero_shot, extract=extract, progress=progress)
    head = stores.heads.get(*key)
    copied = (HEAD, CURVE) if pipeline.is_finished() and is_full_head(head, dataset) else ()
    if not copied:
        *_, head = pipeline.heads(curve_folder=target / "curves")
    if before[HEAD] is None:
        stores.heads.put(head, target / "heads")
    if before[CURVE] is None:
        stores.curves.put(stores.curves.get(*key), target / "curves")
    if before[TEST_FEATURES] is None:
        features = stores.features.get_or_encode(encoder, dataset, extract or encode_directly(encoder), progress)
        save_features(features, target / "features", encoder, dataset, compact=True)
    if before[FIRST_IMAGE] is None:
        backend.find_first_image(folder=target / "heads", progress=progress)
    after, shards = _present(folder, key, dataset), _shards(stores, encoder.name, key)
    new = {
        what: "none fits" if path is None else "copied" if what in copied else "made" for what, path in after.items()
    }
    parts = [Part(what, _state(before[what] is None, new[what]), path) for what, path in after.items()]
    features = "not needed" if shards is None else _state(_n_files(shards) > n_shards, "made")
    return [Part("features", features, shards), *parts]


def _present(folder: Path | None, key: tuple[str, str], dataset: Dataset) -> dict[str, Path | None]:
    """Return the files that are there and complete: in the folder, or without one anywhere where the page looks."""
    roots = (ASSETS, cache_folder()) if folder is None else (folder,)
    heads = HeadStore([root / "heads" for root in roots])
    curves = CurveStore([root / "curves" for root in roots])
    features = FeatureStore([root / "features" for root in roots]).path(*key)
    curve = curves.get(*key)
    return {
        HEAD: heads.path(*key) if is_full_head(heads.get(*key), dataset) else None,
        CURVE: curves.path(*key) if curve is not None and curve.complete else None,
        TEST_FEATURES: features if features is not None and is_compact(features) else None,
        FIRST_IMAGE: FirstImageStore(heads.folders).path(*key),
    }


def _shards(stores: Stores, model: str, key: tuple[str, str]) -> Path | None:
    """Return the folder of the features of all images, where there is one."""
    names = (f"{file_name(model, key[1], '')}-{sha256[:16]}" for sha256 in checksums_of(key[0]))
    return next((path for name in names if (path := stores.shards / name).is_dir()), None)


def _n_files(folder: Path | None) -> int:
    return 0 if folder is None else len(list(folder.glob("*.npz")))


def _weights(options: Namespace) -> Path | None:
    """Return the file from which the model is opened."""
    if options.model == BUILT_IN:
        return BUILT_IN_CHECKPOINT
    if options.model not in OPENAI_MODELS:
        return expanded(options.model)
    archive = weights_path(options.model, options.weights_root)
    found = (path for file in weights_files(options.model) for path in places(file, archive.parent))
    return next((path for path in (converted_path(archive), *found) if path.exists()), None)


def _state(is_new: bool, new: str) -> str:
    return new if is_new else "was there"


def _table(parts: list[Part]) -> str:
    width = max(len(part.state) for part in parts)
    lines = []
    for part in parts:
        n_bytes = 0 if part.path is None else _n_bytes(part.path)
        size = "" if part.path is None else f"{n_bytes / 1e6:.1f} MB" if n_bytes > 1e5 else f"{n_bytes / 1e3:.1f} kB"
        lines.append(f"{part.what:<16}{part.state:<{width}}{size:>12}  {part.path or ''}".rstrip())
    return "\n".join(lines)


def _n_bytes(path: Path) -> int:
    files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files)


def _summary(parts: list[Part], folder: Path | None) -> str:
    """Return what was missing, and whether the page finds it."""
    missing = [part.what for part in parts if part.state in ("made", "copied")]
    first = f"Missing until now: {', '.join(missing)}." if missing else "Nothing was missing."
    if folder is None or any(folder.resolve() == each.resolve() for each in (ASSETS, cache_folder())):
        return f"{first} The page finds all of it."
    return f"{first} The page looks in {ASSETS} and {cache_folder()}: copy heads, features and curves there."
