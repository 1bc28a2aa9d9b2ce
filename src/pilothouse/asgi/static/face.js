// What pages about content need beyond app.js: stars that answer at once.
"use strict";

document.addEventListener("click", async (event) => {
  const star = event.target.closest("[data-star]");
  if (!star) return;
  const kept = star.getAttribute("aria-pressed") !== "true";
  const show = (on) => document.querySelectorAll(`[data-star="${CSS.escape(star.dataset.star)}"]`).forEach((one) => one.setAttribute("aria-pressed", String(on)));
  show(kept);
  const answer = await fetch(star.dataset.star, { method: "POST", headers: { "X-RSC-XSRF": xsrf() }, body: new URLSearchParams({ kept: kept ? "1" : "" }) }).catch(() => null);
  if (!answer?.ok) { show(!kept); sayLost(); }
});

// A chosen picture is made small here, so that galleries stay light.
document.addEventListener("change", async (event) => {
  const field = event.target.closest("[data-thumbnail]");
  if (!field?.files?.length) return;
  const problem = document.querySelector("#thumbnail-problem");
  const bitmap = await createImageBitmap(field.files[0]).catch(() => null);
  const sent = bitmap ? await small(bitmap, 640, 360) : field.files[0];
  const answer = await fetch(field.dataset.thumbnail, { method: "POST", headers: { "X-RSC-XSRF": xsrf(), "Content-Type": sent.type }, body: sent }).catch(() => null);
  if (answer?.ok) { location.reload(); return; }
  problem.textContent = answer?.status === 422 ? await answer.text() : "The server did not take the picture. Try again.";
  problem.hidden = false;
});

function small(bitmap, width, height) {
  const scale = Math.min(1, Math.max(width / bitmap.width, height / bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/webp", 0.86); });
}

// Where an app loads there is a skeleton until its frame is there.
document.addEventListener("load", (event) => {
  if (event.target.matches?.(".frame iframe")) event.target.parentElement.classList.add("is-loaded");
}, true);

// On a phone the chosen tab may lie beyond the edge.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
