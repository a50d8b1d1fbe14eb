// What the Prompt Lab does in the browser: copying the prompt set between tabs, redrawing the open section, clicks.
window.clipLab = {
  tab: "Explore", // the tab of these two that was open last: "Explore" or "Lab"
  dataset: null, // the one that the class names of the lab belong to
  section: "Classes",

  // As parse_classnames in prompts.py.
  count(classes) {
    const names = classes.match(/\s*(?:"(?:[^"\n]|"")*"|“[^”\n]*”)[^\S\n]*(?=[,，、\n]|$)|[^,，、\n]+/g) ?? [];
    return names.filter((name) => name.trim()).length;
  },

  // From Explore to the lab. `own` is the dataset's class list. A list of Explore that does not name every class stays
  // there: the lab keeps its names, or takes the dataset's, and shows a note.
  enter(dataset, own, theirs, mine, note) {
    if (this.tab === "Lab") return [...mine, note, clipExplorer.now()];
    this.tab = "Lab";
    const [templates, classes, replaceUnderscores] = theirs;
    const [n, needed] = [this.count(classes), this.count(own)];
    const kept = this.dataset === dataset && this.count(mine[1]) === needed ? mine[1] : own;
    this.dataset = dataset;
    const names = n === needed ? classes : kept;
    return [templates, names, replaceUnderscores, n === needed ? "" : this.note(n, needed), clipExplorer.now()];
  },

  note(n, needed) {
    const names = n === 1 ? "1 name" : `${n.toLocaleString("en")} names`;
    const classes = `${needed.toLocaleString("en")} classes`;
    return `<p class="caption">Explore’s list has ${names}, but the test set has ${classes}: the lab uses its own names.</p>`;
  },

  // From the lab to Explore, which predicts again if the prompt set was changed.
  leave(own, mine, theirs, request) {
    if (this.tab !== "Lab") return [...theirs, request];
    this.tab = "Explore";
    const needed = this.count(own);
    const travels = [mine, theirs].every(([, classes]) => this.count(classes) === needed);
    const changed = travels ? mine : [mine[0], theirs[1], mine[2]];
    const same = changed.every((value, i) => value === theirs[i]);
    return [...changed, same ? request : clipExplorer.now()];
  },

  visible() {
    return Boolean(document.querySelector("#lab-top")?.offsetParent);
  },

  // A new value in the hidden field of a section redraws it; only the open section gets one.
  redraw(sections, values) {
    return sections.map((section, i) => (section === this.section ? clipExplorer.now() : values[i]));
  },

  open(section) {
    this.section = section;
    return clipExplorer.now();
  },

  // A click on a button with data-open="7" triggers the event "open" with the value "7".
  listen(element, trigger, names) {
    const send = (target) => {
      const name = target && names.find((each) => each in target.dataset);
      if (name) trigger(name, { value: target.dataset[name] });
    };
    element.addEventListener("click", (event) => send(event.target.closest("button")));
    element.addEventListener("change", (event) => send(event.target.closest("input")));
    element.addEventListener("keydown", (event) => this.move(event));
  },

  // Arrow keys move between the cells of the confusion matrix, and skip empty ones.
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
    const type = name.endsWith(".json") ? "application/json" : "text/csv";
    clipExplorer.save(name, text, `${type};charset=utf-8`);
    return ["", ""];
  },
};
