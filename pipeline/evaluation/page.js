"use strict";
const byId = (id) => document.getElementById(id);

// Everything that a threshold decides: the counts of test rows, and what follows from them.
function decided(numbers, k, falseAlarm, miss) {
  const hits = numbers.hits[k], alarms = numbers.false_alarms[k];
  const n = numbers.n_positive + numbers.n_negative;
  return {
    hits, alarms, misses: numbers.n_positive - hits, passed: numbers.n_negative - alarms,
    recall: hits / numbers.n_positive, precision: hits / (hits + alarms), flagged: (hits + alarms) / n,
    cost: (falseAlarm * numbers.false_alarm_costs[k] + miss * numbers.miss_costs[k]) / n,
  };
}

function moveThreshold() {
  const numbers = JSON.parse(byId("numbers").textContent), slider = byId("threshold");
  const mark = document.querySelector("#moved .mark"), scale = mark.dataset;
  const show = () => {
    const k = Number(slider.value), threshold = numbers.threshold[k];
    const of = decided(numbers, k, Number(byId("cost1").value), Number(byId("cost2").value));
    for (const name of ["hits", "alarms", "misses", "passed"])
      byId(name).textContent = Math.round(of[name]).toLocaleString("en");
    for (const name of ["recall", "precision", "flagged"])
      byId(name).textContent = Number.isFinite(of[name]) ? (100 * of[name]).toFixed(1) + " %" : "–";
    byId("cost").textContent = of.cost.toPrecision(3);
    byId("at").textContent = Number(threshold.toPrecision(4));
    slider.setAttribute("aria-valuetext", String(Number(threshold.toPrecision(4))));
    const part = (threshold - scale.low) / (scale.high - scale.low);
    mark.setAttribute("transform", `translate(${Number(scale.left) + part * (scale.right - scale.left)} 0)`);
  };
  for (const id of ["threshold", "cost1", "cost2"]) byId(id).addEventListener("input", show);
  show();
}

function chooseColumn() {
  const all = [...document.querySelectorAll(".column")];
  const show = () => all.forEach((part) => { part.hidden = part.id !== "column" + byId("column").value; });
  byId("column").addEventListener("change", show);
  show();
}

if (typeof document !== "undefined") {
  if (byId("moved")) moveThreshold();
  if (byId("columns")) chooseColumn();
  let folded = [];  // printed as if they were open
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));
}
