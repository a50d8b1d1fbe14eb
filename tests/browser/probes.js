// What test_accessibility.py reads from the page.
window.probes = {
  visible(element) {
    return element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  },

  // A short and stable name for messages and for lists of exceptions.
  name(element) {
    const own = element.id ? `#${element.id}` : "";
    const near = element.closest("[id]:not([id^=html-]):not([id^=component-])");
    const text = (element.getAttribute("aria-label") || element.innerText || element.value || "").trim().slice(0, 30);
    return `${near && !own ? `#${near.id} ` : ""}${element.tagName.toLowerCase()}${own} "${text}"`;
  },

  // Our own markup is in HTML and Markdown blocks. Everything else is drawn by Gradio's components.
  ours(element) {
    return Boolean(element?.closest(".html-container, .prose"));
  },

  // On the whole page, or in the open tab alone, which takes half the time.
  async violations(rules, whole) {
    const tab = [...document.querySelectorAll("[role=tabpanel]")].find((each) => each.checkVisibility());
    const only = rules.length ? { runOnly: { type: "rule", values: rules } } : {};
    const result = await axe.run(whole ? document : tab, { resultTypes: ["violations"], ...only });
    return result.violations.flatMap((rule) =>
      rule.nodes.map((node) => {
        const element = document.querySelector(node.target[0]);
        const reason = [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ");
        return { rule: rule.id, target: node.target.join(" "), ours: this.ours(element), reason };
      }),
    );
  },

  headings() {
    return [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
      .filter((each) => this.visible(each))
      .map((each) => [Number(each.tagName[1]), each.innerText]);
  },

  // .gradio-container hides its overflow: what is cut off there does not widen the document.
  overflow() {
    const wide = [document.documentElement, document.querySelector(".gradio-container")];
    return Math.max(...wide.map((each) => each.scrollWidth - each.clientWidth));
  },

  // Tabs whose text is cut off.
  cutTabs() {
    return [...document.querySelectorAll("[role=tab]")]
      .filter((each) => this.visible(each) && each.scrollWidth > each.clientWidth + 1)
      .map((each) => each.innerText);
  },

  // For columns side by side: what share of the row's height each of them fills.
  columns() {
    return [...document.querySelectorAll(".row")].flatMap((row) => {
      const boxes = [...row.children]
        .filter((each) => each.classList.contains("column") && this.visible(each))
        .map((each) => [this.name(each), each.getBoundingClientRect()]);
      const beside = boxes.length > 1 && boxes.every(([, box]) => box.top < boxes[0][1].bottom && boxes[0][1].top < box.bottom);
      const highest = Math.max(...boxes.map(([, box]) => box.height));
      return beside ? boxes.map(([name, box]) => [name, box.height / highest]) : [];
    });
  },

  // Text that stays readable must not be dimmed by an element around it.
  opacity(element) {
    let opacity = 1;
    for (let each = element; each; each = each.parentElement) opacity *= getComputedStyle(each).opacity;
    return opacity;
  },

  // The element that shows the ring: the control, or the label of a radio button.
  ring(element) {
    const width = (each) => {
      const style = getComputedStyle(each);
      return style.outlineStyle === "none" || style.outlineColor === "rgba(0, 0, 0, 0)" ? 0 : parseFloat(style.outlineWidth);
    };
    const shown = (each) => width(each) >= 2 && getComputedStyle(each).opacity !== "0";
    return [element, element.closest("label")].find((each) => each && shown(each));
  },

  // The ancestor that cuts off the ring of an element. Two pixels of it must remain on each side.
  clipper(element) {
    const offset = parseFloat(getComputedStyle(element).outlineOffset) + 2;
    const box = element.getBoundingClientRect();
    for (let each = element.parentElement; each && each !== document.body; each = each.parentElement) {
      const style = getComputedStyle(each);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const frame = each.getBoundingClientRect();
      const left = frame.left + each.clientLeft, top = frame.top + each.clientTop;
      const over = Math.max(
        left - (box.left - offset), box.right + offset - (left + each.clientWidth),
        top - (box.top - offset), box.bottom + offset - (top + each.clientHeight),
      );
      if (over > 0.5) return `${this.name(each)} .${each.className} by ${over.toFixed(1)} px`;
    }
    return null;
  },

  focused() {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const ring = this.ring(element);
    const key = (element.dataset.walked ??= `${Math.random()}`);
    return { key, name: this.name(element), ring: Boolean(ring), clipper: ring ? this.clipper(ring) : null };
  },

  // The size of what reacts to a finger: the label of a radio button or checkbox, or the control itself.
  targets() {
    const controls = "button, a[href], input:not([type=hidden]), select, textarea, summary, [role=tab], [role=option]";
    return [...document.querySelectorAll(controls)]
      .filter((each) => this.visible(each))
      .map((each) => {
        const box = (each.closest("label:has(input[type=radio], input[type=checkbox])") ?? each).getBoundingClientRect();
        return { name: this.name(each), width: Math.round(box.width), height: Math.round(box.height) };
      })
      .filter((each) => each.width > 1 && each.height > 1);
  },

  // Red, green, blue and opacity of a CSS colour, 0 to 255 and 0 to 1.
  rgba(colour) {
    const canvas = (this.canvas ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }));
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  },

  // The first background that is not transparent, from an element upwards.
  ground(element) {
    for (let each = element; each; each = each.parentElement) {
      const colour = this.rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] > 0.5) return colour;
    }
    return this.rgba("Canvas");
  },

  luminance(colour) {
    const [red, green, blue] = colour.map((each) => each / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  },

  contrast(one, other) {
    const [low, high] = [one, other].map((each) => this.luminance(each)).sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  },

  // Each bar's filled part against the rest of its track.
  bars() {
    return [...document.querySelectorAll(".track span")]
      .filter((each) => this.visible(each))
      .map((each) => [this.name(each.closest(".bar, td, .scale") ?? each), this.contrast(this.ground(each), this.ground(each.parentElement))]);
  },

  // A checkbox that the browser draws: its computed border is not the one that is seen.
  native(element) {
    return element.type === "checkbox" && getComputedStyle(element).appearance === "auto";
  },

  // The edge of each field, checkbox and radio button against what surrounds it.
  edges() {
    const fields = "input:not([type=range], [type=file]), textarea";
    return [...document.querySelectorAll(fields)]
      .filter((each) => this.visible(each) && getComputedStyle(each).opacity !== "0" && !this.native(each))
      .map((field) => {
        let edge = field;
        const framed = (each) => parseFloat(getComputedStyle(each).borderBottomWidth) > 0;
        while (!framed(edge) && edge.parentElement) edge = edge.parentElement;
        const outside = this.ground(edge.parentElement);
        const checked = field.matches(":checked") ? this.contrast(this.ground(field), outside) : 0;
        return [this.name(field), Math.max(checked, this.contrast(this.rgba(getComputedStyle(edge).borderBottomColor), outside))];
      });
  },
};
