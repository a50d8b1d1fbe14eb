// What of the Prompt Lab happens in the browser: which part is open, carrying the wording between the tabs, clicks.
window.clipLab = {
  shown: "Explore", // the tab of the two that was looked at last
  part: "Classes",

  // From Explore to the lab.
  enter(templates, classes, spaces) {
    this.shown = "Lab";
    return [templates, classes, spaces, clipExplorer.now()];
  },

  // And back: what was typed in the lab is what Explore shows.
  leave(mine, theirs, request) {
    if (this.shown !== "Lab") return [...theirs, request];
    this.shown = "Explore";
    const same = mine.every((value, i) => value === theirs[i]);
    return [...mine, same ? request : clipExplorer.now()];
  },

  open() {
    return Boolean(document.querySelector("#lab-top")?.offsetParent);
  },

  // Only the open part is drawn anew: its field changes, the others' stay.
  ask(parts, asked) {
    return parts.map((part, i) => (part === this.part ? clipExplorer.now() : asked[i]));
  },

  see(part) {
    this.part = part;
    return clipExplorer.now();
  },

  // A button with data-open="7" triggers the event "open" with the value "7".
  listen(element, trigger, names) {
    const send = (target) => {
      const name = target && names.find((each) => each in target.dataset);
      if (name) trigger(name, { value: target.dataset[name] });
    };
    element.addEventListener("click", (event) => send(event.target.closest("button")));
    element.addEventListener("change", (event) => send(event.target.closest("input")));
    element.addEventListener("keydown", (event) => this.move(event));
  },

  // Arrow keys go from cell to cell of the confusion matrix, over empty ones.
  move(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const cell = event.target.closest("button[data-cell]")?.parentElement;
    if (!step || !cell) return;
    event.preventDefault();
    const rows = cell.closest("tbody").rows;
    let [y, x] = [cell.parentElement.sectionRowIndex + step[0], cell.cellIndex + step[1]];
    for (; rows[y]?.cells[x]; y += step[0], x += step[1]) {
      const next = rows[y].cells[x].querySelector("button[data-cell]");
      if (next) {
        next.focus();
        return;
      }
    }
  },

  save(name, text) {
    const link = document.createElement("a");
    const type = name.endsWith(".json") ? "application/json" : "text/csv";
    link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    return ["", ""];
  },
};
