// A log: find words, choose levels, fold the steps of a build, point at a line. Works on the lines as they arrive.
"use strict";

const FOLDS_FROM = 4; // a step with fewer lines stays open
const log = () => document.querySelector("[data-log] .log ol");
const pointedAt = () => location.hash.slice(1); // :target is not there yet when this runs first
const lines = () => [...document.querySelectorAll("[data-log] .log li[id]")];

function matches(line, words, level) {
  if (words && !line.querySelector(".words").textContent.toLowerCase().includes(words)) return false;
  if (level === "stderr") return line.classList.contains("stderr");
  if (level === "error") return line.classList.contains("error");
  return !level || line.classList.contains("error") || line.classList.contains("warning");
}

// Steps of a build and the lines below each.
function steps() {
  const found = [];
  for (const line of lines()) {
    if (line.classList.contains("step")) found.push({ head: line, body: [] });
    else found.at(-1)?.body.push(line);
  }
  return found;
}

function fold() {
  const all = steps();
  all.forEach(({ head, body }, number) => {
    const isLast = number === all.length - 1;
    const speaks = body.some((line) => line.matches(".error, .warning") || line.id === pointedAt());
    if (!head.dataset.open) head.dataset.fold = String(!isLast && !speaks && body.length >= FOLDS_FROM);
    let button = head.querySelector("button");
    if (!button && body.length >= FOLDS_FROM) {
      button = document.createElement("button");
      button.type = "button";
      head.querySelector(".words").append(" ", button);
    }
    if (!button) return;
    const isFolded = head.dataset.fold === "true";
    button.textContent = `${body.length} lines`;
    button.setAttribute("aria-expanded", String(!isFolded));
  });
}

function show() {
  if (!log()) return;
  const words = document.querySelector("#log-search").value.trim().toLowerCase();
  const level = document.querySelector("#log-level").value;
  const narrowed = Boolean(words || level);
  let shown = 0;
  let folded = false;
  for (const line of lines()) {
    const isStep = line.classList.contains("step");
    if (isStep) folded = line.dataset.fold === "true";
    line.hidden = narrowed ? !matches(line, words, level) : folded && !isStep;
    if (narrowed && !line.hidden) shown += 1;
  }
  document.querySelector("#log-count").textContent = narrowed ? `${shown} of ${lines().length} lines` : "";
  mark(words);
  remember(words, level);
}

function mark(words) {
  if (!globalThis.CSS?.highlights) return;
  CSS.highlights.delete("found");
  if (!words) return;
  const ranges = [];
  for (const line of lines()) {
    if (line.hidden || ranges.length > 2000) continue;
    const text = line.querySelector(".words").firstChild;
    const low = text?.textContent.toLowerCase() ?? "";
    for (let at = low.indexOf(words); at >= 0 && low.length === text.length; at = low.indexOf(words, at + words.length)) {
      const range = new Range();
      range.setStart(text, at);
      range.setEnd(text, at + words.length);
      ranges.push(range);
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}

// The address says what is shown, so that it can be mailed.
function remember(words, level) {
  const address = new URL(location.href);
  for (const [name, value] of [["find", words], ["level", level]]) {
    if (value) address.searchParams.set(name, value); else address.searchParams.delete(name);
  }
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}

document.addEventListener("input", (event) => { if (event.target.matches("#log-search, #log-level")) show(); });
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-log] .step button");
  if (!button) return;
  const head = button.closest("li");
  head.dataset.open = "chosen";
  head.dataset.fold = String(head.dataset.fold !== "true");
  button.setAttribute("aria-expanded", String(head.dataset.fold !== "true"));
  show();
});
const toLogEnd = () => document.querySelectorAll("[data-log] .log[data-follows]").forEach((box) => { box.scrollTop = box.scrollHeight; });
document.addEventListener("htmx:after:swap", () => { fold(); show(); toLogEnd(); });

if (log()) {
  const asked = new URL(location.href).searchParams;
  document.querySelector("#log-search").value = asked.get("find") ?? "";
  document.querySelector("#log-level").value = asked.get("level") ?? "";
  fold();
  show();
  const target = lines().find((line) => line.id === pointedAt());
  if (target) {
    document.querySelector(".log").removeAttribute("data-follows");
    target.scrollIntoView({ block: "center" });
  }
  toLogEnd();
}
