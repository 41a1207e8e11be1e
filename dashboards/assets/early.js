/* Runs in the head, before anything is drawn: the scheme chosen last time, so that no white flash precedes a dark page. */
(function () {
  var chosen = null;
  try { chosen = localStorage.getItem("mantine-color-scheme-value"); } catch (error) { /* storage is off: light */ }
  document.documentElement.setAttribute("data-mantine-color-scheme", chosen === "dark" ? "dark" : "light");
  document.documentElement.lang = /(^|; )soc_lang=en/.test(document.cookie) ? "en" : "zh-CN";
})();
