// Publishing clients print {server}/connect/#/apps/{guid}[/access|/logs|/draft/{bundle}]: go to our page for it.
(() => {
  const target = document.getElementById("fragment-target");
  const parts = location.hash.match(/^#\/apps\/([0-9a-f-]{36})(?:\/([a-z]+))?/);
  const pages = { access: "/access", logs: "/log", draft: "/versions", settings: "/settings" };
  const path = parts ? `/_/content/${parts[1]}${pages[parts[2]] ?? ""}` : location.hash.startsWith("#/auth-success") ? "/_/signed-in" : "/";
  location.replace(target.dataset.base + path);
})();
