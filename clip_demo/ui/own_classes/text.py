"""The sentences of the tab."""

from dataclasses import dataclass

INTRODUCTION = (
    "<h2>Teach your own classes</h2><p><b>1.</b> Name two or more classes. <b>2.</b> Add a few photos to each. "
    "<b>3.</b> See what four classifiers say of the test photo: one knows only the names, two know only the photos, "
    "and one knows both.</p>"
)
PRIVACY = (
    "Of each photo, this page keeps a small copy and a list of numbers in the server’s memory, for you alone. The "
    "photo itself is deleted at once, and everything else about ten minutes after you left. Test photos, also "
    "those of the webcam, are not kept at all."
)
NOTHING_YET = (
    '<p class="waiting">Add a photo to a class, or choose a test photo. '
    "Four classifiers then say here which class it shows.</p>"
)
UNNAMED = '<p class="hint">Give your classes names: two of the classifiers begin with the words.</p>'
RENAME = "A class needs a name that no other class has, and not a very long one. Type another name."
EARLY = (
    "<p><b>It is too early to say.</b> Give each class at least three photos. Then each photo is tested by classifiers "
    "that learned from all others.</p>"
)
NEEDS_TWO = "Needs photos of at least two classes."
NEEDS_TWO_MORE = "The test photo is left out. Without it, fewer than two classes have photos."
_CLAP = '<a href="https://arxiv.org/abs/2312.12730">CLAP</a> (CVPR 2024)'
_SS_TEXT = '<a href="https://arxiv.org/abs/2506.17500">SS-Text</a> (2025)'


@dataclass(frozen=True)
class Method:
    """How the page speaks of a classifier.

    Attributes
    ----------
    name : str
    about : str
        One sentence without its full stop.
    kind : str
        CSS class of its card and its line.
    """

    name: str
    about: str
    kind: str


# In the order of `clip_demo.own_classes.classifiers.CLASSIFIERS`.
METHODS = {
    "zero_shot": Method("Zero-shot", "knows only the names", "zero-shot"),
    "text_and_photos": Method(
        "Names and photos", "begins with the names; the more photos, the more they count", "both"
    ),
    "nearest_mean": Method(
        "Nearest class mean", "compares the test photo with the average photo of each class", "mean"
    ),
    "linear_probe": Method(
        "Linear probe", "learns from the photos alone what tells the classes apart (logistic regression)", "probe"
    ),
}


def formula(n0: float) -> str:
    """Say how the names and the photos are mixed."""
    photos = "half a photo" if n0 == 0.5 else "1 photo" if n0 == 1 else f"{n0:.0f} photos"
    share = f"{800 / (8 + n0):.0f}\N{NO-BREAK SPACE}%"
    return (
        "<details><summary>How names and photos are mixed</summary><p>Now the name of a class counts as much as "
        f"{photos} of it. For example, a class with 8 photos is described to {share} by their average, and "
        "by its name for the rest, each as the difference from the other classes. In general, <i>n</i> photos have the "
        f"share <i>n</i>/(<i>n</i>+<i>n</i><sub>0</sub>), and <i>n</i><sub>0</sub> is {n0:g}: of several values, the "
        "one under which each of your photos is predicted best from all others. The idea is that of "
        f"{_CLAP} and {_SS_TEXT}.</p></details>"
    )
