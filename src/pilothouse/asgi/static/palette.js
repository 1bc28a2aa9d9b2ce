// The command palette: Ctrl-K or /. The server finds names and actions; what this very page offers is found here.
"use strict";

(() => {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const here = document.getElementById("palette-here");
  const options = () => [...dialog.querySelectorAll("[role=option]")];
  let offered = [];

  const words = (element) => (element.getAttribute("aria-label") ?? element.textContent).trim().replace(/\s+/g, " ");

  // What can be pressed on this page, with the row it stands in: tabs always, buttons once something is typed.
  function onThisPage(query) {
    const typed = query.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (const element of document.querySelectorAll("main .tabs a, main a.btn, main button.btn, main summary.btn")) {
      if (!element.checkVisibility() || (!typed.length && !element.closest(".tabs"))) continue;
      const row = element.closest("tr, li")?.querySelector("th, .name")?.firstChild?.textContent.trim() ?? "";
      const name = words(element);
      const named = typed.filter((word) => name.toLowerCase().includes(word));
      const all = typed.every((word) => `${name} ${row}`.toLowerCase().includes(word));
      if (name && all && (named.length || !typed.length)) found.push({ element, name, row });
    }
    return found.slice(0, 8);
  }

  function showHere() {
    offered = onThisPage(input.value);
    here.hidden = !offered.length;
    const lines = offered.map(({ name, row }, number) => {
      const line = document.getElementById("palette-line").content.firstElementChild.cloneNode(true);
      line.dataset.here = number;
      line.querySelector(".what").textContent = name;
      line.querySelector(".hint").textContent = row;
      return line;
    });
    here.querySelector(".lines-here").replaceChildren(...lines);
    choose(options()[0]);
  }

  function choose(option) {
    options().forEach((each, number) => {
      each.id = `palette-option-${number}`;
      each.setAttribute("aria-selected", String(each === option));
    });
    if (option) input.setAttribute("aria-activedescendant", option.id); else input.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  }

  function open() {
    if (dialog.open) return;
    document.querySelectorAll("dialog[open]").forEach((other) => other.close());
    dialog.showModal();
    input.select();
    input.dispatchEvent(new Event("opened"));
    showHere();
  }

  // A button whose form still lacks something leads to what is missing.
  function press(element) {
    const lacking = element.form && !element.form.checkValidity() ? element.form.querySelector(":invalid") : null;
    (lacking ?? element).focus();
    if (!lacking) element.click();
  }

  dialog.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option && event.target !== dialog) return;
    dialog.close();
    if (option?.dataset.here) press(offered[Number(option.dataset.here)].element);
    if (option?.dataset.opens) document.getElementById(option.dataset.opens).showModal();
  });

  input.addEventListener("keydown", (event) => {
    const all = options();
    const at = all.findIndex((each) => each.getAttribute("aria-selected") === "true");
    if (event.key === "Enter" && all[at]) all[at].click();
    const next = { ArrowDown: (at + 1) % all.length, ArrowUp: (at - 1 + all.length) % all.length }[event.key];
    if (next !== undefined && all.length) choose(all[next]);
    if (next !== undefined || event.key === "Enter") event.preventDefault();
  });
  input.addEventListener("input", showHere);
  // At once, before anybody reads: what was chosen is not there any more. Swaps elsewhere on the page change nothing here.
  new MutationObserver(() => choose(options()[0])).observe(document.getElementById("palette-list"), { childList: true });

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-palette]")) return;
    event.preventDefault();
    open();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  globalThis.openPalette = open;
})();
