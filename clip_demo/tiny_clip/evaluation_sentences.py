"""Words and sentences to test the built-in model with. No caption of the training has these sentences."""

# Half of them name other things as well.
SENTENCES = (
    "a close-up photo of one {} on a table",
    "a bad photo of a hard to see {}",
    "we came across {} while walking past a house",
    "a tree and, right before it, a {}",
    "the {} that my sister likes best",
    "what a great shot of a {}!",
    "an old slide of a {} among trees",
    "a painting of a {} above the table",
    "have you ever seen such a {}?",
    "a {} in the middle of the picture",
    "a stock photo of a {} isolated on white",
    "near the house stood a {}",
    "an animal or a thing: a {}",
    "a {}, as everybody knows it",
    "picture number seven: {}",
    "a photo of the {} that we bought for our house",
    "a table, a lamp and a {}",
    "a screenshot of a {}",
    "the best {} in town",
    "a {} and nothing else",
)
