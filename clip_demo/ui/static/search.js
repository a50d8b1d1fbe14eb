// The tab "Search" in the browser: it has the query, asks one question at a time, and adds images as the visitor scrolls.
window.clipSearch = {
  text: "",
  image: null, // of the query: { index, of } a test image of a dataset, or { path, url } a photo
  dataset: "", // the one that is on
  shown: 0, // number of images
  turn: 0, // number of the latest question; answers to earlier ones are dropped
  busy: 0, // when it was sent; a lost answer is not waited for forever
  again: false, // whether to ask once more, because something changed meanwhile

  open(trigger, events) {
    this.trigger = (name, data) => events.includes(name) && trigger(name, data);
    document.querySelector("#search-text").value = this.text;
    this.ask();
  },

  // The tab was opened, or another model was chosen. What is shown stays, if it belongs to this dataset and model.
  opened(...on) {
    const before = this.on;
    this.on = on.join(" ");
    if (this.on !== before || !this.shown) this.ask();
  },

  visible() {
    return Boolean(document.querySelector("#search-desk")?.offsetParent);
  },

  // --- the server ---

  ask(offset = 0) {
    if (!this.trigger || !this.visible()) return;
    if (Date.now() - this.busy < 45_000) {
      this.again ||= !offset;
      return;
    }
    this.busy = Date.now();
    this.turn += 1;
    const { index, of, path } = this.image ?? {};
    this.trigger("ask", { turn: this.turn, text: this.text, index, of, path, offset });
  },

  more() {
    if (this.shown && !document.querySelector("#search-more").hidden && !this.busy) this.ask(this.shown);
  },

  answered(text) {
    const answer = JSON.parse(text);
    if (answer.turn !== this.turn) return;
    this.busy = 0;
    if (this.again) {
      this.again = false;
      return this.ask();
    }
    this.dataset = answer.dataset;
    if (this.image?.of && answer.index === null) this.image = null; // of another dataset
    else if (answer.image && this.image) Object.assign(this.image, answer.image);
    this.draw(answer);
    this.address();
    if (answer.again) setTimeout(() => this.ask(), 2000); // the model is loading
  },

  failed() {
    this.busy = 0;
    this.again = false;
  },

  draw({ offset, about, tiles, says, more }) {
    const [list, button] = ["images", "more"].map((name) => document.querySelector(`#search-${name}`));
    if (!offset) {
      list.replaceChildren();
      document.querySelector("#search-about").innerHTML = about;
    }
    list.insertAdjacentHTML("beforeend", tiles);
    this.shown = list.children.length;
    document.querySelector("#search-says").textContent = says;
    button.textContent = more;
    button.hidden = !more;
    // Scrolling to the button is as good as a click; for the keyboard it stays a button. Observed anew each time: an
    // observer reports only what changes, and the button may still be in view.
    this.observer ??= new IntersectionObserver(([seen]) => seen.isIntersecting && this.more(), { rootMargin: "400px" });
    this.observer.disconnect();
    if (more) this.observer.observe(button);
  },

  drawImage() {
    const box = document.querySelector("#search-image");
    box.hidden = !this.image;
    const [image, name, , hint] = box.children;
    hint.hidden = Boolean(this.text);
    image.hidden = !this.image?.url;
    image.onerror = () => (image.hidden = true); // a photo that the browser cannot read; the answer says more
    if (this.image?.url) image.src = this.image.url;
    name.textContent = this.image?.name ?? "";
  },

  // --- the query ---

  search({ text = this.text, image = this.image }, focus = false) {
    if (image !== this.image && this.image?.path) URL.revokeObjectURL(this.image.url);
    Object.assign(this, { text, image });
    document.querySelector("#search-text").value = text;
    this.drawImage();
    this.ask();
    if (!focus) return;
    // What was clicked may be gone.
    document.querySelector("#search-about").focus({ preventScroll: true });
    document.querySelector("#search-desk").scrollIntoView({ block: "nearest" });
  },

  async byPhoto(file) {
    try {
      const [path] = await clipTeach.upload([file]);
      this.search({ image: { path, url: URL.createObjectURL(file), name: "Your photo." } }, true);
    } catch {
      clipExplorer.say("This photo did not arrive. Try again.");
    }
  },

  clicked(button) {
    const { search, open, like } = button.dataset;
    if (open) this.trigger("open", { value: open });
    else if (like) this.search({ text: "", image: { index: Number(like), of: this.dataset } }, true);
    else if (search === "example") this.search({ text: button.textContent, image: null }, true);
    else if (search === "without") this.search({ image: null }, true);
    else if (search === "choose") document.querySelector("#search-file").click();
    else if (search === "more") this.more();
  },

  typed(value) {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => value !== this.text && this.search({ text: value }), 300);
  },

  // --- the address ---

  write(query) {
    if (this.text) query.set("find", this.text);
    if (this.image?.of) query.set("like", this.image.index);
  },

  // Takes the query from the address, and returns whether it is another one.
  read() {
    const query = new URLSearchParams(window.location.search);
    if (query.get("tab") !== "search") return false;
    const [text, like] = ["find", "like"].map((name) => query.get(name) ?? "");
    const image = /^\d{1,9}$/.test(like) ? { index: Number(like), of: query.get("dataset") } : null;
    if (text === this.text && image?.index === this.image?.index) return false;
    Object.assign(this, { text, image, on: "" });
    return true;
  },

  address() {
    this.drawImage();
    if (!clipExplorer.shown) return;
    const before = new URLSearchParams(window.location.search);
    const after = new URLSearchParams(before);
    ["find", "like"].forEach((name) => after.delete(name));
    this.write(after);
    clipExplorer.visit(before, after, true);
  },
};

clipSearch.read();
document.addEventListener("clip-restored", () => clipSearch.read() && clipSearch.search({}));
document.addEventListener("submit", (event) => {
  if (event.target.id !== "search-form") return;
  event.preventDefault();
  clearTimeout(clipSearch.soon);
  clipSearch.search({ text: document.querySelector("#search-text").value });
});
document.addEventListener("input", (event) => event.target.id === "search-text" && clipSearch.typed(event.target.value));
document.addEventListener("change", (event) => {
  if (event.target.id !== "search-file" || !event.target.files.length) return;
  clipSearch.byPhoto(event.target.files[0]);
  event.target.value = ""; // or the same photo would be no change
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("#search button");
  if (button && clipSearch.trigger) clipSearch.clicked(button);
});
