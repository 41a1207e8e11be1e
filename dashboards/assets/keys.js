/* Keyboard: single letters are off while somebody types. g + letter goes to a page, j and k move the row, ? shows them all. */
(function () {
  var going = false, GO = {o: "/", a: "/alerts", i: "/incidents", h: "/hunt", s: "/sources"};
  function typing(target) { return /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable; }
  function help() { return document.getElementById("s-help"); }
  function go(letter) {
    var link = GO[letter] && document.querySelector('.s-nav a[href="' + GO[letter] + '"]');
    if (link) link.click();
  }
  function move(step) {
    var grid = document.querySelector("[data-rows] .ag-root-wrapper") && document.querySelector("[data-rows]").getAttribute("data-rows");
    if (!grid) return;
    window.dash_ag_grid.getApiAsync(grid).then(function (api) {
      var focused = api.getFocusedCell(), index = Math.max(0, (focused ? focused.rowIndex : -1) + step);
      if (index >= api.getDisplayedRowCount()) return;
      api.ensureIndexVisible(index);
      api.setFocusedCell(index, api.getAllDisplayedColumns()[0].getColId());
      var row = api.getDisplayedRowAtIndex(index);
      if (row && row.data) window.dash_clientside.set_props(grid + "-chosen", {data: row.data.id});
    });
  }
  document.addEventListener("keydown", function (event) {
    var key = (event.key || "").toLowerCase();
    if (key === "escape" && help()) help().hidden = true;
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (going) { going = false; go(key); return; }
    if (key === "g") { going = true; setTimeout(function () { going = false; }, 1200); return; }
    if (key === "?" && help()) { help().hidden = !help().hidden; return; }
    if (key === "j" || key === "k") { move(key === "j" ? 1 : -1); return; }
    if (key === "/") {
      var field = document.querySelector(".s-query input");
      if (field) { event.preventDefault(); field.focus(); field.select(); }
      return;
    }
    var button = document.querySelector('[data-key="' + key.replace(/["\\]/g, "") + '"]');
    if (button && !button.disabled) { event.preventDefault(); button.click(); }
  });
  document.addEventListener("click", function (event) {
    var closest = event.target.closest ? event.target.closest("#s-help-open,#s-help") : null;
    if (closest && help()) help().hidden = closest.id === "s-help";
  });
})();
