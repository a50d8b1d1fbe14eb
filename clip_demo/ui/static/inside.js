// The tab "How it works": it is drawn again, while it is open, when Explore has drawn new results.
window.clipInside = {
  isOpen() {
    return Boolean(document.querySelector("#how")?.offsetParent);
  },

  refresh() {
    if (this.isOpen()) clipExplorer.type("#inside-request", clipExplorer.now());
  },
};

document.addEventListener("clip-shown", () => clipInside.refresh());
