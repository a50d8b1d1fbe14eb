// Mends what Gradio's components lack for keyboards and screen readers. tests/browser/test_accessibility.py tells when
// Gradio has mended a part itself, so that it can be deleted here.
const clipAccess = {
  // Gradio names every radio button "radio-N" with a new N, at each redraw. With one name for all radio buttons of a
  // group, the browser itself moves with the arrow keys, has one Tab stop for the group and counts "1 of 2".
  groupRadios(fieldset) {
    const radios = [...fieldset.querySelectorAll("input[type=radio]")];
    if (!radios.length) return;
    fieldset.dataset.radios ??= radios[0].name;
    for (const radio of radios) {
      if (radio.name === fieldset.dataset.radios) continue;
      radio.dataset.gradioName = radio.name;
      radio.name = fieldset.dataset.radios;
    }
    // The group's label is a <span>, so the <fieldset> has no name.
    fieldset.setAttribute("role", "radiogroup");
    fieldset.setAttribute("aria-label", fieldset.querySelector("[data-testid=block-info]")?.textContent.trim() ?? "");
  },

  // One Tab stop for a row of tabs: the selected one.
  rove(tablist) {
    for (const tab of tablist.querySelectorAll("[role=tab]")) {
      tab.tabIndex = tab.getAttribute("aria-selected") === "true" ? 0 : -1;
    }
  },

  // Arrow keys, Home and End move between tabs; Enter or the space bar opens one. They do not open it at once,
  // because the Prompt Lab starts an evaluation.
  moveBetweenTabs(event) {
    const tabs = [...(event.target.closest?.("[role=tablist]")?.querySelectorAll("[role=tab]") ?? [])];
    const here = tabs.indexOf(event.target);
    if (here < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    const steps = { ArrowRight: here + 1, ArrowLeft: here - 1 + tabs.length, Home: 0, End: tabs.length - 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    tabs[steps[event.key] % tabs.length].focus();
  },

  // Gradio gives the whole page the browser's language, but translates only the upload field and the footer.
  markLanguage() {
    const languages = { main: "en", "#photo": document.documentElement.lang || "en" };
    for (const [selector, language] of Object.entries(languages)) {
      const element = document.querySelector(selector);
      // Only a change: setting the attribute again would call the observer below without end.
      if (element && element.lang !== language) element.lang = language;
    }
  },

  mend() {
    document.querySelectorAll("fieldset").forEach(this.groupRadios);
    document.querySelectorAll("[role=tablist]").forEach(this.rove);
    this.markLanguage();
  },
};

document.addEventListener("keydown", clipAccess.moveBetweenTabs);
// Parts of the page are drawn later, when their tab is opened.
new MutationObserver(() => clipAccess.mend()).observe(document.documentElement, {
  childList: true,
  subtree: true,
  attributes: true,
  attributeFilter: ["name", "aria-selected", "lang"],
});
