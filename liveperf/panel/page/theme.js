// A plain script in the head, so that the first paint has the right colours: those chosen, or else the system's.
(() => {
  const system = matchMedia("(prefers-color-scheme: light)");
  const chosen = () => {
    try {
      return localStorage.getItem("liveperf.theme");
    } catch {
      return null; // storage may be forbidden
    }
  };
  const apply = () => {
    const theme = chosen() ?? (system.matches ? "light" : "dark");
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("theme"));
  };
  system.addEventListener("change", apply);
  addEventListener("storage", apply); // another window of ours has switched
  apply();
})();
