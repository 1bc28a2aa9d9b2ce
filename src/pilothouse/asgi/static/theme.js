// Runs before the first paint: the chosen theme, else the system's.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = localStorage.getItem("theme");
    const dark = chosen ? chosen === "dark" : system.matches;
    document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
  };
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  globalThis.applyTheme = apply;
  apply();
})();
