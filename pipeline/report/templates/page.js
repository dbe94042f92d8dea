"use strict";
(function () {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  button.hidden = false;
  button.addEventListener("click", function () {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });
  const numbers = JSON.parse(document.getElementById("island").textContent);
  document.querySelectorAll("details.numbers").forEach(function (box) {
    box.addEventListener("toggle", function () {
      const place = box.querySelector("pre");
      if (box.open && !place.textContent) {
        place.textContent = JSON.stringify(numbers[box.dataset.figure], null, 1);
      }
    });
  });
})();
