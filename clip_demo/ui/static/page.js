// What runs in the browser: addresses and history, changing the index, dimming old results while a request is running,
// photos that are dropped or pasted, and what Gradio has no option for.
const MAX_ADDRESS = 6000; // as in permalink.py
window.clipExplorer = {
  now() {
    return `${Date.now()}${Math.random()}`;
  },

  // The number field may be empty or out of range: a step then starts from the nearest valid index.
  clamp(index, last) {
    const number = Number.isFinite(index) ? Math.round(index) : 0;
    return Math.min(Math.max(number, 0), last);
  },

  step(index, by, last) {
    return [this.clamp(this.clamp(index, last) + by, last), this.now()];
  },

  random(index, last) {
    let next = index;
    while (next === index && last > 0) next = Math.floor(Math.random() * (last + 1));
    return [next, this.now()];
  },

  sent() {
    document.documentElement.classList.add("clip-waiting");
  },

  // After an unexpected error. Gradio shows its message.
  failed() {
    document.documentElement.classList.remove("clip-waiting");
    document.querySelector("#results .waiting:has(.spinner)")?.remove();
    return [];
  },

  // Says a sentence at the edge of the page; `html` is escaped as Gradio expects it.
  say(html) {
    document.querySelector("#says")?.remove();
    const box = Object.assign(document.createElement("div"), { id: "says", className: "alert", role: "alert" });
    const text = document.createElement("strong");
    text.textContent = new DOMParser().parseFromString(html, "text/html").body.textContent;
    const dismiss = Object.assign(document.createElement("button"), { type: "button", className: "dismiss" });
    dismiss.setAttribute("aria-label", "Dismiss");
    dismiss.textContent = "✕";
    box.append(text, dismiss);
    document.body.append(box);
    setTimeout(() => box.remove(), 10_000); // as long as Gradio shows its messages
  },

  received(query) {
    // Requests are not counted: a lost response would leave the page dimmed forever.
    document.documentElement.classList.remove("clip-waiting");
    if (query && !this.shown) {
      this.shown = true;
      // After the fields were restored: other tabs take the words from Explore. A tab that was clicked before stays.
      if (new URLSearchParams(window.location.search).has("tab")) this.showTab();
    }
    this.updateAddress(query);
    document.dispatchEvent(new Event("clip-shown")); // other tabs show what is on
    for (const name of ["templates", "classes"]) {
      const invalid = Boolean(document.querySelector(`#${name}-message .message`));
      document.querySelector(`#${name} textarea`)?.setAttribute("aria-invalid", invalid);
    }
    return [];
  },

  // --- addresses and history ---

  parameters: [
    ...["tab", "step", "dataset", "index", "photo", "template", "classes"],
    ...["replace_underscores", "sharpness", "none_of_these", "model", "find", "like"],
  ],
  ofTabs: ["tab", "step", "find", "like"], // those that Explore does not write
  pushed: 0, // time of the last new entry in the history
  shown: false, // whether the first answer is there
  restoring: 0, // until then, answers to what the visitor did before going back do not change the address

  // Going back leads to another tab, image or model; words replace the current entry, and so does fast stepping.
  updateAddress(query) {
    if (!query) return;
    const before = new URLSearchParams(window.location.search);
    const after = new URLSearchParams(before); // other parameters, such as Gradio's __theme, are kept
    this.parameters.filter((name) => !this.ofTabs.includes(name)).forEach((name) => after.delete(name));
    new URLSearchParams(query).forEach((value, name) => after.append(name, value));
    this.visit(before, after, before.has("dataset"));
  },

  openTab(tab) {
    if (!this.shown) return; // Gradio reports the first tab, too
    const before = new URLSearchParams(window.location.search);
    const after = new URLSearchParams(before);
    this.ofTabs.forEach((name) => after.delete(name));
    if (tab !== "explore") after.append("tab", tab);
    if (tab === "how" && clipInside.step) after.append("step", clipInside.step);
    if (tab === "search") clipSearch.write(after);
    this.visit(before, after, true, true);
  },

  // What the visitor clicks after going back is no late answer.
  visit(before, after, mayPush, isClick = false) {
    const differs = (name) => before.get(name) !== after.get(name);
    if (!this.parameters.some(differs)) this.restoring = 0;
    if (!this.parameters.some(differs) || (Date.now() < this.restoring && !isClick)) return;
    const moved = ["tab", "step", "like", "dataset", "index", "photo", "model"].some(differs);
    const push = moved && mayPush && Date.now() - this.pushed > 1000;
    if (push) this.pushed = Date.now();
    this.setAddress(after, push ? "pushState" : "replaceState");
  },

  setAddress(query, how = "replaceState") {
    try {
      window.history[how](window.history.state, "", `${window.location.pathname}?${query}${window.location.hash}`);
    } catch {
      // Browsers limit how often a page may change its address; the page works without.
    }
  },

  opened() {
    this.prepare();
    return window.location.search;
  },

  showTab() {
    const tab = new URLSearchParams(window.location.search).get("tab") ?? "explore";
    const button = document.querySelector(`[role=tab][data-tab-id="${CSS.escape(tab)}"]`);
    if (button && button.getAttribute("aria-selected") !== "true") button.click();
  },

  // Back or forward: the fields follow the address.
  restore() {
    this.restoring = Date.now() + 10_000; // an answer may be slow, and most end it earlier: they equal the address
    this.showTab();
    document.dispatchEvent(new Event("clip-restored"));
    this.type("#link", `${window.location.search}&at=${Date.now()}`); // an equal value would not count as a change
  },

  // Lets the browser download what the page has made.
  save(name, content, type) {
    const link = document.createElement("a");
    const mark = type.startsWith("text/csv") ? "\ufeff" : ""; // without it, Excel does not read the file as UTF-8
    link.href = URL.createObjectURL(new Blob([mark, content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  },

  // Types into a hidden field, so that Gradio sees a change.
  type(field, text) {
    const input = document.querySelector(`${field} :is(textarea, input)`);
    input.value = text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  },

  async copyLink(note) {
    const done = (text) => `<p role="status">${text} ${note}</p>`;
    setTimeout(() => document.querySelector("#copied p")?.remove(), 6000); // the page's address may be another by then
    try {
      await navigator.clipboard.writeText(window.location.href);
      return done("Link copied.");
    } catch {
      return done("The browser does not allow copying: take the link from the address bar."); // as without encryption
    }
  },

  // --- photos that are dropped or pasted anywhere ---

  takePhoto(event, items) {
    if (clipTeach.visible()) return clipTeach.takeFiles(event, items);
    if (event.target.closest?.("#many-photos-desk") && items?.files.length) return clipMany.dropped(event, items.files);
    const images = [...(items?.files ?? [])].filter((each) => each.type === "" || each.type.startsWith("image/"));
    const [file] = images;
    const text = items?.types.includes("text/plain") && event.target.closest?.("textarea, input");
    if (text || event.target.closest?.("#photo")) return; // that field takes its own
    if (event.type === "drop" && items?.types.includes("Files")) event.preventDefault(); // the browser would open it
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    if (images.length > 1) {
      this.say("Only the first photo was taken. “Many photos at once”, at the end of the tab Explore, takes up to 100.");
    }
    if (clipSearch.visible()) return clipSearch.byPhoto(file);
    document.querySelector('[role=tab][data-tab-id="explore"]')?.click();
    document.querySelector('#source input[value="own"]')?.click();
    document.querySelector('#photo button[aria-label="Remove Image"], #photo button[aria-label="Clear"]')?.click();
    const files = new DataTransfer();
    files.items.add(file);
    // The field has no file input until the photo before is gone.
    const hand = (tries) => {
      const input = document.querySelector("#photo input[type=file]");
      if (!input) return tries && setTimeout(() => hand(tries - 1), 50);
      input.files = files.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    };
    hand(40);
  },

  // --- the guide, and what Gradio has no option for ---

  // A browser may deny its store; the guide then opens with each visit.
  guideIsClosed() {
    try {
      return localStorage.getItem("clip-guide") === "closed";
    } catch {
      return false;
    }
  },

  toggleGuide(open = document.documentElement.classList.contains("clip-guide-closed")) {
    try {
      localStorage.setItem("clip-guide", open ? "open" : "closed");
    } catch {
      // see guideIsClosed
    }
    document.documentElement.classList.toggle("clip-guide-closed", !open);
    document.querySelector("#open-guide")?.setAttribute("aria-expanded", open);
  },

  prepare() {
    document.querySelector("#details").popover = "auto";
    for (const name of ["templates", "classes"]) {
      document.querySelector(`#${name} textarea`).setAttribute("aria-describedby", `${name}-message`);
    }
    document.querySelector("#index input").setAttribute("aria-describedby", "image-message");
    // The regions themselves stay, so that a screen reader hears their new content.
    for (const name of ["verdict", "templates-message", "classes-message", "image-message"]) {
      document.getElementById(name).setAttribute("role", "status");
    }
    const titles = {
      keep: "Mark the shares of these words in the bars, whatever you change next",
      "likely-list": "The ten classes of the dataset that CLIP finds most likely",
      "own-list": "The list that comes with this image",
      sharpness: "How much the best class gets of the 100 %; the order stays",
    };
    Object.entries(titles).forEach(([id, text]) => document.getElementById(id).setAttribute("title", text));
    this.toggleGuide(!this.guideIsClosed());
  },
};

// Gradio shows no message of an event outside the queue.
const gradioFetch = window.fetch;
window.fetch = async (...request) => {
  const response = await gradioFetch(...request);
  if (!response.ok && new URL(response.url).pathname.includes("/gradio_api/run/")) {
    const answer = response.clone().json();
    answer.then(({ error }) => error && clipExplorer.say(error), () => {});
  }
  return response;
};

if (clipExplorer.guideIsClosed()) document.documentElement.classList.add("clip-guide-closed");
window.addEventListener("popstate", () => clipExplorer.restore());
// Words that are typed while the server does not answer are in the address, too, and survive a reload.
document.addEventListener("input", (event) => {
  const name = { templates: "template", classes: "classes" }[event.target.closest?.("#templates, #classes")?.id];
  if (!name || !clipExplorer.shown) return;
  const query = new URLSearchParams(window.location.search);
  query.set(name, event.target.value);
  if (`${query}`.length < MAX_ADDRESS) clipExplorer.setAddress(query);
});
document.addEventListener("paste", (event) => clipExplorer.takePhoto(event, event.clipboardData), true);
document.addEventListener("drop", (event) => clipExplorer.takePhoto(event, event.dataTransfer), true);
document.addEventListener("dragover", (event) => {
  if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); // else the browser opens the dropped file
});
document.addEventListener("click", (event) => {
  if (event.target.closest("#guide .close")) clipExplorer.toggleGuide(false);
  // A download that fails is a message for the visitor who asked for it; see style.css.
  if (event.target.closest("#download-dataset")) document.documentElement.classList.add("clip-asked");
  if (event.target.closest(".alert .dismiss")) event.target.closest(".alert").remove();
});
