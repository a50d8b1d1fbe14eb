// The tab "How it works": one step of the walk at a time, each with an address; what moves without the server.
{
  const find = (selector) => document.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const root = document.documentElement;
  const minus = (text) => text.replace("-", "\u2212");
  const signed = (value, digits) => minus(value.toFixed(digits));
  const percent = (value) => `${(100 * value).toFixed(2)}\u00a0%`;
  const scaleText = (scale) => scale.toFixed(2).replace(/\.?0+$/, "");
  const weightText = (weight) => (weight >= 0.00005 ? weight.toFixed(4) : "below 0.0001");

  window.clipInside = {
    step: new URLSearchParams(window.location.search).get("step") ?? "", // of the walk, or a panel: what was opened last
    walkStep: "", // the step of the walk that is shown
    arriving: false, // whether the page has to scroll to the panel that the address asks for
    drawnAt: "", // what the server has drawn last
    observer: new MutationObserver(() => clipInside.drawn()), // before the browser shows all steps at once
    sharpness: null, // a value of the slider that the server has not drawn yet
    removed: new Set(), // names of the classes that are taken from the list

    // --- drawing and addresses -------------------------------------------------------------------------------

    isOpen() {
      return Boolean(find("#how")?.getClientRects().length); // it has no offsetParent in the presentation view
    },

    // Explore has drawn new results: the steps follow while they can be seen.
    refresh() {
      if (this.isOpen()) clipExplorer.type("#inside-request", clipExplorer.now());
    },

    steps() {
      return all("#inside-walk section.step").map((section) => section.dataset.name);
    },

    // After the server has drawn the walk.
    drawn() {
      const walk = find("#inside-walk .walk");
      if (!walk || walk.dataset.drawn === this.drawnAt) return [];
      const changes = { childList: true, subtree: true, attributeFilter: ["data-drawn"] };
      if (!this.drawnAt) this.observer.observe(find("#inside-walk"), changes);
      this.drawnAt = walk.dataset.drawn;
      // Gradio has changed the elements in place, and fields keep what the visitor did to them: the chosen number of a
      // vector shall stay, but these come from Explore.
      for (const input of all(".sharpness input", walk)) input.value = input.defaultValue;
      for (const input of all("input[type=checkbox]", walk)) input.checked = input.defaultChecked;
      for (const option of all("option", walk)) option.selected = option.defaultSelected;
      for (const each of all("#inside-walk .vectors")) this.read(each);
      this.showPart();
      this.keepSharpness();
      this.show();
      this.arrive();
      if (this.focused) document.getElementById(this.focused)?.focus({ preventScroll: true });
      this.focused = "";
      return [];
    },

    show() {
      const names = this.steps();
      const current = [this.step, this.walkStep, names[0]].find((name) => names.includes(name));
      this.walkStep = current ?? "";
      for (const section of all("#inside-walk section.step")) section.hidden = section.dataset.name !== current;
      for (const button of all("#inside-walk nav button")) {
        if (button.dataset.step === current) button.setAttribute("aria-current", "step");
        else button.removeAttribute("aria-current");
      }
      this.fit();
      // On a narrow screen the list of steps scrolls.
      const list = find("#inside-walk .steps");
      const item = list?.querySelector("[aria-current]")?.parentElement;
      if (item) list.scrollLeft = item.offsetLeft - (list.clientWidth - item.offsetWidth) / 2;
    },

    // A step of the walk or a panel is what the visitor looks at: the address names it, and presents it.
    goTo(name) {
      const before = new URLSearchParams(window.location.search);
      const after = new URLSearchParams(before);
      after.set("tab", "how");
      after.set("step", name);
      clipExplorer.visit(before, after, true, true);
      this.step = name;
      this.show();
      if (this.presenting()) find("#how").scrollTop = 0;
    },

    // The panel that the visitor looks at, if any.
    panel() {
      return all("#how .inside-panel:has(> button.open)").find((panel) => panel.id === `step-${this.step}`);
    },

    // The walk above the panel is drawn after it was opened, and would move it.
    arrive() {
      if (!this.arriving || !this.drawnAt || !this.panel()) return;
      this.arriving = false;
      if (this.presenting()) return; // it fills the screen
      requestAnimationFrame(() => this.panel()?.scrollIntoView());
    },

    // Opens a step, and moves the focus to its heading, so that it is read aloud.
    open(step) {
      this.goTo(step);
      find(`#heading-${step}`)?.focus({ preventScroll: true });
      const top = find("#inside-walk nav").getBoundingClientRect().top;
      if (top < 0) find("#inside-walk nav").scrollIntoView();
    },

    // To the next step, and after the last one to the panels; or back.
    by(difference) {
      const names = [...this.steps(), ...clipPanels.names()];
      const next = names[names.indexOf(this.panel() ? this.step : this.walkStep) + difference];
      if (clipPanels.button(next)) clipPanels.show(next);
      else if (next) this.open(next);
    },

    // --- vectors and parts of the image ----------------------------------------------------------------------

    // Marks the chosen number in all vectors of a step, and reads it.
    read(vectors) {
      const input = vectors.querySelector("input[type=range]");
      const at = Number(input.value) - 1;
      const digits = Number(vectors.dataset.digits);
      const said = all("svg.cells", vectors).map((svg) => {
        const numbers = svg.dataset.values.split(" ");
        const columns = svg.viewBox.baseVal.width / 10;
        const mark = svg.querySelector(".at");
        mark.setAttribute("x", 10 * (at % columns));
        mark.setAttribute("y", 10 * Math.floor(at / columns));
        return `${svg.dataset.name} ${signed(Number(numbers[at]), digits)}`;
      }).join(", ");
      input.setAttribute("aria-valuetext", `${at + 1}: ${said}`);
      const number = Object.assign(document.createElement("b"), { textContent: at + 1 });
      vectors.querySelector("output").replaceChildren(number, ` of ${input.max}: ${said}`);
    },

    pick(vectors, number) {
      const input = vectors.querySelector("input[type=range]");
      if (Number(input.value) === number || number > Number(input.max)) return;
      input.value = number;
      this.read(vectors);
    },

    showPart() {
      const part = find("#inside-walk .part");
      if (!part) return;
      const grid = Number(part.dataset.grid);
      const input = part.querySelector("input");
      const at = Number(input.value) - 1;
      const [x, y] = [at % grid, Math.floor(at / grid)];
      const mark = find("#inside-walk .input .at");
      mark.setAttribute("x", x);
      mark.setAttribute("y", y);
      const style = part.querySelector(".pixels").style;
      style.setProperty("--pixels", find("#inside-walk .input .pixels").style.getPropertyValue("--pixels"));
      style.backgroundSize = `${100 * grid}%`;
      style.backgroundPosition = grid > 1 ? `${(100 * x) / (grid - 1)}% ${(100 * y) / (grid - 1)}%` : "0 0";
      const [red, green, blue] = part.dataset.colours.split(";")[at].split(",");
      const text = `row ${y + 1}, column ${x + 1}; mean colour: red ${red}, green ${green}, blue ${blue}`;
      input.setAttribute("aria-valuetext", `${at + 1}: ${text}`);
      part.querySelector("output").textContent = `${at + 1} of ${input.max}: ${text}`;
    },

    // Where in a grid of columns and rows a pointer is, from 0.
    cellAt(event, element, columns, rows) {
      const box = element.getBoundingClientRect();
      const x = Math.floor(((event.clientX - box.left) / box.width) * columns);
      const y = Math.floor(((event.clientY - box.top) / box.height) * rows);
      return Math.max(0, Math.min(y, rows - 1)) * columns + Math.max(0, Math.min(x, columns - 1));
    },

    point(event) {
      const svg = event.target.closest?.("#inside-walk svg.cells");
      const input = event.target.closest?.("#inside-walk .input .frame");
      if (svg) {
        const { width, height } = svg.viewBox.baseVal;
        this.pick(svg.closest(".vectors"), this.cellAt(event, svg, width / 10, height / 10) + 1);
      } else if (input) {
        const part = find("#inside-walk .part");
        part.querySelector("input").value = this.cellAt(event, input, part.dataset.grid, part.dataset.grid) + 1;
        this.showPart();
      }
    },

    // --- logit scale and softmax -----------------------------------------------------------------------------

    // Redraws logits and shares for the slider's value and the classes that are left, as softmax in numerics.py.
    share(slider = find("#sharpness-softmax")) {
      const scale = Number(slider.parentElement.dataset.own) * 2 ** Number(slider.value);
      for (const each of all("#inside-walk .sharpness input")) {
        each.value = slider.value;
        each.setAttribute("aria-valuetext", `logit scale ${scaleText(scale)}`);
      }
      for (const each of all("#inside-walk .scale")) each.textContent = scaleText(scale);
      const table = all("#inside-walk .logits tr[data-cosine]");
      const first = Number(table[0].dataset.cosine);
      for (const row of table) {
        const behind = scale * (Number(row.dataset.cosine) - first);
        row.querySelector(".logit").textContent = signed(scale * Number(row.dataset.cosine), 2);
        row.querySelector(".behind").textContent = signed(behind, 2);
        row.querySelector(".weight").textContent = weightText(Math.exp(behind));
      }
      this.shareBars(scale);
    },

    shareBars(scale) {
      const list = find("#inside-walk .shares");
      const bars = all(".bar", list);
      for (const bar of bars) {
        const out = this.removed.has(bar.dataset.class);
        bar.classList.toggle("out", out);
        bar.querySelector("input").checked = !out;
      }
      const left = bars.filter((bar) => !bar.classList.contains("out"));
      const rest = list.dataset.rest ? list.dataset.rest.split(" ").map(Number) : [];
      const best = left.length ? Number(left[0].dataset.cosine) : rest[0];
      const weight = (cosine) => Math.exp(scale * (cosine - best));
      const others = rest.reduce((sum, cosine) => sum + weight(cosine), 0);
      const total = left.reduce((sum, bar) => sum + weight(Number(bar.dataset.cosine)), others);
      for (const bar of bars) {
        const share = left.includes(bar) ? weight(Number(bar.dataset.cosine)) / total : 0;
        bar.querySelector(".percent").textContent = left.includes(bar) ? percent(share) : "not on the list";
        bar.querySelector(".track span").style.width = `${100 * share}%`;
        bar.querySelector("input").disabled = left.length + rest.length === 1 && left.includes(bar); // the last one
      }
      const restShare = find("#inside-walk .rest .percent");
      if (restShare) restShare.textContent = percent(others / total);
      const sum = find("#step-softmax .sum");
      sum.querySelector(".first").textContent = left[0]?.dataset.class ?? "The first of the others";
      sum.querySelector(".total").textContent = total.toFixed(4);
      sum.querySelector(".share").textContent = percent(1 / total);
      find("#inside-walk .back").disabled = !bars.some((bar) => bar.classList.contains("out"));
    },

    // Keys come faster than answers: the first one must not set the slider back.
    keepSharpness() {
      const slider = find("#sharpness-softmax");
      if (slider.value === this.sharpness) this.sharpness = null;
      if (this.sharpness !== null) slider.value = this.sharpness;
      if (this.sharpness !== null || this.removed.size) this.share(slider);
    },

    sendSharpness(value) {
      this.sharpness = value;
      clearTimeout(this.sending);
      this.sending = setTimeout(() => clipExplorer.type("#inside-sharpness", value), 300);
    },

    take(name, out) {
      if (out) this.removed.add(name);
      else this.removed.delete(name);
      this.share();
    },

    // --- presentation view -----------------------------------------------------------------------------------

    canPresent() {
      return this.isOpen() && Boolean(this.drawnAt);
    },

    present() {
      root.classList.add("presenting-steps");
      Promise.resolve(root.requestFullscreen?.()).catch(() => {}); // as in presentation.js
      this.fit();
      this.focusHeading();
    },

    focusHeading() {
      const heading = this.panel()?.querySelector("h2") ?? find("#inside-walk section.step:not([hidden]) h2");
      heading.tabIndex = -1;
      heading.focus();
    },

    leave() {
      root.classList.remove("presenting-steps", "coding");
      this.fit();
      if (document.fullscreenElement) Promise.resolve(document.exitFullscreen()).catch(() => {});
      find("#present button").focus();
    },

    presenting() {
      return root.classList.contains("presenting-steps");
    },

    // A step as large as the screen allows: a very long one rather scrolls than becomes too small for the back row. Of
    // the walk, a panel leaves its first line.
    fit() {
      const walk = find("#inside-walk .walk");
      if (!walk) return;
      const panel = this.presenting() && this.panel();
      for (const each of all("#how .inside-panel")) each.toggleAttribute("data-presented", each === panel);
      root.classList.toggle("presenting-panel", Boolean(panel));
      walk.style.zoom = "";
      if (!this.presenting()) return;
      const room = Math.min(window.innerWidth / (walk.offsetWidth + 32), window.innerHeight / (walk.offsetHeight + 32));
      const readable = window.innerWidth / 1536;
      walk.style.zoom = panel ? readable : Math.max(room, readable);
    },

    // --- other images ----------------------------------------------------------------------------------------

    another() {
      const photos = all("#examples button");
      if (find('#source input[value="example"]').checked) {
        const now = photos.findIndex((each) => each.dataset.name === find("#example textarea").value);
        photos[(now + 1) % photos.length].click();
      } else {
        find("#random").click();
      }
    },
  };

  const inside = window.clipInside;

  document.addEventListener("clip-shown", () => inside.refresh());
  document.addEventListener("clip-restored", () => {
    inside.step = new URLSearchParams(window.location.search).get("step") ?? "";
    inside.show();
    inside.panel()?.scrollIntoView();
  });
  document.addEventListener("pointermove", (event) => inside.point(event));
  document.addEventListener("pointerdown", (event) => inside.point(event));

  document.addEventListener("input", (event) => {
    const field = event.target.closest?.("#inside-walk input");
    if (!field) return;
    if (field.closest(".sharpness")) inside.share(field);
    else if (field.closest(".vectors")) inside.read(field.closest(".vectors"));
    else if (field.closest(".part")) inside.showPart();
    else if (field.closest(".shares")) inside.take(field.closest(".bar").dataset.class, !field.checked);
  });

  document.addEventListener("change", (event) => {
    const field = event.target.closest?.("#inside-walk :is(select, .sharpness input)");
    if (!field) return;
    inside.focused = field.id; // it is drawn again
    if (field.id === "follow") clipExplorer.type("#inside-follow", field.value);
    else inside.sendSharpness(field.value);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#inside-walk button");
    if (!button) return;
    if (button.dataset.step) inside.open(button.dataset.step);
    else if (button.dataset.panel) clipPanels.show(button.dataset.panel);
    else if (button.dataset.pick) inside.pick(button.closest("section").querySelector(".vectors"), Number(button.dataset.pick));
    else if (button.dataset.action === "another") inside.another();
    else if (button.dataset.action === "leave") inside.leave();
    else if (button.dataset.action === "code") clipPresentation.toggleCode();
    else if (button.dataset.action === "change") find('[role=tab][data-tab-id="explore"]').click();
    else if (button.matches(".back")) {
      inside.removed.clear();
      inside.share();
    }
  });

  document.addEventListener("keydown", (event) => {
    if (!inside.presenting() || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest("input, textarea, select")) return;
    const code = () => clipPresentation.toggleCode();
    const keys = { ArrowLeft: () => inside.by(-1), ArrowRight: () => inside.by(1), Escape: () => inside.leave(), q: code };
    const action = (root.classList.contains("coding") ? { Escape: code, q: code } : keys)[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  document.addEventListener("fullscreenchange", () => {
    if (!inside.presenting()) return;
    if (document.fullscreenElement) inside.fit();
    else inside.leave();
  });
  window.addEventListener("resize", () => inside.fit());
}
