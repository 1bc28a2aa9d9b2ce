// What a page says of its own accord: a change that did not reach the server, and one's own work that ended meanwhile.
"use strict";

(() => {
  const board = document.getElementById("said");
  if (!board) return;
  const STAYS_MS = 12000;
  const LOOKS_MS = 10000;

  function say(words, { isGood = false, href = "", action = "" } = {}) {
    const line = document.getElementById("said-line").content.firstElementChild.cloneNode(true);
    line.classList.add(isGood ? "good" : "bad");
    line.querySelector(".words").textContent = words;
    const link = line.querySelector("a");
    if (href) Object.assign(link, { href, textContent: action }); else link.remove();
    line.querySelector("button").addEventListener("click", () => line.remove());
    [...board.children].filter((other) => other.querySelector(".words").textContent === words).forEach((other) => other.remove());
    board.append(line);
    if (isGood) setTimeout(() => { if (!line.matches(":hover, :focus-within")) line.remove(); }, STAYS_MS);
  }
  globalThis.say = say;
  globalThis.sayLost = () => say(board.dataset.lost);

  const polls = (ctx) => ctx.sourceElement?.matches?.("[data-polls]") ?? false;

  // Only pages are put into the page: an error of the server, or of what stands before it, leaves everything as it was typed.
  document.addEventListener("htmx:before:response", (event) => {
    const { ctx } = event.detail;
    const { status, headers } = ctx.response;
    const isPage = (headers.get("content-type") ?? "").startsWith("text/html");
    if (ctx.hx.redirect || status === 204 || (isPage && status < (polls(ctx) ? 400 : 500))) return;
    event.preventDefault();
    if (!polls(ctx)) say(status === 403 ? board.dataset.stale : board.dataset.lost);
  });
  document.addEventListener("htmx:error", (event) => { if (event.detail.ctx && !polls(event.detail.ctx)) globalThis.sayLost(); });

  async function look() {
    if (document.hidden) return;
    const since = sessionStorage.getItem("news") ?? "";
    const answer = await fetch(`${board.dataset.news}?since=${encodeURIComponent(since)}`).catch(() => null);
    if (!answer?.ok) return;
    const { until, news } = await answer.json();
    sessionStorage.setItem("news", until);
    if (document.getElementById("now")) return; // home shows it already
    for (const one of news) say(one.words, { isGood: one.is_good, href: one.href, action: one.action });
  }
  if (board.dataset.news) {
    look();
    setInterval(look, LOOKS_MS);
    document.addEventListener("visibilitychange", look);
  }
})();
