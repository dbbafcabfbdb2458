"use strict";
(function () {
  var says = document.getElementById("says"), picture = document.querySelector(".sankey");
  if (!picture) return;
  var first = says.textContent, lit = {}, nodes = picture.querySelectorAll(".node");
  picture.querySelectorAll(".lit").forEach(function (path) { lit[path.dataset.link] = path; });
  function dark() {
    picture.classList.remove("lighting");
    picture.querySelectorAll(".lit").forEach(function (path) { path.setAttribute("stroke-width", "0"); });
    nodes.forEach(function (node) { node.classList.remove("on"); });
    says.textContent = first;
  }
  function light(node) {
    dark();
    var totals = node.dataset.totals.split(" ");
    picture.classList.add("lighting");
    node.classList.add("on");
    node.dataset.lights.split(" ").forEach(function (pair, place) {
      var parts = pair.split(":"), path = lit[parts[0]];
      if (path) path.setAttribute("stroke-width", Math.max(1, path.dataset.width * parts[1] / totals[place]).toFixed(1));
    });
    says.textContent = node.dataset.says;
  }
  nodes.forEach(function (node) {
    node.addEventListener("pointerenter", function () { light(node); });
    node.addEventListener("focus", function () { light(node); });
    node.addEventListener("pointerleave", dark);
    node.addEventListener("blur", dark);
  });
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") dark(); });
})();
