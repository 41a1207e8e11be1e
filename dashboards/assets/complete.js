/* Field names while a query is typed: the list comes with the page (data-fields), nothing is asked of the server. */
(function () {
  var list = null, chosen = 0;
  function bar(target) { return target && target.closest ? target.closest(".s-query[data-fields]") : null; }
  function word(input) {
    var before = input.value.slice(0, input.selectionStart);
    return (/(?:^|[\s(])-?([\w@.\-]*)$/.exec(before) || [null, null])[1];
  }
  function close() { if (list) { list.remove(); list = null; } }
  function put(input, name) {
    var start = input.selectionStart - word(input).length, rest = input.value.slice(input.selectionStart);
    var text = input.value.slice(0, start) + name + ":" + rest;
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, text);
    input.dispatchEvent(new Event("input", {bubbles: true}));
    input.setSelectionRange(start + name.length + 1, start + name.length + 1);
    close();
  }
  function offer(input) {
    var around = bar(input), typed = word(input);
    close();
    if (!around || !typed) return;
    var fields = JSON.parse(around.getAttribute("data-fields"));
    var lower = typed.toLowerCase();
    var found = fields.filter(function (f) { return f[0].toLowerCase().indexOf(lower) >= 0; });
    found.sort(function (a, b) { return a[0].toLowerCase().indexOf(lower) - b[0].toLowerCase().indexOf(lower) || a[0].length - b[0].length; });
    if (!found.length) return;
    list = document.createElement("ul");
    list.className = "s-options"; list.setAttribute("role", "listbox"); list.setAttribute("aria-label", around.getAttribute("data-label") || "");
    chosen = 0;
    found.slice(0, 12).forEach(function (field, index) {
      var item = document.createElement("li");
      item.setAttribute("role", "option"); item.setAttribute("aria-selected", index === 0);
      field.forEach(function (text) { var span = document.createElement("span"); span.textContent = text; item.appendChild(span); });
      item.addEventListener("mousedown", function (event) { event.preventDefault(); put(input, field[0]); });
      list.appendChild(item);
    });
    around.appendChild(list);
  }
  function select(step) {
    var items = list.children;
    items[chosen].setAttribute("aria-selected", "false");
    chosen = (chosen + step + items.length) % items.length;
    items[chosen].setAttribute("aria-selected", "true");
    items[chosen].scrollIntoView({block: "nearest"});
  }
  document.addEventListener("input", function (event) { if (bar(event.target)) offer(event.target); });
  document.addEventListener("focusout", close);
  document.addEventListener("keydown", function (event) {
    if (!list || !bar(event.target)) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); select(event.key === "ArrowDown" ? 1 : -1); }
    else if (event.key === "Tab") { event.preventDefault(); put(event.target, list.children[chosen].firstChild.textContent); }
    else if (event.key === "Escape" || event.key === "Enter") close();
  }, true);
})();
