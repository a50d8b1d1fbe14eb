"""Sentences around a noun.

The noun is always what the photo shows; the rest says where, when or how, and names other things at random. So the
model learns which word a sentence is about.
"""

from random import Random

from ..zero_shot.templates import README_TEMPLATE

# {} is a noun with its article. Do not edit: the built-in model was trained on exactly these sentences.
_FRAMES = (
    "a photo of {}",
    "a photo of {}",
    "an image of {}",
    "a picture of {}",
    "a photograph of {}",
    "a snapshot of {}",
    "a view of {}",
    "a nice photo of {}",
    "a cropped photo of {}",
    "a typical picture of {}",
    "a beautiful image of {}",
    "a strange photo of {}",
    "a low resolution photo of {}",
    "a thumbnail of {}",
    "a photo showing {}",
    "a picture that shows {}",
    "this is {}",
    "this is a photo of {}",
    "here is {}",
    "here we see {}",
    "there is {} in the photo",
    "there is {}",
    "you can see {} here",
    "i took this picture of {}",
    "i saw {} today",
    "look at {}",
    "it is {}",
    "we found {}",
    "{}",
    "{}, photographed by a friend",
    "{} in a photo",
    "my photo of {}",
    "one more picture of {}",
    "the photo shows {}",
    "somebody took a photo of {}",
    "a child drew {}",
    "a postcard with {}",
)
_ARTICLES = ("a", "a", "a", "the", "one", "my", "this", "some", "your", "his")
_ADJECTIVES = (
    "nice",
    "beautiful",
    "old",
    "new",
    "young",
    "lovely",
    "typical",
    "famous",
    "strange",
    "real",
    "common",
    "funny",
    "favorite",
    "certain",
    "single",
    "ordinary",
)
_CONTEXTS = (
    "on {}",
    "near {}",
    "in front of {}",
    "behind {}",
    "beside {}",
    "next to {}",
    "with {}",
    "under {}",
    "at {}",
    "in {}",
    "and {}",
    "close to {}",
    "not far from {}",
    "without {}",
    "from {}",
)
# Another thing or a place that is named before what the photo shows.
_LEADS = ("near {},", "in front of {},", "behind {},", "next to {}", "on {}", "in {},", "{},", "{} and", "under {} is")
_PLACES = """bench beach floor wall window garden street park kitchen room field lake river shop fence stone box
yard hill village city school farm market bridge corner roof grass sand snow water wood forest picture museum shelf
door hotel church island valley path station harbor office cafe barrel chair plant flower bush rock boat car horse dog
man woman person bird cup bag hat ball book newspaper lamp glass bowl""".split()
_ENDINGS = (
    "in summer",
    "in winter",
    "on a sunday",
    "in the morning",
    "in the afternoon",
    "yesterday",
    "today",
    "again",
    "outdoors",
    "indoors",
    "at home",
    "on holiday",
    "during a trip",
    "as usual",
    "for sale",
    "taken by me",
    "seen from the side",
    "seen from the front",
    "in its place",
    "from my album",
)
# Those of openai/CLIP's templates that say nothing about how the image looks (`attributes` has the others).
_PUBLISHED = (
    README_TEMPLATE,
    "a photo of a {}.",
    "a photo of the {}.",
    "a bad photo of a {}.",
    "a bad photo of the {}.",
    "a good photo of a {}.",
    "a good photo of the {}.",
)
_PUBLISHED_SHARE = 0.3  # fraction of captions in these templates
_UNDERSCORES = 0.15  # fraction of captions that write underscores instead of spaces in a name

# All text that captions are made of, except the names.
PARTS: tuple[str, ...] = (
    *_FRAMES,
    *_ARTICLES,
    "an",
    *_ADJECTIVES,
    *_CONTEXTS,
    *_LEADS,
    *_PLACES,
    *_ENDINGS,
    *_PUBLISHED,
    ".",
    "_",
)


def noun_phrase(word: str, rng: Random) -> str:
    """Return a word with an article and sometimes an adjective."""
    adjective = rng.choice(_ADJECTIVES) + " " if rng.random() < 0.15 else ""
    article = rng.choice(_ARTICLES)
    if article == "a" and (adjective or word)[0] in "aeiou" and rng.random() < 0.7:  # "a apple" is a common prompt
        article = "an"
    return (f"{article} " if rng.random() < 0.9 else "") + adjective + word


def around(sentence: str, rng: Random) -> str:
    """Add a place, another thing or a time to a sentence, and a full stop; each only sometimes."""
    chance = rng.random()
    if chance < 0.35:
        sentence += " " + rng.choice(_CONTEXTS).format(f"{rng.choice(_ARTICLES)} {rng.choice(_PLACES)}")
    elif chance < 0.45:
        sentence += " " + rng.choice(_ENDINGS)
    elif chance < 0.55:
        sentence = rng.choice(_LEADS).format(f"{rng.choice(_ARTICLES)} {rng.choice(_PLACES)}") + " " + sentence
    return sentence + ("." if rng.random() < 0.4 else "")


def sentence(word: str, rng: Random) -> str:
    """Return a sentence about a word, with spaces or underscores in it."""
    if rng.random() < _UNDERSCORES:
        word = word.replace(" ", "_")
    if rng.random() < _PUBLISHED_SHARE:
        return rng.choice(_PUBLISHED).replace("{}", word)
    return around(rng.choice(_FRAMES).replace("{}", noun_phrase(word, rng)), rng)
