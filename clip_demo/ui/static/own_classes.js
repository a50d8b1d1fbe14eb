// The tab "Your classes" in the browser: it sends commands one after the other, draws the class cards from the answers,
// and has the webcam. Photos go to the server for one event each, under names that tell it to delete them.
const TEACH = { most: 50, atOnce: 8, frame: 250, look: 60_000, live: 700, patience: 45_000 }; // photos, photos, and milliseconds
window.clipTeach = {
  classes: [], // as on the server: { name, keys }
  thumbnails: new Map(), // data URLs by key
  waiting: [], // commands that were not sent yet
  adding: [], // commands whose photos are on their way
  uploaded: Promise.resolve(), // when the photos before have arrived
  busy: 0, // when the pending command was sent; a lost answer is not waited for forever
  test: null, // { key }, { file }, { example } or { webcam: true }; null for the photo that was added last
  predicting: 0, // as `busy`, for test photos
  again: false, // whether to predict once more, because something changed meanwhile

  // --- the server ---

  // Whoever knows the token sees the photos. It survives a reload, and other tabs do not have it.
  get token() {
    try {
      return (this.made ??= sessionStorage.getItem("clip-teach") ?? this.newToken());
    } catch {
      return (this.made ??= this.newToken()); // a browser may deny its store
    }
  },

  newToken() {
    const digits = [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16).padStart(2, "0"));
    const token = digits.join("");
    try {
      sessionStorage.setItem("clip-teach", token);
    } catch {
      // then a reload begins anew
    }
    return token;
  },

  open(trigger, events) {
    this.trigger = (name, data = {}) => events.includes(name) && trigger(name, { token: this.token, ...data });
    this.command({ do: "look", all: true });
    // A set that nobody looks at is dropped after some minutes.
    this.timer ??= setInterval(() => this.photos() && this.command({ do: "look" }), TEACH.look);
  },

  command(data) {
    this.waiting.push(data);
    this.next();
  },

  isOpen(since) {
    return Date.now() - since < TEACH.patience;
  },

  next() {
    if (this.isOpen(this.busy) || !this.waiting.length) return;
    this.busy = Date.now();
    this.sent = this.waiting.shift();
    this.trigger("command", { command: this.sent });
  },

  answered(text) {
    this.busy = 0;
    const answer = JSON.parse(text);
    const [sent, had] = [this.sent, this.photos()];
    Object.entries(answer.thumbnails).forEach(([key, url]) => this.thumbnails.set(key, url));
    const added = this.addedLast(answer.classes);
    const same = JSON.stringify(answer.classes) === JSON.stringify(this.classes);
    if (sent.do === "remove-class" && answer.classes.length < this.classes.length) this.renumber(sent.class);
    this.classes = answer.classes;
    const [focus, inside] = [document.activeElement, document.activeElement?.closest("#teach-desk")];
    this.draw(answer.canUndo);
    if (inside && (!focus.offsetParent || focus.disabled)) this.focusAfter(sent);
    const gone = sent.do === "look" && had && !this.photos();
    this.say(gone ? "Your photos are gone, because the page was away for some minutes or was started again." : answer.message);
    if (answer.file) this.save(answer.file);
    if (answer.opened !== undefined) this.tell(`Opened: ${this.count(answer.opened)}.`);
    if (added) this.tell(this.classes.map((each) => `${each.name}: ${this.count(each.keys.length)}`).join(", "));
    if (added && (!this.test || this.test.key)) this.choose({ key: added });
    else if (this.test ? this.test.key && !this.has(this.test.key) : this.photos()) this.choose(null);
    else if (!same) this.predict();
    if (!same) this.measureSoon();
    this.next();
    return "";
  },

  failed() {
    this.busy = 0;
    this.waiting = [];
    this.draw();
  },

  // The newest photo of a class, if one came in since the last answer.
  addedLast(classes) {
    const before = new Set(this.classes.flatMap((each) => each.keys));
    const added = classes.flatMap((each) => each.keys).filter((key) => !before.has(key)).at(-1);
    this.newest = added ?? this.newest;
    return added;
  },

  // Photos arrive in the order in which they were chosen, whatever the classes; other commands do not wait for them.
  async addPhotos(i, photos, quiet) {
    const command = { do: "add", class: i, quiet };
    this.adding.push(command);
    this.uploaded = this.uploaded.catch(() => {}).then(() => this.upload(photos));
    try {
      command.paths = await this.uploaded;
    } finally {
      this.adding.splice(this.adding.indexOf(command), 1);
    }
    if (command.class !== null) this.command(command);
  },

  // After a class was removed: what the visitor asked before is about the same classes as then, or is dropped.
  renumber(removed) {
    for (const each of [...this.adding, ...this.waiting]) {
      if (each.class === removed) each.class = null;
      else if (each.class > removed) each.class -= 1;
    }
    this.waiting = this.waiting.filter((each) => each.class !== null);
  },

  async upload(blobs) {
    const form = new FormData();
    for (const blob of blobs) {
      const type = blob.name?.match(/\.\w{1,5}$/)?.[0] ?? "";
      form.append("files", blob, `once-${crypto.getRandomValues(new Uint32Array(2)).join("")}${type}`);
    }
    const { root = "", api_prefix: prefix = "/gradio_api" } = window.gradio_config ?? {};
    const response = await fetch(`${root}${prefix}/upload`, { method: "POST", body: form });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  },

  // --- what the visitor sees ---

  visible() {
    return Boolean(document.querySelector("#teach-desk")?.offsetParent);
  },

  photos() {
    return this.classes.reduce((sum, each) => sum + each.keys.length, 0);
  },

  count(n) {
    return n === 1 ? "1 photo" : `${n} photos`;
  },

  has(key) {
    return this.classes.some((each) => each.keys.includes(key));
  },

  say(message = "") {
    const box = document.querySelector("#teach-message");
    box.textContent = message;
    box.hidden = !message;
  },

  // For screen readers: what everybody else sees happen.
  tell(text) {
    document.querySelector("#teach-says").textContent = text;
  },

  // What had the focus was hidden, removed or disabled by a command.
  focusAfter({ do: done, key, class: i }) {
    const cards = document.querySelectorAll(".teach-card");
    const part = {
      move: () => document.querySelector(`#teach-cards li[data-key="${CSS.escape(key)}"] button`),
      "remove-class": () => cards[Math.min(i, cards.length - 1)].querySelector("input.name"),
    }[done]?.();
    (part ?? document.querySelector(".teach-all button:not(:disabled)"))?.focus();
  },

  draw(canUndo) {
    const box = document.querySelector("#teach-cards");
    while (box.children.length > this.classes.length) box.lastElementChild.remove();
    while (box.children.length < this.classes.length) box.append(this.card());
    this.classes.forEach((each, i) => this.drawCard(box.children[i], each, i));
    const button = (name) => document.querySelector(`#teach-desk [data-do="${name}"]`);
    if (canUndo !== undefined) button("undo").disabled = !canUndo;
    button("add-class").disabled = this.classes.length >= 10;
    for (const name of ["forget", "save"]) button(name).disabled = !this.photos();
    document.querySelector("#teach-what").textContent = this.describe(this.test);
  },

  card() {
    const card = document.createElement("section");
    card.className = "teach-card";
    card.innerHTML = `<div class="head"><input class="name" autocomplete="off" spellcheck="false" maxlength="100">
      <span class="count"></span><button type="button" class="icon" data-do="remove-class" title="Remove this class">✕</button></div>
      <div class="teach-buttons"><button type="button" data-do="choose">Add photos</button>
      <input type="file" accept="image/*" multiple hidden>
      <button type="button" data-do="record" aria-describedby="teach-privacy"></button></div>
      <video muted playsinline hidden></video><ul class="photos"></ul>
      <div class="picked" hidden><span></span><button type="button" data-do="delete">Delete</button>
      <label>Move to <select data-do="move"></select></label></div>`;
    return card;
  },

  drawCard(card, { name, keys }, i) {
    const part = (selector) => card.querySelector(selector);
    const field = part("input.name");
    card.dataset.class = i;
    card.setAttribute("aria-label", `Class ${name}`);
    // What is being typed stays, unless the server refused it or something else changed the name.
    if (field.dataset.name !== name || this.sent?.do === "rename") field.value = field.dataset.name = name;
    field.setAttribute("aria-label", `Name of class ${i + 1}`);
    part(".count").textContent = this.count(keys.length);
    part("[data-do=remove-class]").setAttribute("aria-label", `Remove the class ${name}`);
    part("[data-do=remove-class]").disabled = this.classes.length <= 2;
    part("[data-do=choose]").setAttribute("aria-label", `Add photos of ${name}`);
    this.drawCamera(card, name);
    this.drawPhotos(part(".photos"), keys, name);
    this.drawPicked(card, name, keys, i);
  },

  // Only what changed is touched, so that the focus stays where it is.
  drawPhotos(list, keys, name) {
    const items = new Map([...list.children].map((each) => [each.dataset.key, each]));
    items.forEach((item, key) => keys.includes(key) || item.remove());
    keys.forEach((key, n) => {
      const item = items.get(key) ?? this.photo(key);
      if (list.children[n] !== item) list.insertBefore(item, list.children[n] ?? null);
      const button = item.firstElementChild;
      button.setAttribute("aria-label", `Photo ${n + 1} of ${name}: test it`);
      button.setAttribute("aria-pressed", this.test?.key === key);
      // One Tab stop for the photos of a class; the arrow keys move between them.
      button.tabIndex = key === (keys.includes(this.test?.key) ? this.test.key : keys[0]) ? 0 : -1;
    });
  },

  photo(key) {
    const item = document.createElement("li");
    item.dataset.key = key;
    const image = this.thumbnails.get(key) ? `<img src="${this.thumbnails.get(key)}" alt="">` : "<span>no copy</span>";
    item.innerHTML = `<button type="button" data-do="pick">${image}</button>`;
    return item;
  },

  drawPicked(card, name, keys, i) {
    const bar = card.querySelector(".picked");
    const n = keys.indexOf(this.test?.key);
    bar.hidden = n < 0;
    if (n < 0) return;
    bar.firstElementChild.textContent = `Photo ${n + 1}:`;
    const choices = this.classes.map((each, k) => new Option(each.name, k)).filter((_, k) => k !== i);
    const none = new Option("another class", "", true, true);
    none.disabled = true;
    bar.querySelector("select").replaceChildren(none, ...choices);
  },

  // Without a choice, it is the photo that was added last, or another one if that is gone.
  choose(choice) {
    const key = this.has(this.newest) ? this.newest : this.classes.flatMap((each) => each.keys).at(-1);
    const test = choice ?? (key ? { key } : null);
    if (this.shownUrl) URL.revokeObjectURL(this.shownUrl);
    this.test = test;
    this.shownUrl = test?.file ? URL.createObjectURL(test.file) : null;
    const image = document.querySelector("#teach-shown");
    image.src = this.shownUrl ?? this.thumbnails.get(test?.key) ?? (test?.example ? this.example(test.example).firstElementChild.src : "");
    image.hidden = !image.getAttribute("src") || Boolean(test?.webcam);
    this.draw();
    this.drawTestCamera();
    this.predict();
  },

  example(name) {
    return document.querySelector(`[data-do=example][data-name="${CSS.escape(name)}"]`);
  },

  describe(test) {
    const owner = this.classes.find((each) => each.keys.includes(test?.key));
    if (owner) {
      return `Photo ${owner.keys.indexOf(test.key) + 1} of “${owner.name}”: it is left out, so that nobody has learned from it.`;
    }
    if (test?.webcam) return "What the webcam sees now. These images are not kept.";
    if (test?.file) return "Your photo. It is not kept.";
    return test?.example ? `An example: ${this.example(test.example).title}.` : "Until you choose one, it is the photo that you added last.";
  },

  // --- predictions and accuracies ---

  async predict() {
    if (!this.trigger || !this.visible()) return;
    this.again = this.isOpen(this.predicting);
    if (this.again) return;
    this.predicting = Date.now();
    try {
      const { webcam, file, ...test } = this.test ?? {};
      const photo = webcam ? await this.frame() : file;
      if (photo) [test.path] = await this.upload([photo]);
      this.trigger("predict", { test });
    } catch {
      this.predicting = 0;
      this.say("This photo did not arrive. Try again.");
    }
  },

  predicted() {
    this.predicting = 0;
    const late = this.late;
    this.late = Boolean(document.querySelector("#teach-bars [data-again]")); // the model is loading
    if (late && !this.late) this.measureSoon();
    if (this.again) this.predict();
    else if (this.late) setTimeout(() => this.predict(), 2000);
    else if (this.test?.webcam) setTimeout(() => this.live(), TEACH.live);
  },

  live() {
    if (this.test?.webcam && !this.predicting) this.predict();
  },

  measureSoon() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.visible() && this.trigger("measure"), 600);
  },

  // The tab was opened, or another model was chosen.
  refresh() {
    if (!this.trigger) return;
    this.predict();
    this.measureSoon();
  },
};
