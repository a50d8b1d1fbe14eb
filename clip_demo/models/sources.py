"""Where the weights of OpenAI's models come from: data.

The table of the Hub was collected from public repositories: open_clip's ``pretrained.py`` names the files, and each sum
stands in at least two repositories that have nothing to do with each other. A file with another sum is refused.
"""

from functools import partial
from pathlib import Path

from ..download import DownloadError, HubFile, RemoteFile, fetch
from ..errors import ModelError, page_message_of
from ..paths import weights_path
from ..progress import Progress
from ..switches import failed_sentence

# openai/CLIP, clip/clip.py: SHA-256 and bytes of each archive; the sizes are what the server says. None: not known.
ARCHIVES = {
    "RN50": ("afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762", 255_827_503),
    "RN101": ("8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599", 291_791_292),
    "RN50x4": ("7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd", 421_854_225),
    "RN50x16": ("52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa", 661_125_706),
    "RN50x64": ("be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c", None),
    "ViT-B/32": ("40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", 353_976_522),
    "ViT-B/16": ("5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f", 350_837_078),
    "ViT-L/14": ("b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836", None),
    "ViT-L/14@336px": ("3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02", None),
}
# The address in openai/CLIP's clip.py, and OpenAI's storage behind it, which has the same paths.
ADDRESSES = (
    "https://openaipublic.azureedge.net/clip/models/{sha256}/{file}",
    "https://openaipublic.blob.core.windows.net/clip/models/{sha256}/{file}",
)

_TIMM = "open_clip_model.safetensors"  # in openai-clip's layout, float32 values of the archives' weights
# Model: repository, revision, SHA-256 and bytes. The revisions and sums of the other four ResNets are not known.
TIMM = {
    "ViT-B/32": (
        "timm/vit_base_patch32_clip_224.openai",
        "a6f597a30f7b82c51704746581f9a4e41421e878",
        "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",
        605_143_284,
    ),
    "ViT-B/16": (
        "timm/vit_base_patch16_clip_224.openai",
        "977e3dd0ec55ab8da155f2fbeb6b5f54948b6e3d",
        "4b8699299b1e8997753c64b052ba32031449d5d853f55a039148560ee02b820f",
        598_516_980,
    ),
    "ViT-L/14": (
        "timm/vit_large_patch14_clip_224.openai",
        "18d0535469bb561bf468d76c1d73aa35156c922b",
        "9ce2e8a8ebfff3793d7d375ad6d3c35cb9aebf3de7ace0fc7308accab7cd207e",
        1_710_517_724,
    ),
    "ViT-L/14@336px": (
        "timm/vit_large_patch14_clip_336.openai",
        "81e38efc4637de5023b10e75a7f9bd1c6fa6b010",
        "fbc415c3d0d7b79faed8f5ccfb740c32b7c4f5ffe7283b851f89c6231c01a8e0",
        1_711_828_444,
    ),
    "RN50": (
        "timm/resnet50_clip.openai",
        "ec3d92cf63a5f9d591f0d611b736895966c73076",
        "da0baa37fb2211eee5729ab69ed587eb10d48f5b7076ceeed01552fc3d4cb4ee",
        408_291_932,
    ),
}

# In the layout of `transformers`, for whoever has one of them on disk: SHA-256, bytes, and the files of the Hub.
TRANSFORMERS = {
    "ViT-B/32": (
        (
            "99d28a652e6ec46629ab7047a0ac82c69b1fe11e0ce672c43af65d3a9a3fc05d",
            605_157_884,
            (
                HubFile(
                    "openai/clip-vit-base-patch32", "b33cedfd0df4e43b8238760678fcc89e1a0d38b3", "model.safetensors"
                ),
                HubFile(
                    "sentence-transformers/clip-ViT-B-32",
                    "327ab6726d33c0e22f920c83f2ff9e4bd38ca37f",
                    "0_CLIPModel/model.safetensors",
                ),
            ),
        ),
        (  # a pickle: opened with weights_only=True where it lies in the cache, never downloaded
            "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f",
            605_247_071,
            (HubFile("openai/clip-vit-base-patch32", "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268", "pytorch_model.bin"),),
        ),
    ),
}


def weights_files(name: str) -> tuple[RemoteFile, ...]:
    """Return the files that an OpenAI model can be opened from, in the order in which they are looked for.

    Parameters
    ----------
    name : str
        A name in `ARCHIVES`.
    """
    archive = weights_path(name, Path()).name
    sha256, size = ARCHIVES[name]
    addresses = tuple(address.format(sha256=sha256, file=archive) for address in ADDRESSES)
    files = [RemoteFile(archive, sha256, size, addresses)]
    if name in TIMM:
        repository, revision, sha256, size = TIMM[name]
        files.append(RemoteFile("", sha256, size, (HubFile(repository, revision, _TIMM),)))
    for sha256, size, hub in TRANSFORMERS.get(name, ()):
        downloadable = hub if hub[0].path.endswith(".safetensors") else ()
        files.append(RemoteFile("", sha256, size, downloadable, cached=() if downloadable else hub))
    return tuple(files)


def is_openai_file(sha256: str) -> bool:
    """Whether a file with this checksum is one of OpenAI's models."""
    return any(file.sha256 == sha256 for name in ARCHIVES for file in weights_files(name))


def fetch_weights(
    name: str, root: str | Path | None = None, progress: Progress | None = None
) -> tuple[Path, RemoteFile]:
    """Return a file with the weights of an OpenAI model and what it is; download it where none is on this machine.

    Parameters
    ----------
    name : str
        A name in ``clip.available_models()``.
    root : path, optional
        See `clip_demo.paths.weights_root`.
    progress : callable, optional
        Called with the model's name, the bytes received and the bytes in total.

    Raises
    ------
    ModelError
        When no source gives the file; the message has a line for each.
    """
    target = weights_path(name, root)
    try:
        return fetch(weights_files(name), target.parent, partial(progress, name) if progress else None)
    except DownloadError as error:
        raise ModelError(
            f"model: {name!r} cannot be downloaded.\n{error}\nWithout a network, bring one of these files and run "
            f"`python -m clip_demo download {name} --from FILE`, or use 'tiny', which needs none.",
            page=page_message_of(error, failed_sentence(name)),
            private=True,
        ) from error
