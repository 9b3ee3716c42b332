// @ts-check
// The help is light or dark as the console is, and the other way round: both keep the choice under one name. It runs
// before the page is painted; the theme of the pages reads what it leaves.

(() => {
  // As common/console/static/js/theme.js has it: "light" or "dark", nothing where the system says.
  const KEY = "atoll-theme";
  const MEDIA = ["(prefers-color-scheme)", "(prefers-color-scheme: light)", "(prefers-color-scheme: dark)"];
  const chosen = () => ["system", "light", "dark"].indexOf(localStorage.getItem(KEY) ?? "system");

  try {
    const index = Math.max(0, chosen());
    const color = { media: MEDIA[index], scheme: index === 2 ? "slate" : "default", primary: "custom", accent: "custom" };
    localStorage.setItem(`${new URL(".", location.href).pathname}.__palette`, JSON.stringify({ index, color }));
  } catch {
    return; // A browser that keeps nothing: as the system says.
  }

  document.addEventListener("change", ({ target }) => {
    if (!(target instanceof HTMLInputElement) || target.name !== "__palette") return;
    const media = target.dataset.mdColorMedia;
    if (media === MEDIA[1]) localStorage.setItem(KEY, "light");
    else if (media === MEDIA[2]) localStorage.setItem(KEY, "dark");
    else localStorage.removeItem(KEY);
  });

  // Changed in another tab.
  addEventListener("storage", ({ key }) => {
    if (key === KEY) document.getElementById(`__palette_${Math.max(0, chosen())}`)?.click();
  });
})();
