// The tab "Your classes" in the browser: it sends commands one after the other, draws the class cards from the answers,
// and has the webcam. Photos go to the server for one event each, under names that tell it to delete them.
const TEACH = { most: 50, atOnce: 8, frame: 250, look: 60_000, live: 700, patience: 45_000 }; // photos, photos, and milliseconds
window.clipTeach = {
  classes: [], // as on the server: { name, keys }
  thumbnails: new Map(), // data URLs by key
  waiting: [], // commands that were not sent yet
  busy: 0, // when the command that is on its way was sent; an answer that got lost is not waited for without end
  test: null, // { key }, { file }, { example } or { webcam: true }; null for the photo that was added last
  predicting: 0, // as `busy`, for test photos
  again: false, // whether to predict once more, because something changed meanwhile
  stream: null,
  recording: null, // position of the class that frames go to
  frames: [],

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
    this.classes = answer.classes;
    this.draw(answer.canUndo);
    const gone = sent.do === "look" && had && !this.photos();
    this.say(gone ? "Your photos are gone, because the page was away for some minutes or was started again." : answer.message);
    if (answer.file) this.save(answer.file);
    if (answer.opened !== undefined) this.tell(`Opened: ${this.count(answer.opened)}.`);
    if (added) this.tell(this.classes.map((each) => `${each.name}: ${this.count(each.keys.length)}`).join(", "));
    if (added && (!this.test || this.test.key)) this.choose({ key: added });
    else if (this.test?.key && !this.has(this.test.key)) this.choose(null);
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
    return classes.flatMap((each) => each.keys).filter((key) => !before.has(key)).at(-1);
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
      <span class="count"></span><button type="button" class="icon" data-do="remove-class">✕</button></div>
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
    const choices = this.classes.map((each, k) => new Option(each.name, k, k === i, k === i));
    bar.querySelector("select").replaceChildren(...choices);
  },

  choose(test) {
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
    if (test?.webcam) return "What the webcam sees now. These pictures are not kept.";
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
    if (this.again) this.predict();
    else if (document.querySelector("#teach-bars [data-again]")) setTimeout(() => this.predict(), 2000);
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

  // --- photos ---

  async add(i, files) {
    const room = TEACH.most - (this.classes[i]?.keys.length ?? 0);
    const fit = [...files].slice(0, Math.max(room, 0));
    const { name } = this.classes[i];
    try {
      for (let start = 0; start < fit.length; start += TEACH.atOnce) {
        const paths = await this.upload(fit.slice(start, start + TEACH.atOnce));
        this.command({ do: "add", class: i, paths });
      }
    } catch {
      this.say("The photos did not arrive. Each may have 20 MB. Try again.");
    }
    if (fit.length < files.length) this.say(`“${name}” has room for ${this.count(fit.length)} more: a class can have ${TEACH.most}.`);
  },

  async openZip(file) {
    try {
      const [path] = await this.upload([file]);
      this.test = null;
      this.command({ do: "open", path });
    } catch {
      this.say("The file did not arrive. It may have 20 MB. Try again.");
    }
  },

  save(content) {
    const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/zip" }));
    link.download = "own-classes.zip";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  },

  // Dropped or pasted while the tab is open: to the class where that happens, else it is the test photo.
  takeFiles(event, items) {
    const files = [...(items?.files ?? [])];
    if (items?.types.includes("text/plain") && event.target.closest?.("textarea, input")) return;
    if (event.type === "drop" && items?.types.includes("Files")) event.preventDefault();
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    const card = event.target.closest?.(".teach-card");
    if (/\.zip$/i.test(files[0].name)) this.openZip(files[0]);
    else if (card) this.add(Number(card.dataset.class), files);
    else this.choose({ file: files[0] });
  },

  // --- the webcam ---

  async startCamera() {
    try {
      this.stream ??= await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    } catch {
      const why = window.isSecureContext ? "The browser got no picture from a webcam." : "Browsers open the webcam only for an encrypted page.";
      this.say(`${why} Add photos instead.`);
      return false;
    }
    // Who opens another tab does not want to be seen any more.
    this.watch ??= setInterval(() => this.visible() || this.stopCamera(), 500);
    for (const video of document.querySelectorAll("#teach video")) {
      video.srcObject = this.stream;
      video.play();
    }
    this.draw();
    this.drawTestCamera();
    return true;
  },

  stopCamera() {
    this.release();
    clearInterval(this.watch);
    this.watch = null;
    this.stream?.getTracks().forEach((each) => each.stop());
    this.stream = null;
    if (this.test?.webcam) this.choose(null);
    this.draw();
    this.drawTestCamera();
  },

  drawTestCamera() {
    const on = Boolean(this.test?.webcam && this.stream);
    document.querySelector("#teach-video").hidden = !on;
    document.querySelector("#teach [data-do=webcam]").hidden = on;
    document.querySelector("#teach [data-do=stop-webcam]").hidden = !this.stream;
  },

  drawCamera(card, name) {
    const [button, video] = [card.querySelector("[data-do=record]"), card.querySelector("video")];
    const records = this.recording === Number(card.dataset.class);
    button.textContent = !this.stream ? "Use the webcam" : records ? "Recording …" : "Hold to record";
    button.setAttribute("aria-label", `${button.textContent}: ${name}`);
    video.hidden = !this.stream;
    if (this.stream && video.srcObject !== this.stream) {
      video.srcObject = this.stream;
      video.play();
    }
  },

  async frame() {
    const video = document.querySelector("#teach-video");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth || 640, video.videoHeight || 480];
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  },

  hold(i) {
    if (!this.stream || this.recording !== null) return;
    this.recording = i;
    document.querySelector(`.teach-card[data-class="${i}"]`).classList.add("recording");
    this.draw();
    const shoot = async () => {
      const photo = await this.frame();
      if (photo && this.recording === i) this.frames.push(photo);
      this.flush(i);
    };
    shoot();
    this.shutter = setInterval(shoot, TEACH.frame);
  },

  release() {
    if (this.recording === null) return;
    clearInterval(this.shutter);
    this.recording = null;
    this.draw();
    document.querySelectorAll(".teach-card.recording").forEach((each) => each.classList.remove("recording"));
  },

  // One upload at a time; what is taken meanwhile goes with the next one.
  async flush(i) {
    if (this.flushing || !this.frames.length) return;
    this.flushing = true;
    const room = TEACH.most - this.classes[i].keys.length;
    const frames = this.frames.splice(0, TEACH.atOnce).slice(0, Math.max(room, 0));
    try {
      if (frames.length) this.command({ do: "add", class: i, paths: await this.upload(frames), quiet: true });
      else this.release();
    } catch {
      this.say("The pictures of the webcam did not arrive. Try again.");
    }
    this.flushing = false;
    if (this.frames.length) this.flush(i);
  },

  // --- clicks and keys ---

  clicked(button, name) {
    const card = button.closest(".teach-card");
    const i = card && Number(card.dataset.class);
    const key = button.closest("li")?.dataset.key;
    const actions = {
      choose: () => card.querySelector("input[type=file]").click(),
      "choose-test": () => document.querySelector("#teach-test-file").click(),
      "choose-zip": () => document.querySelector("#teach-zip").click(),
      record: () => this.stream || this.startCamera(),
      webcam: () => this.webcam(),
      "stop-webcam": () => this.stopCamera(),
      example: () => this.choose({ example: button.dataset.name }),
      pick: () => this.choose({ key }),
      delete: () => this.remove(card, this.test.key),
      save: () => this.command({ do: "save", thumbnails: document.querySelector("#teach-thumbnails").checked }),
      "remove-class": () => this.command({ do: "remove-class", class: i }),
    };
    if (name in actions) actions[name]();
    else if (["add-class", "undo", "forget"].includes(name)) this.command({ do: name });
  },

  async webcam() {
    if (!(await this.startCamera())) return;
    this.choose({ webcam: true });
    this.drawTestCamera();
  },

  // The focus goes to the photo that takes the place of the deleted one.
  remove(card, key) {
    const item = card.querySelector(`li[data-key="${key}"]`);
    const next = item?.nextElementSibling ?? item?.previousElementSibling;
    (next?.firstElementChild ?? card.querySelector("[data-do=choose]")).focus();
    if (this.test?.key === key) this.test = next ? { key: next.dataset.key } : null;
    this.command({ do: "delete", key });
    if (this.test) this.choose(this.test);
    this.tell("Photo deleted. Undo brings it back.");
  },

  changed(event) {
    const card = event.target.closest(".teach-card");
    const i = card && Number(card.dataset.class);
    if (event.target.matches("input.name")) this.command({ do: "rename", class: i, name: event.target.value });
    else if (event.target.matches("select")) this.command({ do: "move", key: this.test.key, class: Number(event.target.value) });
    else if (event.target.matches("[type=file]")) {
      const files = [...event.target.files];
      event.target.value = ""; // so that the same file can be chosen again
      if (!files.length) return;
      if (event.target.id === "teach-zip") this.openZip(files[0]);
      else if (card) this.add(i, files);
      else this.choose({ file: files[0] });
    }
  },

  keyed(event) {
    const button = event.target.closest?.("#teach [data-do]");
    const step = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" }[event.key];
    if (step && button?.dataset.do === "pick") button.parentElement[step]?.firstElementChild.focus();
    if (event.key === "Delete" && button?.dataset.do === "pick") {
      this.remove(button.closest(".teach-card"), button.closest("li").dataset.key);
    } else if (button?.dataset.do === "record" && this.stream && [" ", "Enter"].includes(event.key)) {
      event.preventDefault(); // a click
      if (!event.repeat) this.hold(Number(button.closest(".teach-card").dataset.class));
    }
  },
};

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("#teach button[data-do]");
  if (button) clipTeach.clicked(button, button.dataset.do);
});
document.addEventListener("change", (event) => event.target.closest?.("#teach") && clipTeach.changed(event));
document.addEventListener("keydown", (event) => clipTeach.keyed(event));
document.addEventListener("keyup", (event) => [" ", "Enter"].includes(event.key) && clipTeach.release());
document.addEventListener("pointerdown", (event) => {
  const card = event.button === 0 && event.target.closest?.("#teach [data-do=record]")?.closest(".teach-card");
  if (card) clipTeach.hold(Number(card.dataset.class));
});
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => clipTeach.release());
document.addEventListener("contextmenu", (event) => event.target.closest?.("[data-do=record]") && event.preventDefault());
window.addEventListener("blur", () => clipTeach.release());
document.addEventListener("visibilitychange", () => document.hidden && clipTeach.stream && clipTeach.stopCamera());
