// What pages need beyond htmx: the XSRF header, copy buttons, relative times, keyboard, logs that follow. No dependencies.
"use strict";

const xsrf = () => document.querySelector('meta[name="xsrf"]')?.content ?? "";

document.addEventListener("htmx:config:request", (event) => {
  const request = event.detail.ctx.request;
  if (request.method !== "GET") request.headers["X-RSC-XSRF"] = xsrf();
});

// A page in the background asks for nothing.
document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden && event.target.matches?.("[data-polls]")) event.preventDefault();
});

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    if (!await toClipboard(copy)) return;
    const words = copy.querySelector(".label");
    const before = words.textContent;
    words.textContent = copy.dataset.done;
    setTimeout(() => { words.textContent = before; }, 1600);
  }
  const theme = event.target.closest("[data-theme-choice]");
  if (theme) {
    const choice = theme.dataset.themeChoice;
    if (choice === "system") localStorage.removeItem("theme"); else localStorage.setItem("theme", choice);
    applyTheme();
    showTheme();
  }
  const opens = event.target.closest("main [data-opens], .rail [data-opens]");
  if (opens) document.getElementById(opens.dataset.opens).showModal();
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
});

// Browsers keep the clipboard for https: on plain http the text is selected and copied as people do it.
async function toClipboard(button) {
  const text = button.dataset.copy;
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const field = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
  button.after(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  button.focus();
  return done;
}

function showTheme() {
  const chosen = localStorage.getItem("theme") ?? "system";
  document.querySelectorAll("button[data-theme-choice]").forEach((button) => {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen));
  });
}

const STEPS = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60]];

function showTimes() {
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  document.querySelectorAll("time[data-ago]").forEach((element) => {
    const seconds = (new Date(element.dateTime) - Date.now()) / 1000;
    const step = STEPS.find(([, size]) => Math.abs(seconds) >= size);
    if (step) element.textContent = words.format(Math.trunc(seconds / step[1]), step[0]);
  });
}
setInterval(showTimes, 30000);

// A log stays at its end while its reader is there.
const atEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 60;
const toEnd = () => document.querySelectorAll(".log[data-follows]").forEach((log) => { log.scrollTop = log.scrollHeight; });
document.addEventListener("htmx:before:swap", () => {
  document.querySelectorAll(".log").forEach((log) => { log.toggleAttribute("data-follows", atEnd(log)); });
});
document.addEventListener("htmx:after:swap", () => { toEnd(); showTheme(); });

// The focus goes back to what opened it.
function closeMenus() {
  document.querySelectorAll("details.menu[open], details.reveal[open]").forEach((menu) => {
    const held = menu.contains(document.activeElement);
    if (menu.matches(".reveal") && !held) return;
    menu.open = false;
    if (held) menu.querySelector("summary").focus();
  });
}

let waitsForPlace = false;
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenus();
  if (event.target.closest("input, textarea, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    const own = document.querySelector("#gallery-search");
    if (own) own.focus(); else globalThis.openPalette?.();
  }
  if (event.key === "?") document.querySelector("#shortcuts")?.showModal();
  if (waitsForPlace) document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.click();
  waitsForPlace = event.key === "g";
});

htmx.process(document.body); // by itself it waits for a timer: what a quick hand typed before that was lost
showTheme();
toEnd();
document.querySelectorAll(".tabs [aria-current]").forEach((tab) => tab.scrollIntoView({ block: "nearest", inline: "center" }));
