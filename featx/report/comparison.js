"use strict";
document.documentElement.classList.add("js");

// Tables: a click on a heading sorts by its column; a second click reverses the order.
for (const table of document.querySelectorAll("table.sortable")) {
  for (const [column, heading] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") === "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const order = (a, b) => {
        const [x, y] = [value(a), value(b)];
        const known = (text) => text !== "" && !Number.isNaN(Number(text));
        if (known(x) !== known(y)) return known(x) ? -1 : 1; // missing values come last
        return (up ? 1 : -1) * (known(x) ? x - y : x.localeCompare(y));
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
    });
  }
}

// Recipes: show one, or all.
const choices = [...document.querySelectorAll("[data-recipe-choice]")];
function choose(name) {
  for (const choice of choices) choice.setAttribute("aria-pressed", choice.dataset.recipeChoice === name);
  for (const part of document.querySelectorAll("[data-recipe]")) {
    part.hidden = name !== "" && part.dataset.recipe !== name;
  }
}
for (const choice of choices) {
  choice.addEventListener("click", () => choose(choice.dataset.recipeChoice));
}
for (const link of document.querySelectorAll("a[data-shows]")) {
  link.addEventListener("click", () => choose(link.dataset.shows));
}
const first = choices.find((choice) => choice.dataset.first !== undefined);
if (first) choose(first.dataset.recipeChoice);

// Galleries: filter by true and predicted class.
for (const tools of document.querySelectorAll("[data-filters]")) {
  const part = tools.closest("[data-recipe]");
  const selects = [...tools.querySelectorAll("select")];
  const status = tools.querySelector("[role=status]");
  for (const select of selects) {
    select.addEventListener("change", () => {
      const [truth, answer] = selects.map((one) => one.value);
      let count = 0;
      for (const item of part.querySelectorAll("li[data-truth]")) {
        item.hidden = (truth !== "" && item.dataset.truth !== truth) || (answer !== "" && item.dataset.answer !== answer);
        count += item.hidden ? 0 : 1;
      }
      status.textContent = `${count} images shown`;
    });
  }
}
