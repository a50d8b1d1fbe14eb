// What runs in the browser: the address bar, changing the index, and dimming old results while a request is running.
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
    const next = this.clamp(this.clamp(index, last) + by, last);
    return [next, next, this.now()];
  },

  random(index, last) {
    let next = index;
    while (next === index && last > 0) next = Math.floor(Math.random() * (last + 1));
    return [next, next, this.now()];
  },

  slide(index, slider, last) {
    return Number.isFinite(index) && index >= 0 && index <= last ? index : slider;
  },

  sent() {
    document.documentElement.classList.add("clip-waiting");
  },

  received(query) {
    // Requests are not counted: a lost response would leave the page dimmed forever.
    document.documentElement.classList.remove("clip-waiting");
    this.updateAddress(query);
    return [];
  },

  // Other parameters, such as Gradio's __theme, are kept.
  updateAddress(query) {
    if (!query) return;
    const names = ["dataset", "index", "template", "classes", "replace_underscores", "model"];
    const parts = new URLSearchParams(window.location.search);
    names.forEach((name) => parts.delete(name));
    new URLSearchParams(query).forEach((value, name) => parts.append(name, value));
    const url = `${window.location.pathname}?${parts}${window.location.hash}`;
    window.history.replaceState(window.history.state, "", url);
  },
};
