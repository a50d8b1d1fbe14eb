// The search tab: the sentence in the address, and more images on scrolling.
window.clipSearch = {
  visible() {
    return Boolean(document.querySelector("#search-query")?.offsetParent);
  },

  // A link may bring a sentence.
  sentence(typed) {
    return typed || new URLSearchParams(window.location.search).get("search") || "";
  },

  keep(sentence) {
    if (!this.visible()) return;
    const before = new URLSearchParams(window.location.search);
    const after = new URLSearchParams(before);
    after.delete("search");
    if (sentence) after.append("search", sentence.slice(0, 500));
    if (String(before) !== String(after)) clipExplorer.setAddress(after, "replaceState");
  },

  // The button for more images is pressed as soon as it can be seen; it remains for the keyboard.
  scroll(element) {
    const seen = new IntersectionObserver((entries) => {
      entries.filter((each) => each.isIntersecting).forEach((each) => each.target.click());
    }, { rootMargin: "400px" });
    new MutationObserver(() => {
      seen.disconnect();
      const more = element.querySelector(".more");
      if (more) seen.observe(more);
    }).observe(element, { childList: true, subtree: true });
  },
};
