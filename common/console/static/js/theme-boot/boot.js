// Before anything is drawn, so that no page flashes in the other theme. A classic script: modules come later.
try {
  const chosen = localStorage.getItem("atoll-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Without storage the system's theme it is.
}
