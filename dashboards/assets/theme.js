/* Trace colours follow the colour scheme in the browser: a trace carries meta={"light":…,"dark":…}; text and grid follow CSS. */
(function () {
  var root = document.documentElement, timer;
  function paint() {
    var mode = root.getAttribute("data-mantine-color-scheme");
    if (!window.Plotly || (mode !== "dark" && mode !== "light")) return;
    document.querySelectorAll(".js-plotly-plot").forEach(function (graph) {
      (graph.data || []).forEach(function (trace, index) {
        if (trace.meta && trace.meta[mode] && trace.marker && trace.marker.color !== trace.meta[mode])
          window.Plotly.restyle(graph, {"marker.color": trace.meta[mode]}, [index]);
      });
    });
  }
  function soon() { clearTimeout(timer); timer = setTimeout(paint, 50); }
  new MutationObserver(soon).observe(root, {attributes: true, attributeFilter: ["data-mantine-color-scheme"]});
  document.addEventListener("DOMContentLoaded", function () {
    new MutationObserver(soon).observe(document.body, {childList: true, subtree: true});
  });
})();
