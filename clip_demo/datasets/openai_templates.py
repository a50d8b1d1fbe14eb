"""Prompt templates of openai/CLIP's ``data/prompts.md``, by dataset."""

# openai/CLIP, data/prompts.md, section "CIFAR100": the 18 templates of the paper's ensemble.
CIFAR100_TEMPLATES = (
    "a photo of a {}.",
    "a blurry photo of a {}.",
    "a black and white photo of a {}.",
    "a low contrast photo of a {}.",
    "a high contrast photo of a {}.",
    "a bad photo of a {}.",
    "a good photo of a {}.",
    "a photo of a small {}.",
    "a photo of a big {}.",
    "a photo of the {}.",
    "a blurry photo of the {}.",
    "a black and white photo of the {}.",
    "a low contrast photo of the {}.",
    "a high contrast photo of the {}.",
    "a bad photo of the {}.",
    "a good photo of the {}.",
    "a photo of the small {}.",
    "a photo of the big {}.",
)

# Section "CIFAR10": the same 18.
CIFAR10_TEMPLATES = CIFAR100_TEMPLATES
# Section "STL10".
STL10_TEMPLATES = ("a photo of a {}.", "a photo of the {}.")
# Section "OxfordPets".
PETS_TEMPLATES = ("a photo of a {}, a type of pet.",)
# Section "Food101".
FOOD101_TEMPLATES = ("a photo of {}, a type of food.",)
# Section "DescribableTextures".
_NOUNS = ("texture", "pattern", "thing", "object")
DTD_TEMPLATES = tuple(f"a photo of {article} {{}} {noun}." for article in ("a", "the") for noun in _NOUNS)
# Section "EuroSAT".
EUROSAT_TEMPLATES = tuple(f"a centered satellite photo of {article}{{}}." for article in ("", "a ", "the "))
# Section "Flowers102".
FLOWERS102_TEMPLATES = ("a photo of a {}, a type of flower.",)
