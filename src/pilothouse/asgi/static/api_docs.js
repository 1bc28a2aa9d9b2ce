// Finding an endpoint among many: what is typed hides the rest, and an address opens what it names.
"use strict";

(() => {
  const field = document.getElementById("api-search");
  const count = document.getElementById("api-count");
  const lines = [...document.querySelectorAll(".endpoints > li")];
  const chapters = [...document.querySelectorAll("[data-chapter]")];
  const links = [...document.querySelectorAll(".contents a")];
  const chapterOf = (link) => document.querySelector(link.hash).closest("[data-chapter]");
  const texts = new Map(lines.map((line) => [line, line.querySelector("summary").textContent.toLowerCase().replace(/\s+/g, " ")]));

  function find() {
    const typed = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const line of lines) {
      line.hidden = !typed.every((word) => texts.get(line).includes(word));
      if (!line.hidden) found += 1;
    }
    for (const chapter of chapters) chapter.hidden = !chapter.querySelector(".endpoints > li:not([hidden])");
    for (const link of links) {
      const left = chapterOf(link).querySelectorAll(".endpoints > li:not([hidden])").length;
      link.parentElement.hidden = !left;
      link.querySelector(".num").textContent = left;
    }
    document.getElementById("api-nothing").hidden = found > 0;
    count.textContent = typed.length ? `${found} of ${lines.length}` : "";
    mark();
  }

  // What was typed as it stands goes before what holds its words somewhere.
  function best() {
    const phrase = field.value.trim().toLowerCase();
    const shown = lines.filter((line) => !line.hidden);
    return shown.find((line) => line.querySelector(".title")?.textContent.toLowerCase() === phrase) ?? shown.find((line) => texts.get(line).includes(phrase)) ?? shown[0];
  }

  function show() {
    const named = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!named) return;
    if (named.closest("[hidden]")) { field.value = ""; find(); }
    if (named.matches("details")) named.open = true;
    named.scrollIntoView({ block: "start" });
    mark();
  }

  // The chapter that is read, for the list beside it.
  function mark() {
    const shown = chapters.filter((chapter) => !chapter.hidden);
    const reached = shown.filter((chapter) => chapter.getBoundingClientRect().top < 200).at(-1) ?? shown[0];
    for (const link of links) {
      if (reached && chapterOf(link) === reached) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
  }

  field.addEventListener("input", find);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && field.value) { event.preventDefault(); field.value = ""; find(); }
    const first = event.key === "Enter" && field.value.trim() && best();
    if (first) { event.preventDefault(); first.querySelector("details").open = true; first.querySelector("summary").focus(); }
  });
  // What was opened last stands in the address, to be sent to somebody.
  document.addEventListener("click", (event) => {
    const opened = event.target.closest(".endpoints summary")?.parentElement;
    if (opened && !opened.open) history.replaceState(null, "", `#${opened.id}`);
  });
  addEventListener("hashchange", show);
  addEventListener("scroll", mark, { passive: true });
  show();
  mark();
})();
