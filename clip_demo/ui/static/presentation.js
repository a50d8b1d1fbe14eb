// The presentation view: image and cards fill the screen, a class may guess before it sees them, and a QR code opens
// the same state on other machines. Image and cards stay where they are in the page, so that they stay live.
{
  const root = document.documentElement;
  const find = (selector) => document.querySelector(selector);
  const part = (selector) => find(`#presentation ${selector}`);
  const shown = (element) => element.getClientRects().length > 0;
  const LONGEST_ADDRESS = 300; // as in presentation.py
  const LOCAL = /^(localhost|.*\.localhost|127\..*|\[::1?\]|0\.0\.0\.0)$/; // names that lead nowhere on another machine

  const element = (name, text, properties = {}) =>
    Object.assign(document.createElement(name), { textContent: text }, properties);

  // FNV-1a: an order that looks random and is the same each time.
  const hash = (text) => [...text].reduce((sum, c) => Math.imul(sum ^ c.charCodeAt(0), 16777619) >>> 0, 2166136261);

  window.clipPresentation = {
    guessing: false,
    revealed: "", // the image that the class has uncovered
    guess: "", // the class name that the class says
    outcome: [],
    points: { class: 0, clip: 0 },
    counted: new Set(), // images that have given their points
    observer: new MutationObserver(() => clipPresentation.draw()),

    // --- what the page shows ---------------------------------------------------------------------------------

    image() {
      return [...document.querySelectorAll("#image img, #photo img")].find(shown);
    },

    key() {
      return this.image()?.src ?? find("#image").textContent;
    },

    isOwnPhoto() {
      return find('#source input[value="own"]').checked;
    },

    truth() {
      return this.isOwnPhoto() ? "" : (find("#image .truth strong")?.textContent ?? "");
    },

    bars() {
      return [...document.querySelectorAll("#results .card.zero-shot .bar:not(.none-of-these)")].map((bar) => {
        const label = bar.querySelector(".label").cloneNode(true);
        label.querySelector(".true-mark")?.remove();
        return { name: label.textContent.trim(), right: bar.classList.contains("right") };
      });
    },

    // At most five names, in an order that says nothing about the bars.
    candidates() {
      const names = this.bars();
      const truth = this.truth();
      if (names.length && truth && !names.some((each) => each.right)) names.splice(4, 1, { name: truth, right: true });
      const end = this.key().slice(-200);
      return names.sort((a, b) => hash(a.name + end) - hash(b.name + end));
    },

    used() {
      const names = [...document.querySelectorAll("#status .part > .value > strong:first-child")].slice(0, 2);
      const parts = names.length === 2 ? names : [find("#status")]; // while a model is loading, what it says
      return parts.map((each) => each.textContent.trim()).join(" · ");
    },

    templates() {
      return (find("#templates textarea")?.value ?? "").split("\n").filter((line) => line.trim());
    },

    // --- drawing ---------------------------------------------------------------------------------------------

    covered() {
      return this.guessing && this.revealed !== this.key();
    },

    draw() {
      const covered = this.covered();
      root.classList.toggle("guessing", this.guessing);
      root.classList.toggle("covered", covered);
      root.classList.toggle("no-steps", !this.canStep());
      const [first, ...others] = this.templates();
      part(".used").textContent = this.used();
      part(".prompt b").textContent = first ?? "";
      part(".prompt span").textContent = others.length ? `and ${others.length} more` : "";
      part(".prompt").hidden = !first;
      part('[data-present="guess"]').setAttribute("aria-pressed", this.guessing);
      const points = [element("b", this.points.class), " : ", element("b", this.points.clip)];
      part(".score").replaceChildren("Class ", ...points, " CLIP");
      this.drawCandidates();
      part(".outcome").replaceChildren(...(this.guessing && !covered ? this.outcome : []));
      this.hideAlt(covered);
    },

    drawCandidates() {
      const names = this.candidates().map((each) => each.name);
      const place = part(".candidates");
      const drawn = [this.key(), ...names].join("\n");
      if (this.drawn !== drawn) {
        // Only then: a new button would lose the focus of the old one.
        this.drawn = drawn;
        this.guess = "";
        place.replaceChildren(...names.map((name, i) => {
          const button = element("button", "", { type: "button" });
          button.dataset.guess = name;
          button.append(element("kbd", i + 1), element("span", name));
          return button;
        }));
      }
      for (const button of place.children) button.setAttribute("aria-pressed", button.dataset.guess === this.guess);
    },

    // The alternative text names the true label, too.
    hideAlt(covered) {
      const image = this.image();
      if (!image) return;
      image.dataset.alt ??= image.alt;
      image.alt = covered ? "The image to guess" : image.dataset.alt;
    },

    // --- guessing --------------------------------------------------------------------------------------------

    toggleGuessing() {
      this.guessing = !this.guessing;
      this.cover();
    },

    cover() {
      this.revealed = this.guess = "";
      this.draw();
    },

    say(name) {
      if (!name || !this.covered()) return;
      this.guess = name;
      this.draw();
    },

    reveal() {
      if (!this.covered()) return;
      this.outcome = this.judge().map(([text, kind]) => element("p", text, { className: kind ?? "" }));
      this.revealed = this.key();
      this.draw();
    },

    // Counts the points and says them. Both need a true label and a guess, or the game would not be fair.
    judge() {
      const truth = this.truth();
      if (!truth) return [["Your own photo has no true label: no points."]];
      if (!this.guess) return [[`It is “${truth}”. Without a guess there are no points.`]];
      const key = this.key();
      const none = find("#results .bar.none-of-these.wins");
      const clip = none ? { name: "none of these", right: none.classList.contains("right") } : this.bars()[0];
      const right = this.candidates().find((each) => each.name === this.guess).right;
      const again = this.counted.has(key);
      if (!again) {
        this.points.class += right;
        this.points.clip += clip.right;
        this.counted.add(key);
      }
      const line = (who, name, ok) => [`${who}: ${name}, ${ok ? "right" : "wrong"}`, ok ? "right" : "wrong"];
      const said = [line("Class", this.guess, right), line("CLIP", clip.name, clip.right)];
      const lines = [[`True label: ${truth}.`, "spoken"], ...said];
      return again ? [...lines, ["This image has already been counted."]] : lines;
    },

    reset() {
      this.points = { class: 0, clip: 0 };
      this.counted.clear();
      this.draw();
    },

    // --- moving ----------------------------------------------------------------------------------------------

    // A photo of one's own has no neighbours; the buttons are then in the page, but not shown.
    canStep() {
      return shown(find("#previous")) || shown(find("#examples"));
    },

    step(button) {
      if (!this.canStep()) return;
      this.cover();
      const photos = [...document.querySelectorAll("#examples button")];
      if (!shown(find("#examples"))) return find(button).click();
      const now = photos.findIndex((each) => each.dataset.name === find("#example textarea").value);
      photos.at((now + (button === "#next" ? 1 : -1)) % photos.length).click();
    },

    enter() {
      if (clipInside.canPresent()) return clipInside.present();
      find('[role="tab"]').click(); // the tab Explore
      root.classList.add("presenting");
      // Refused in a frame; the view then fills the window. Some browsers return no promise.
      Promise.resolve(root.requestFullscreen?.()).catch(() => {});
      for (const id of ["image", "photo", "results", "status"]) {
        const place = document.getElementById(id);
        const changes = { subtree: true, childList: true, characterData: true, attributeFilter: ["src"] };
        if (place) this.observer.observe(place, changes);
      }
      this.draw();
      requestAnimationFrame(() => this.draw()); // the tab may have to be shown first
      part(".view").focus();
    },

    leave() {
      this.observer.disconnect();
      this.hideAlt(false);
      root.classList.remove("presenting", "guessing", "covered", "coding", "no-steps");
      if (document.fullscreenElement) Promise.resolve(document.exitFullscreen()).catch(() => {});
      find("#present button").focus();
    },

    // --- QR code ---------------------------------------------------------------------------------------------

    // The address for other machines, or "" and the reason.
    link(from = window.location.href) {
      const url = new URL(from);
      url.hash = "";
      // Each machine chooses its own theme.
      const names = [...url.searchParams.keys()].filter((name) => name.startsWith("__"));
      names.forEach((name) => url.searchParams.delete(name));
      const note = [];
      if (LOCAL.test(url.hostname)) {
        return ["", "Open the page under this computer’s address in the network to show a QR code."];
      }
      if (url.href.length > LONGEST_ADDRESS && url.searchParams.has("classes")) {
        url.searchParams.delete("classes");
        note.push("The class list is left out: it would make the code too fine to scan.");
      }
      if (url.href.length > LONGEST_ADDRESS) return ["", "The address of this page is too long for a QR code."];
      if (this.isOwnPhoto()) note.push("Your own photo stays on this computer.");
      return [url.href, note.join(" ")];
    },

    toggleCode() {
      const open = root.classList.toggle("coding");
      part('[data-present="code"]').setAttribute("aria-pressed", open);
      if (!open) return clipInside.presenting() ? clipInside.focusHeading() : part(".view").focus();
      const [address, note] = this.link();
      this.showCode("");
      part(".note").textContent = note;
      part(".link").textContent = address;
      if (address) this.ask(address);
      part(".code button").focus();
    },

    showCode(svg) {
      part(".svg").innerHTML = svg; // drawn by our server
    },
  };
}
