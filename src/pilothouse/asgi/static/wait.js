// On pages that wait: looks again without loading them anew, so that nobody's reading starts over, and opens what is there.
(() => {
  const wait = Number(document.currentScript.dataset.waitS) * 1000;
  const NEW_AFTER = 10; // looking ahead wakes nothing: now and then the page is asked for as people do
  let looks = 0;
  const look = async () => {
    looks += 1;
    const ahead = { headers: { Purpose: "prefetch" }, redirect: "manual", cache: "no-store" };
    const answer = await fetch(location.href, ahead).catch(() => null);
    const waits = answer?.headers.get("retry-after");
    if (answer && (!waits || looks > NEW_AFTER)) { location.reload(); return; }
    const told = waits && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".phases");
    if (told) document.querySelector(".phases")?.replaceWith(told);
    setTimeout(look, wait);
  };
  setTimeout(look, wait);
})();
