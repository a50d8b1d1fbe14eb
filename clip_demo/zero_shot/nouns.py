"""Plain nouns that may name what an image shows when no class of a list does.

Written by hand for this project, kind by kind, and not taken from another list: common English words for what a camera
can see, each one word, in the singular where it has one. Then shortened to those that the built-in model learned with
images, about three of five, and to the commonest of the others.
"""

_ANIMALS = """
alligator ant baboon bat bear beaver bee beetle bird buffalo butterfly camel cat caterpillar centipede chicken
chimpanzee cockroach cow crab crocodile crow deer dinosaur dog dolphin donkey duck eagle elephant elk fish flamingo fox
frog gazelle giraffe goat goldfish gorilla hamster hedgehog horse insect jellyfish kangaroo kitten koala ladybug
leopard lion lizard lobster mantis monkey moose mouse octopus orangutan ostrich otter owl ox panda parrot penguin pig
pigeon porcupine possum puppy rabbit raccoon rat reindeer rhinoceros salamander scorpion seal shark sheep shrew skunk
slug snail snake sparrow spider squirrel stork swan tiger toad trout turkey turtle whale wolf worm zebra
"""
_PLANTS_AND_LANDSCAPES = """
bamboo beach bush cactus cave cliff cloud coast coral desert field flower forest garden glacier grass hill island lake
leaf maple meadow moon moss mountain oak orchid palm pine poppy rainbow reef river rock rose sea shrub sky snow
sunflower sunset swamp tree tulip volcano waterfall willow
"""
_FOOD = """
apple banana bread broccoli burger cake candy carrot cauliflower cheese chocolate coconut coffee corn cucumber egg
grape guacamole honey lemon lollipop meat meatloaf milk mushroom onion orange pasta pear pepper pie pineapple pizza
pomegranate popsicle potato pretzel pumpkin salad sandwich soup steak strawberry sushi tea tomato watermelon wine
"""
_VEHICLES = """
airplane ambulance bicycle boat bulldozer bus canoe car convertible ferry gondola helicopter jeep lifeboat limousine
motorcycle rickshaw rocket sailboat scooter ship streetcar submarine tank taxi tractor trailer train tram truck van
wagon yacht
"""
_FURNITURE_AND_HOUSEHOLD = """
abacus altar armchair backpack balloon barrel basket bathtub bed bench binoculars book bottle bowl box broom bucket
candle carpet chair clock closet computer couch cup curtain desk door drum dumbbell envelope fork fridge glass globe
heater helmet hourglass jug key keyboard knife ladder lamp lampshade laptop letter map microscope mirror mug nail
newspaper oven pan pen pencil phone pillow plate pot printer radio rope scissors screen shelf sink skillet sofa spoon
suitcase syringe table teapot teddy telephone telescope television toilet towel toy tray umbrella vase wallet wardrobe
wheelchair window
"""
_TOOLS_AND_MACHINES = """
anchor axe bell bullet camera cannon chain compass crane drill engine gun hammer machine mower pipe plunger propeller
saw shovel stopwatch sword torch watch wheel
"""
_CLOTHES = """
apron bikini boot bowtie cap cardigan coat dress glove gown hat jacket jeans miniskirt necklace poncho ring robe sandal
scarf shirt shoe skirt sock sombrero suit sunglasses sweater swimsuit tie trousers uniform
"""
_BUILDINGS_AND_PLACES = """
airport arch bridge building cabin castle church city dam factory farm fence fountain highway hospital hotel house hut
kitchen library lighthouse museum obelisk office palace park playground restaurant road roof school shop skyscraper
stadium staircase statue street temple tent tower tunnel viaduct village wall windmill
"""
_PEOPLE_AND_BODY = """
baby boy child clown crowd dancer doctor ear eye face farmer finger foot girl hair hand king knight lady man mouth nose
people police skeleton skull soldier teacher tooth woman
"""
_INSTRUMENTS_AND_SPORT = """
accordion basketball cello chess doll flute football guitar harp kite oboe organ piano puppet skateboard ski snorkel
surfboard trumpet violin volleyball
"""
_MATERIALS_AND_SIGNS = """
brick cloth diamond fire flag gold graffiti ice jewel lightning money paper poster sand smoke stone text wood
"""
_KINDS = (
    _ANIMALS,
    _PLANTS_AND_LANDSCAPES,
    _FOOD,
    _VEHICLES,
    _FURNITURE_AND_HOUSEHOLD,
    _TOOLS_AND_MACHINES,
    _CLOTHES,
    _BUILDINGS_AND_PLACES,
    _PEOPLE_AND_BODY,
    _INSTRUMENTS_AND_SPORT,
    _MATERIALS_AND_SIGNS,
)
NOUNS = tuple(" ".join(_KINDS).split())
