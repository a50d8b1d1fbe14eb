"""The text of the tab "How it works", for teachers and students. It quotes no accuracy of any model."""

import gradio as gr

_TWO_ENCODERS = """
## Two encoders, one space

CLIP consists of two networks that were trained together. The **image encoder** turns an image into a list of numbers,
its *feature*; the **text encoder** does the same with a sentence. Both lists have the same length, so both are
vectors in one space. During training, CLIP saw batches of images with their captions. It was rewarded when the vector
of an image was closer to its own caption than to all other captions of the batch. Matching pairs moved together, all
other pairs moved apart. Nobody gave it a list of classes.
"""

_ZERO_SHOT = """
## Zero-shot prediction: find the caption that fits

1. The **template** turns each class name into a prompt: `a photo of a {}` and *snake* make `a photo of a snake`.
2. The text encoder turns each prompt into a vector, and the image encoder turns the image into one.
3. The **cosine** of the angle between two vectors says how well they match: 1 if they have the same direction, 0 if
   they are perpendicular.
4. The cosines are multiplied by the **logit scale**, and a **softmax** turns them into probabilities that add up to
   100 %.

No labelled image was used to learn the classes: this is the "zero" in zero-shot. Type a new class, and it takes part
at once. It also means that the probabilities are relative to *your list*: if the right answer is missing, another
class wins.
"""

_EXAMPLE = """
## Why does it say 95 % when the cosine is only 0.25?

Because only the **differences** between cosines count, and the logit scale magnifies them. OpenAI's models have a
logit scale of 100. Here is an example with three classes; the weight is *e* to the power of the difference to the
best:

| class | cosine | × 100 | weight | softmax |
|---|---:|---:|---:|---:|
| snake | 0.25 | 25 | e⁰ = 1 | 93.6 % |
| turtle | 0.22 | 22 | e⁻³ = 0.0498 | 4.7 % |
| lizard | 0.21 | 21 | e⁻⁴ = 0.0183 | 1.7 % |

A lead of 0.03 makes a class 20 times as probable, and a lead of 0.05 about 150 times. In practice the vectors of an
image and a sentence never have exactly the same direction, so cosines are small even for a good caption. The
probability says how far one prompt is ahead of the others on the list. It does not say how certain it is that any of
them is right.
"""

_PROMPTS = """
## Prompt engineering: a sentence works better than a bare word

Captions on the web are sentences. A bare word is an unusual caption, and it may be ambiguous (a *crane* is a bird and
a machine). The template therefore matters. Try these on the Explore tab:

- the bare word `{}` and `a photo of a {}`;
- a template that describes the image: `a blurry photo of a {}`, `a drawing of a {}`;
- several templates at once. Each class then has one vector per template, and their mean is used. Such an **ensemble**
  is usually more robust than each of its members. The 18 CIFAR-100 templates come from the authors of CLIP;
- underscores: captions do not contain words such as `sweet_pepper`. The switch turns underscores into spaces.
"""

_PROBE = """
## The linear probe: a test of the features

The linear probe does not use the text encoder. The image encoder stays **frozen**, and a single layer on top of its
features, a logistic regression, is fitted to thousands of labelled images. If such a simple layer can separate the
classes, then the features already separate them. This is what a probe measures.

It learns one row of weights for each class of its training set. **Its classes are therefore fixed**: it does not know
a class that you add, it ignores that you removed one, and for an image of something else it still predicts one of its
own classes. Each model and each dataset needs its own probe, because the weights only fit the features that they were
trained on.

| property | zero-shot CLIP | linear probe |
|---|---|---|
| needs labelled images | no | yes, thousands |
| classes | whatever you type | those it was fitted on |
| changes with the prompt | yes | no |
| what it shows | what language and images have in common | how well the features separate the classes |
"""

_TASKS = """
## Exercises

1. Find an image on which the two predictions **disagree**. Which one is right? Does a better template correct the
   zero-shot prediction?
2. Remove the true label from the class list. Which class wins now, and how probable is it? What does the probe do?
3. Reduce the class list to two names. Why are the probabilities suddenly so clear, although no cosine has changed?
4. Upload a photo of something that is in neither list. What do both predict?
5. In the **Prompt Lab**, find a template whose accuracy on all test images is significantly higher than that of
   `a photo of a {}`. Which classes gain, and which lose?
6. Move the logit scale in *Calibration* of the Prompt Lab. The accuracy does not change; what does?
7. In **Few-shot**: with how many labelled images per class would you rather fit a probe than write a prompt?

*Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021.*
"""


def lay_out() -> None:
    """Make the tab's components inside the current gradio context."""
    with gr.Column(elem_id="how"):
        for text in (_TWO_ENCODERS, _ZERO_SHOT, _EXAMPLE, _PROMPTS, _PROBE, _TASKS):
            gr.Markdown(text, elem_classes="chapter")
