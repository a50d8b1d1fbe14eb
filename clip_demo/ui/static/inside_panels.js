// The panels of the tab "How it works": whether one is open, and the captions of the batch.
window.clipPanels = {
  asked: new URLSearchParams(location.search).get("step"), // by the address: a panel, or a step of the walk

  button(name) {
    return document.querySelector(`#step-${name} > button`);
  },

  expanded(button) {
    return button.classList.contains("open");
  },

  names() {
    return [...document.querySelectorAll("#how .inside-panel")].map((panel) => panel.id.slice("step-".length));
  },

  // Whether a panel is open. The one that the address asks for is opened, which draws it.
  isOpen(name) {
    const button = this.button(name);
    if (!button) return false;
    if (this.asked === name && !this.expanded(button)) {
      this.show(name);
      this.asked = null;
      return false;
    }
    this.mend(button);
    return this.expanded(button);
  },

  // Gradio does not tell screen readers whether an accordion is open.
  mend(button) {
    button.setAttribute("aria-expanded", this.expanded(button));
  },

  // Opens a panel and leads to it.
  show(name) {
    const button = this.button(name);
    clipInside.arriving = true;
    if (this.expanded(button)) this.opened(name);
    else button.click(); // Gradio calls `opened`
  },

  // A panel that a visitor opens has an address.
  opened(name) {
    const led = clipInside.arriving;
    this.mend(this.button(name));
    clipInside.goTo(name);
    clipInside.arrive();
    if (led && clipInside.presenting()) requestAnimationFrame(() => clipInside.focusHeading()); // once it can be seen
    return clipExplorer.now();
  },

  closed(name) {
    this.mend(this.button(name));
    if (clipInside.step === name) clipInside.goTo(clipInside.walkStep);
  },

  // Sends all captions after each change: a field was left or Enter pressed, two were swapped, all were shuffled.
  pairs(element, trigger) {
    const fields = () => [...element.querySelectorAll(".pairs input")];
    const send = () => trigger("edit", { captions: fields().map((field) => field.value) });
    const put = (values) => {
      fields().forEach((field, i) => (field.value = values[i]));
      send();
    };
    element.addEventListener("change", send);
    element.addEventListener("click", (event) => {
      const { swap, captions } = event.target.closest("button")?.dataset ?? {};
      const [all, values] = [fields(), fields().map((field) => field.value)];
      if (swap) {
        const here = all.indexOf(event.target.closest("li").querySelector("input"));
        const there = (here + Number(swap) + all.length) % all.length;
        [values[here], values[there]] = [values[there], values[here]];
        put(values);
        all[there].closest("li").querySelector(`[data-swap="${swap}"]`).focus(); // a caption can be moved on
      } else if (captions === "own") {
        put(all.map((field) => field.dataset.own));
      } else if (captions === "shuffle") {
        for (let i = values.length - 1; i > 0; i--) {
          const j = Math.floor(Math.random() * (i + 1));
          [values[i], values[j]] = [values[j], values[i]];
        }
        put(values);
      }
    });
  },
};

document.addEventListener("clip-restored", () => (clipPanels.asked = new URLSearchParams(location.search).get("step")));
