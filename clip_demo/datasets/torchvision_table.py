"""The datasets that torchvision reads: one more is one more row of `TORCHVISION`."""

from dataclasses import dataclass
from typing import Any

from ..download import RemoteFile
from . import openai_classes as names
from . import openai_templates as templates

# Arguments of torchvision's class, one or several for a split. Several are joined, in this order.
Options = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Row:
    """A dataset of torchvision.

    Attributes
    ----------
    title : str
    kind : str
        Its class in ``torchvision.datasets``.
    files : tuple of RemoteFile
        What torchvision downloads, with its addresses and MD5 sums. Archives are unpacked.
    base : str
        Folder below the root for these files; archives are unpacked there.
    unpacked : tuple of str
        What is in that folder then.
    train, test : tuple of dict
        Arguments of the class for each split; the same for both where torchvision has no splits: then a fifth of each
        class is the test split, see `clip_demo.datasets.listing`.
    sizes : tuple of int
        Numbers of training and test images.
    classnames, templates : tuple of str
        From openai/CLIP's ``data/prompts.md``.
    groups : tuple of str
        See `Dataset.coarse_names`.
    group_of : tuple of int
        See `Dataset.coarse_of`.
    same_names : bool
        Whether torchvision has the same names, but for spaces and case, so that they are compared.
    """

    title: str
    kind: str
    files: tuple[RemoteFile, ...]
    base: str
    unpacked: tuple[str, ...]
    train: Options
    test: Options
    sizes: tuple[int, int]
    classnames: tuple[str, ...]
    templates: tuple[str, ...]
    groups: tuple[str, ...] = ()
    group_of: tuple[int, ...] = ()
    same_names: bool = True


def _file(address: str, md5: str, size: int | None = None) -> RemoteFile:
    return RemoteFile(address.rpartition("/")[2], size=size, sources=(address,), md5=md5)


_OXFORD, _HUB = "https://www.robots.ox.ac.uk/~vgg/data", "https://huggingface.co/datasets"
_TRAIN, _VAL, _TEST = {"split": "train"}, {"split": "val"}, {"split": "test"}
TORCHVISION = {
    "cifar10": Row(
        "CIFAR-10", "CIFAR10",
        (
            _file(
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                "c58f30108f718f92721af3b95e74349a", 170_498_071,
            ),
        ),
        "", ("cifar-10-batches-py",), ({"train": True},), ({"train": False},),
        (50_000, 10_000), names.CIFAR10_CLASSNAMES, templates.CIFAR10_TEMPLATES,
    ),
    "stl10": Row(
        "STL-10", "STL10",
        (
            _file(
                "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                "91f7769df0f17e558f3565bffb0c7dfb", 2_640_397_119,
            ),
        ),
        "", ("stl10_binary",), (_TRAIN,), (_TEST,),
        (5_000, 8_000), names.STL10_CLASSNAMES, templates.STL10_TEMPLATES,
    ),
    "pets": Row(
        "Oxford-IIIT Pets", "OxfordIIITPet",
        (
            _file(f"{_OXFORD}/pets/data/images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c", 791_918_971),
            _file(f"{_OXFORD}/pets/data/annotations.tar.gz", "95a8c909bbe2e81eed6a22bccdf3f68f", 19_173_078),
        ),
        "oxford-iiit-pet", ("images", "annotations"), ({"split": "trainval"},), (_TEST,),
        (3_680, 3_669), names.PETS_CLASSNAMES, templates.PETS_TEMPLATES, names.PETS_GROUPS, names.PETS_GROUP_OF,
    ),
    "food101": Row(
        "Food-101", "Food101",
        (
            _file(
                "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz", "85eeb15f3717b99a5da872d97d918f87", 4_996_278_331
            ),
        ),
        "", ("food-101",), (_TRAIN,), (_TEST,),
        (75_750, 25_250), names.FOOD101_CLASSNAMES, templates.FOOD101_TEMPLATES,
    ),
    "dtd": Row(
        "Describable Textures", "DTD",
        (_file(f"{_OXFORD}/dtd/download/dtd-r1.0.1.tar.gz", "fff73e5086ae6bdbea199a49dfb8a4c1", 625_239_812),),
        "dtd", ("dtd",), (_TRAIN, _VAL), (_TEST,),
        (3_760, 1_880), names.DTD_CLASSNAMES, templates.DTD_TEMPLATES,
    ),
    "eurosat": Row(
        "EuroSAT", "EuroSAT",
        (
            _file(
                f"{_HUB}/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip",
                "c8fa014336c82ac7804f0398fcb19387",
            ),
        ),
        "eurosat", ("2750",), ({},), ({},),
        (21_600, 5_400), names.EUROSAT_CLASSNAMES, templates.EUROSAT_TEMPLATES, same_names=False,
    ),
    "flowers102": Row(
        "Flowers-102", "Flowers102",
        (
            _file(f"{_OXFORD}/flowers/102/102flowers.tgz", "52808999861908f626f3c1f4e79d11fa", 344_862_509),
            _file(f"{_OXFORD}/flowers/102/imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
            _file(f"{_OXFORD}/flowers/102/setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c"),
        ),
        "flowers-102", ("jpg", "imagelabels.mat", "setid.mat"), (_TRAIN, _VAL), (_TEST,),
        (2_040, 6_149), names.FLOWERS102_CLASSNAMES, templates.FLOWERS102_TEMPLATES, same_names=False,
    ),
}  # fmt: skip
