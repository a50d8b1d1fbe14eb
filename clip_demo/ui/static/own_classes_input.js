// What the visitor does on the tab "Your classes": chooses, drops and pastes photos, clicks and types.
Object.assign(clipTeach, {
  async add(i, files) {
    const room = TEACH.most - (this.classes[i]?.keys.length ?? 0);
    const fit = [...files].slice(0, Math.max(room, 0));
    const { name } = this.classes[i];
    const parts = [];
    for (let start = 0; start < fit.length; start += TEACH.atOnce) parts.push(fit.slice(start, start + TEACH.atOnce));
    try {
      await Promise.all(parts.map((part) => this.addPhotos(i, part)));
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
    clipExplorer.save("own-classes.zip", bytes, "application/zip");
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
    if (["remove-class", "forget"].includes(name)) this.tell("Removed. Undo brings it back.");
  },

  // The focus goes to the photo that takes the place of the deleted one.
  remove(card, key) {
    const item = card.querySelector(`li[data-key="${key}"]`);
    const next = item?.nextElementSibling ?? item?.previousElementSibling;
    (next?.firstElementChild ?? card.querySelector("[data-do=choose]")).focus();
    this.command({ do: "delete", key });
    if (next && this.test?.key === key) this.choose({ key: next.dataset.key });
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
    if (event.key === "Escape" && this.trigger) this.say();
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
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("#teach button[data-do]");
  if (clipTeach.trigger) clipTeach.say(); // a message lies above the page until the next click, wherever
  if (button) clipTeach.clicked(button, button.dataset.do);
  // A first name is there to be typed over.
  if (event.target.matches?.("#teach input.name") && /^class \d+$/.test(event.target.value)) event.target.select();
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
