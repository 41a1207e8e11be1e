/* Language by cookie, and back to the sign-in page when the session is over. */
(function () {
  function here() { return encodeURIComponent(location.pathname + location.search); }
  document.addEventListener("click", function (event) {
    var button = event.target.closest ? event.target.closest("[data-lang]") : null;
    if (!button) return;
    document.cookie = "soc_lang=" + button.getAttribute("data-lang") + "; path=/; max-age=31536000; SameSite=Strict";
    location.reload();
  });
  document.addEventListener("click", function (event) {
    var button = event.target.closest ? event.target.closest("[data-scheme]") : null;
    if (!button) return;
    var now = document.documentElement.getAttribute("data-mantine-color-scheme") === "dark" ? "light" : "dark";
    try { localStorage.setItem("mantine-color-scheme-value", now); } catch (error) { /* not remembered then */ }
    document.documentElement.setAttribute("data-mantine-color-scheme", now);
  });
  var plain = window.fetch;
  window.fetch = function () {
    return plain.apply(this, arguments).then(function (answer) {
      if (answer.status === 401) location.assign("/sign-in?next=" + here());
      return answer;
    });
  };
})();
/* Beijing time in the bar above, whatever the zone of the machine. */
(function () {
  function show() {
    var place = document.getElementById("s-clock");
    if (!place) return;
    var text = new Date(Date.now() + 8 * 3600000).toISOString().slice(0, 16).replace("T", " ");
    if (place.textContent !== text) place.textContent = text;
  }
  setInterval(show, 1000);
})();
