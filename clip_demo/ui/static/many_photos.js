// Many photos at once on the Explore tab: the browser keeps the photos, sends a few of them at a time under names that
// tell the server to delete them, and adds their rows to the table.
// As in many_photos.py and uploads.py; a lost answer is not waited for forever.
const MANY = { most: 100, atOnce: 5, bytes: 20_000_000, patience: 60_000 };
window.clipMany = {
  files: [],
  sent: [], // the photos that are on their way: { path, name }
  done: 0, // photos with a row
  running: false, // until all are done or the visitor stops
  asked: 0, // when the pending request was sent
  table: null, // the last answer without its rows, and the lines of the CSV

  open(element, trigger) {
    this.trigger = trigger;
    element.addEventListener("click", (event) => {
      const name = event.target.closest("button[data-do]")?.dataset.do;
      if (name) this[name]();
    });
    element.addEventListener("change", (event) => {
      const files = [...event.target.files];
      event.target.value = ""; // so that the same files can be chosen again
      if (files.length) this.take(files);
    });
  },

  part(selector) {
    return document.querySelector(`#many-photos-desk ${selector}`);
  },

  choose() {
    this.part("input").click();
  },

  dropped(event, files) {
    event.preventDefault();
    event.stopPropagation();
    this.take([...files]);
  },

  take(files) {
    this.files = files.slice(0, MANY.most);
    this.left = files.length - this.files.length;
    this.restart();
  },

  restart() {
    this.clear();
    this.goOn();
  },

  clear() {
    this.done = 0;
    this.table = null;
    this.part("tbody").replaceChildren();
  },

  goOn() {
    this.running = true;
    if (Date.now() - this.asked > MANY.patience) this.send();
    else this.draw();
  },

  stop() {
    this.running = false;
    this.draw();
  },

  failed() {
    this.asked = 0;
    this.stop();
  },

  async send() {
    this.running &&= this.done < this.files.length;
    this.draw();
    if (!this.running) return;
    this.asked = Date.now();
    this.from = { files: this.files, done: this.done };
    const next = this.files.slice(this.done, this.done + MANY.atOnce);
    const small = next.filter((file) => file.size <= MANY.bytes);
    const paths = small.length ? await clipTeach.upload(small).catch(() => []) : [];
    this.sent = next.map((file) => ({ name: file.name, path: paths[small.indexOf(file)] ?? null }));
    this.trigger();
  },

  answered(text) {
    const { rows, csv, ...table } = JSON.parse(text);
    this.asked = 0;
    if (this.table && this.table.asked !== table.asked) {
      this.clear(); // the words were changed: one table is by the same words
    } else if (this.from.files === this.files && this.from.done === this.done) { // else others were chosen meanwhile
      const before = this.table ?? { csv: table.csvHead, damaged: 0 };
      this.table = { ...table, csv: before.csv + csv, damaged: before.damaged + table.damaged };
      this.part("caption").innerHTML = table.caption;
      this.part("thead").innerHTML = table.head;
      this.part("tbody").insertAdjacentHTML("beforeend", rows);
      this.done += this.sent.length;
    }
    this.send();
    return "";
  },

  save() {
    clipExplorer.save("predictions.csv", this.table.csv, "text/csv;charset=utf-8");
  },

  draw() {
    const [n, done] = [this.files.length, this.done];
    const show = (selector, visible) => (this.part(selector).hidden = !visible);
    show("[data-do=stop]", this.running);
    show("[data-do=goOn]", !this.running && done < n);
    show("[data-do=restart]", !this.running && n && done === n);
    show("[data-do=save]", !this.running && done);
    show("progress", this.running);
    show(".scroll", done);
    Object.assign(this.part("progress"), { max: n, value: done });
    this.part(".says").textContent = [
      this.running || done < n ? `${done} of ${n} photos` : `${n} ${n === 1 ? "photo" : "photos"}`,
      ...(this.table?.damaged ? [`${this.table.damaged} could not be read`] : []),
      ...(this.left ? [`${this.left} more were left out: a table has at most ${MANY.most}`] : []),
    ].join("; ") + ".";
  },
};
