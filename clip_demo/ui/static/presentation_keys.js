// The buttons and keys of the presentation view.
{
  const view = window.clipPresentation;
  const presenting = () => document.documentElement.classList.contains("presenting");
  const coding = () => document.documentElement.classList.contains("coding");

  const ACTIONS = {
    enter: () => view.enter(),
    leave: () => view.leave(),
    guess: () => view.toggleGuessing(),
    reveal: () => view.reveal(),
    reset: () => view.reset(),
    code: () => view.toggleCode(),
    previous: () => view.step("#previous"),
    next: () => view.step("#next"),
  };
  const KEYS = { ArrowLeft: "previous", ArrowRight: "next", Escape: "leave", g: "guess", q: "code", " ": "reveal" };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-present], [data-guess]");
    if (!button) return;
    if (button.dataset.guess) view.say(button.dataset.guess);
    else ACTIONS[button.dataset.present]();
    // After a click with a pointer, Space has to reveal, not to press the same button again.
    if (event.detail && presenting() && !coding()) document.querySelector("#presentation .view").focus();
  });

  document.addEventListener("keydown", (event) => {
    if (!presenting() || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === " " && event.target.closest("button")) return; // presses the button
    const action = coding() && key === "Escape" ? "code" : KEYS[key];
    const guess = document.querySelectorAll("#presentation [data-guess]")[Number(key) - 1];
    if (!action && !guess) return;
    event.preventDefault();
    if (action) ACTIONS[action]();
    else view.say(guess.dataset.guess);
  });

  document.addEventListener("fullscreenchange", () => {
    if (presenting() && !document.fullscreenElement) view.leave();
  });
}
