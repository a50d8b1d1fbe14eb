"""Class names of openai/CLIP's ``data/prompts.md``, in the order of torchvision's labels."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.replace("\n", " ").split(","))


# Section "CIFAR10".
CIFAR10_CLASSNAMES = _names("airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck")
# Section "STL10".
STL10_CLASSNAMES = _names("airplane, bird, car, cat, deer, dog, horse, monkey, ship, truck")
# Section "OxfordPets", which has the cats first; the labels are in alphabetical order.
PETS_CLASSNAMES = _names("""Abyssinian, american bulldog, american pit bull terrier, basset hound, beagle, Bengal,
Birman, Bombay, boxer, British Shorthair, chihuahua, Egyptian Mau, english cocker spaniel, english setter,
german shorthaired, great pyrenees, havanese, japanese chin, keeshond, leonberger, Maine Coon, miniature pinscher,
newfoundland, Persian, pomeranian, pug, Ragdoll, Russian Blue, saint bernard, samoyed, scottish terrier, shiba inu,
Siamese, Sphynx, staffordshire bull terrier, wheaten terrier, yorkshire terrier""")
# The dataset's README: images whose names begin with a capital letter show cats, the others dogs.
PETS_GROUPS = ("cat", "dog")
PETS_GROUP_OF = tuple(int(name[0].islower()) for name in PETS_CLASSNAMES)
# Section "Food101".
FOOD101_CLASSNAMES = _names("""apple pie, baby back ribs, baklava, beef carpaccio, beef tartare, beet salad, beignets,
bibimbap, bread pudding, breakfast burrito, bruschetta, caesar salad, cannoli, caprese salad, carrot cake, ceviche,
cheese plate, cheesecake, chicken curry, chicken quesadilla, chicken wings, chocolate cake, chocolate mousse, churros,
clam chowder, club sandwich, crab cakes, creme brulee, croque madame, cup cakes, deviled eggs, donuts, dumplings,
edamame, eggs benedict, escargots, falafel, filet mignon, fish and chips, foie gras, french fries, french onion soup,
french toast, fried calamari, fried rice, frozen yogurt, garlic bread, gnocchi, greek salad, grilled cheese sandwich,
grilled salmon, guacamole, gyoza, hamburger, hot and sour soup, hot dog, huevos rancheros, hummus, ice cream, lasagna,
lobster bisque, lobster roll sandwich, macaroni and cheese, macarons, miso soup, mussels, nachos, omelette, onion rings,
oysters, pad thai, paella, pancakes, panna cotta, peking duck, pho, pizza, pork chop, poutine, prime rib,
pulled pork sandwich, ramen, ravioli, red velvet cake, risotto, samosa, sashimi, scallops, seaweed salad,
shrimp and grits, spaghetti bolognese, spaghetti carbonara, spring rolls, steak, strawberry shortcake, sushi, tacos,
takoyaki, tiramisu, tuna tartare, waffles""")
# Section "DescribableTextures".
DTD_CLASSNAMES = _names("""banded, blotchy, braided, bubbly, bumpy, chequered, cobwebbed, cracked, crosshatched,
crystalline, dotted, fibrous, flecked, freckled, frilly, gauzy, grid, grooved, honeycombed, interlaced, knitted,
lacelike, lined, marbled, matted, meshed, paisley, perforated, pitted, pleated, polka-dotted, porous, potholed, scaly,
smeared, spiralled, sprinkled, stained, stratified, striped, studded, swirly, veined, waffled, woven, wrinkled,
zigzagged""")
# Section "EuroSAT", which has another order and other words than torchvision: AnnualCrop, Forest, HerbaceousVegetation,
# Highway, Industrial, Pasture, PermanentCrop, Residential, River, SeaLake.
EUROSAT_CLASSNAMES = _names("""annual crop land, forest, brushland or shrubland, highway or road,
industrial buildings or commercial buildings, pasture land, permanent crop land,
residential buildings or homes or apartments, river, lake or sea""")
# Section "Flowers102"; torchvision has "globe-flower", "pink-yellow dahlia?" and "ball moss" for three of them.
FLOWERS102_CLASSNAMES = _names("""pink primrose, hard-leaved pocket orchid, canterbury bells, sweet pea,
english marigold, tiger lily, moon orchid, bird of paradise, monkshood, globe thistle, snapdragon, colt's foot,
king protea, spear thistle, yellow iris, globe flower, purple coneflower, peruvian lily, balloon flower,
giant white arum lily, fire lily, pincushion flower, fritillary, red ginger, grape hyacinth, corn poppy,
prince of wales feathers, stemless gentian, artichoke, sweet william, carnation, garden phlox, love in the mist,
mexican aster, alpine sea holly, ruby-lipped cattleya, cape flower, great masterwort, siam tulip, lenten rose,
barbeton daisy, daffodil, sword lily, poinsettia, bolero deep blue, wallflower, marigold, buttercup, oxeye daisy,
common dandelion, petunia, wild pansy, primula, sunflower, pelargonium, bishop of llandaff, gaura, geranium,
orange dahlia, pink and yellow dahlia, cautleya spicata, japanese anemone, black-eyed susan, silverbush,
californian poppy, osteospermum, spring crocus, bearded iris, windflower, tree poppy, gazania, azalea, water lily, rose,
thorn apple, morning glory, passion flower, lotus, toad lily, anthurium, frangipani, clematis, hibiscus, columbine,
desert-rose, tree mallow, magnolia, cyclamen, watercress, canna lily, hippeastrum, bee balm, air plant, foxglove,
bougainvillea, camellia, mallow, mexican petunia, bromelia, blanket flower, trumpet creeper, blackberry lily""")
