"""The presentation view for a class: its buttons, its parts that are not on the page anyway, and the QR code.

`static/presentation.js` opens and drives the view, and `static/presentation.css` places the image and the cards of the
Explore tab in it.
"""

import gradio as gr
import segno

from .event_options import INSTANT, QUIET, event_value

LONGEST_ADDRESS = 300  # characters; the code of a longer one has modules too small for the back row

_BUTTON = '<button type="button" data-present="enter" aria-label="Present: fill the screen">Present</button>'
_VIEW = """
<section class="view" role="region" aria-label="Presentation view" tabindex="-1">
  <header>
    <p class="used"></p>
    <p class="prompt">Prompt <b></b> <span></span></p>
    <button type="button" data-present="guess" aria-pressed="false">Guess first</button>
    <button type="button" data-present="code" aria-pressed="false">QR code</button>
    <button type="button" data-present="leave">Leave</button>
  </header>
  <div class="question">
    <h2>What does it show?</h2>
    <div class="candidates" role="group" aria-label="The guess of the class"></div>
    <button type="button" class="main" data-present="reveal">Reveal</button>
  </div>
  <div class="outcome" role="status"></div>
  <footer>
    <button type="button" class="steps" data-present="previous" aria-label="Previous image">‹</button>
    <button type="button" class="steps" data-present="next" aria-label="Next image">›</button>
    <p class="keys">
      <span class="steps"><kbd>←</kbd> <kbd>→</kbd> images</span> <span><kbd>G</kbd> guess first</span>
      <span class="game"><kbd>1</kbd>–<kbd>5</kbd> guess</span> <span class="game"><kbd>Space</kbd> reveal</span>
      <span><kbd>Q</kbd> QR code</span> <span><kbd>Esc</kbd> leave</span>
    </p>
    <p class="game score"></p>
    <button type="button" class="game" data-present="reset">Reset score</button>
  </footer>
  <div class="code" role="dialog" aria-label="QR code of this page">
    <div class="svg" role="img" aria-label="QR code"></div>
    <p class="note"></p>
    <p class="link"></p>
    <button type="button" data-present="code">Close</button>
  </div>
</section>
"""


def lay_out() -> None:
    """Make the button "Present" and the view that it opens inside the current gradio context."""
    gr.HTML(_BUTTON, apply_default_css=False, elem_id="present")
    gr.HTML(_VIEW, apply_default_css=False, elem_id="presentation")
    ask = "clipPresentation.ask = (address) => trigger('click', { address });"
    code = gr.HTML(visible="hidden", js_on_load=ask)

    def draw(event: gr.EventData) -> str:
        return qr_code(event_value(event, "address"))

    drawn = code.click(draw, outputs=code, trigger_mode="always_last", **INSTANT)
    drawn.then(None, inputs=code, js="(svg) => { clipPresentation.showCode(svg); return []; }", **QUIET)


def qr_code(address: str) -> str:
    """Return the QR code of an address as an inline SVG, dark on white with the quiet zone that scanners need.

    Parameters
    ----------
    address : str
        ASCII text of at most `LONGEST_ADDRESS` characters that begins with ``http://`` or ``https://``.

    Returns
    -------
    str
        "" for any other address.
    """
    if not (isinstance(address, str) and address.isascii() and len(address) <= LONGEST_ADDRESS):
        return ""
    if not address.startswith(("http://", "https://")):
        return ""
    # The lowest level of error correction: nothing soils a screen, and larger modules are read from further away.
    return segno.make_qr(address, error="l").svg_inline(border=4, dark="#000", light="#fff", omitsize=True)
