/* Cells of our grids. Words come from the server in the reader's language; React makes text of whatever a log line holds. */
var dagcomponentfuncs = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
(function () {
  var make = React.createElement;
  dagcomponentfuncs.Severity = function (cell) {
    return cell.data ? make("span", {className: "s-sev s-" + cell.data.level}, cell.value) : make("span", {className: "s-3"}, "…");
  };
  dagcomponentfuncs.TwoLines = function (cell) {
    return cell.data ? make("div", {className: "s-two"}, make("div", {title: cell.value}, cell.value), make("div", {title: cell.data.under}, cell.data.under)) : null;
  };
  dagcomponentfuncs.Chip = function (cell) {
    return cell.value ? make("span", {className: "s-chip " + (cell.data.tone || "")}, cell.value) : null;
  };
  dagcomponentfuncs.Titled = function (cell) {
    return cell.data ? make("span", {title: cell.data[cell.colDef.field + "_title"] || cell.value, className: "s-num"}, cell.value) : null;
  };
  dagcomponentfuncs.Incident = function (cell) {
    return cell.value ? make("a", {href: cell.data.href}, cell.value) : null;
  };
  dagcomponentfuncs.Text = function (cell) {
    return cell.value === undefined || cell.value === null ? null : make("span", {title: String(cell.value)}, String(cell.value));
  };
})();
