/* flowaudit: pages and marked clicks of a single-page app. No text, no query, no cookie. */
(function (w, d) {
  "use strict";
  var s = d.currentScript, h = w.history, n = w.navigator;
  if (!s || !s.src) return;
  var to = s.src.replace(/\.js([?#].*)?$/, ""), l = w.location, last = l.pathname, push = h.pushState;
  function send(o) {
    var t = JSON.stringify(o);
    try {
      if (n.sendBeacon && n.sendBeacon(to, t)) return;
      w.fetch(to, {method: "POST", body: t, keepalive: true})["catch"](function () {});
    } catch (e) {}
  }
  function view() {
    if (l.pathname !== last) {
      last = l.pathname;
      send({view: last});
    }
  }
  h.pushState = function () {
    var r = push.apply(h, arguments);
    view();
    return r;
  };
  w.addEventListener("popstate", view);
  d.addEventListener("click", function (e) {
    var t = e.target, a = t && t.closest && t.closest("[data-flow]");
    if (a) send({click: a.getAttribute("data-flow"), path: l.pathname});
  }, true);
})(window, document);
