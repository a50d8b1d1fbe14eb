// The panels of the tab "How it works": whether one is open, and the captions of the batch.
window.clipPanels = {
  addressed: null, // the panel that the address names, once it was opened

  isOpen(name) {
    const button = document.querySelector(`#step-${name} > button`);
    if (!button) return false;
    const step = new URLSearchParams(location.search).get("step");
    if (step === name && this.addressed !== name) {
      this.addressed = name;
      if (!this.expanded(button)) button.click(); // which draws it
    }
    return this.expanded(button);
  },

  expanded(button) {
    return button.classList.contains("open") || button.getAttribute("aria-expanded") === "true";
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
