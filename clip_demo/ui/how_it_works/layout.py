"""The tab that explains what one sees, for a teacher and a class. It names no accuracy of any model."""

from __future__ import annotations

import gradio as gr

__all__ = ["lay_out"]

_TWO_ENCODERS = """
## Two encoders, one space

CLIP is two networks that were trained together. The **image encoder** turns an image into a list of numbers, its
*feature*; the **text encoder** does the same with a sentence. Both lists have the same length, so both are arrows
in one space. Training showed CLIP images with their captions, many at a time, and rewarded it whenever an image's
arrow pointed nearer to its own caption than to all the others: matching pairs close, all other pairs apart. Nobody
told it which classes there are.
"""

_ZERO_SHOT = """
## Zero-shot prediction: choosing the caption that fits

1. Every class name is put into the **template**: `a photo of a {}` makes `a photo of a snake`.
2. The text encoder turns each of these prompts into an arrow, the image encoder does so with the image.
3. How well two arrows fit is the **cosine** of the angle between them: 1 when they point the same way, 0 when they
   have nothing in common.
4. The cosines are multiplied by the **logit scale** and sent through a **softmax**, which makes them shares that add
   up to 100 %.

No image was looked at to learn the classes: that is the "zero" in zero-shot. Type a class that nobody thought of,
and it takes part at once. It also means that the shares are shares *of your list*: leave the right answer out, and
something else has to win.
"""

_EXAMPLE = """
## Why does it say 95 % when the cosine is only 0.25?

Because only **differences** of cosines count, and the logit scale magnifies them. OpenAI's models have a logit scale
of 100. Take three classes, worked out by hand; the weight is *e* to the power of the difference to the best:

| class | cosine | × 100 | weight | share |
|---|---:|---:|---:|---:|
| snake | 0.25 | 25 | e⁰ = 1 | 93.6 % |
| turtle | 0.22 | 22 | e⁻³ = 0.0498 | 4.7 % |
| lizard | 0.21 | 21 | e⁻⁴ = 0.0183 | 1.7 % |

A lead of 0.03 is twenty times the share, and a lead of 0.05 about 150 times. In practice an image and a sentence
never point exactly the same way, so cosines stay small even for a fitting caption. The share says how far one
prompt is ahead of the others on the list. It does not say how sure one may be that any of them is right.
"""

_PROMPTS = """
## Prompt engineering: a sentence, not a bare word

Captions on the web are sentences; a bare word is an unusual caption, and it may be ambiguous (a *crane* is a bird and
a machine). So the template matters. Try these on the Explore tab:

- the bare word `{}` against `a photo of a {}`;
- a template that fits the image: `a blurry photo of a {}`, `a drawing of a {}`;
- several templates at once. Each class then has one arrow per template; they are averaged into one. Such an
  **ensemble** is usually steadier than its members. The 18 CIFAR-100 templates are those of CLIP's own authors;
- underscores: `sweet_pepper` is not how people write. The switch turns them into spaces.
"""

_PROBE = """
## The linear probe: a referee for the features

The probe leaves the text encoder aside. The image encoder stays **frozen**, and one layer of weights on top of its
features, a logistic regression, is fitted to thousands of labelled images. If so simple a layer can tell the
classes apart, the features themselves must have set them apart already. That is what a probe measures.

What it learned is one row of weights for each class of its training set, and nothing else. So **its classes are
fixed**: it cannot know a class that you add, it does not miss one that you take out, and shown something new it still
answers with one of its own. Each model and each dataset needs a probe of its own, because the weights only mean
something for the features that they were fitted to.

| | zero-shot CLIP | linear probe |
|---|---|---|
| needs labelled images | no | yes, thousands |
| classes | whatever you type | those it was fitted on |
| changes with the prompt | yes | no |
| what it shows | what language and images have in common | how well the features separate the classes |
"""

_TASKS = """
## Try this

1. Find an image on which the two **disagree**. Which one is right? Can a better template bring zero-shot round?
2. Take the true label out of the class list. What wins now, and how sure does it look? What does the probe do?
3. Reduce the class list to two names. Why are the shares suddenly so clear, though no cosine has changed?
4. Upload an image of something that is in neither list. What do both say?
5. In the **Prompt Lab**, find a template that is better than the article's on all 10,000 test images, by more than
   chance explains. Which classes gain, and which lose?
6. Move the logit scale in the Prompt Lab's *Calibration*. The accuracy does not change; what does?
7. In **Few-shot**: with how many labelled images of each class would you rather fit a probe than write a prompt?

*Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021.*
"""


def lay_out() -> None:
    """Make the tab's components inside the current gradio context."""
    with gr.Column(elem_id="how"):
        for text in (_TWO_ENCODERS, _ZERO_SHOT, _EXAMPLE, _PROMPTS, _PROBE, _TASKS):
            gr.Markdown(text, elem_classes="chapter")
