// The decided class of a row (an object of its cells by column), the probability of each class, and contributions.
//
// A cell that is null, undefined, NaN, empty, or not there is missing. Dates are ISO 8601 strings or Date objects.
// Contributions are what each column adds to the log-odds, compared with the average training row: of two classes to
// those of MODEL.positive, else to those of the decided class.
function predict(row) {
  const cells = {};
  for (const [name, kind] of Object.entries(MODEL.columns)) cells[name] = cell(row[name], name, kind);
  const sums = MODEL.groups.map((group) => group.terms.map((terms) => total(terms.map((term) => value(term, cells)))));
  const margins = MODEL.intercept.map((start, k) => start + total(sums.map((each) => each[k])));
  const classes = MODEL.classes, P = calibrated(probabilities(margins)), place = classes.indexOf(MODEL.positive);
  let decided = margins.length === 1 ? Number(margins[0] > 0) : margins.indexOf(Math.max(...margins));
  if (MODEL.threshold !== null) decided = P[place] >= MODEL.threshold ? place : 1 - place;
  const k = margins.length === 1 ? 0 : decided;
  return {
    class: classes[decided],
    probabilities: Object.fromEntries(classes.map((name, i) => [name, P[i]])),
    contributions: Object.fromEntries(
      MODEL.groups.map((group, i) => [group.name, MODEL.sign * sums[i][k] - group.average[k]])),
  };

  function cell(x, name, kind) {
    if (x === null || x === undefined || Number.isNaN(x) || (typeof x === "string" && MODEL.missing.includes(x.trim())))
      return null;
    if (kind === "number") {
      if (Number.isNaN(Number(x))) throw new Error(`${name}: ${x} is not a number`);
      return Number(x);
    }
    if (kind === "date") return moment(x, name);
    const aliases = MODEL.aliases[name] || {};
    if (Array.isArray(x)) return JSON.stringify(x);
    const key = typeof x === "number" ? "#" + x : String(x).trim().toLowerCase();
    return Object.hasOwn(aliases, key) ? aliases[key] : String(x).trim();
  }
  function moment(x, name) {
    if (x instanceof Date) x = x.toISOString();
    const parts = /^(\d{1,4})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):(\d\d))?/.exec(x);
    if (!parts) throw new Error(`${name}: ${x} is not a date such as 2024-12-31`);
    const [year, month, day, hour, minute] = parts.slice(1).map((part) => Number(part || 0));
    return { year, month, day, hour, minute, day_of_week: (new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7 };
  }
  function value([kind, ...parts], cells) {
    switch (kind) {
      case "constant": return parts[0];
      case "number":
        if (cells[parts[0]] === null) throw new Error(`${parts[0]} is missing, which this model has no number for`);
        return cells[parts[0]];
      case "datepart": return cells[parts[0]][parts[1]];
      case "missing": return value(parts[cells[parts[0]] === null ? 1 : 2], cells);
      case "clipped": return Math.min(Math.max(value(parts[0], cells), parts[1]), parts[2]);
      case "straight": return parts[3] * ((value(parts[0], cells) - parts[1]) / parts[2]);
      case "steps": return parts[2][above(parts[1], value(parts[0], cells))];
      case "lookup": return Object.hasOwn(parts[1], cells[parts[0]]) ? parts[1][cells[parts[0]]] : parts[2];
      case "words": {
        const found = words(cells[parts[0]]), has = (word) => Object.hasOwn(parts[1], word);
        const neighbours = found.slice(1).map((word, k) => [found[k], word]).filter((pair) => pair.every(has));
        return weighted(found, parts[1]) + weighted(neighbours.map((pair) => pair.join(" ")), parts[2]);
      }
      case "values":
        return total([...new Set(split(cells[parts[0]], parts[1]))].map((x) => Object.hasOwn(parts[2], x) ? parts[2][x] : 0));
      case "grid": return parts[2][value(parts[0], cells)][value(parts[1], cells)];
    }
    throw new Error(kind);
  }
  function words(text) {
    text = [...text.normalize("NFKC")].map((c) => c.toLowerCase().length === c.length ? c.toLowerCase() : c).join("").replaceAll("\u2019", "'");
    const alone = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{So}\p{Sc}]/gu;
    return text.replace(alone, " $& ").split(/[^\p{L}\p{M}\p{N}\p{So}\p{Sc}']+/u).map((word) => word.replace(/^'+|'+$/g, "")).filter(Boolean);
  }
  function weighted(found, table) {
    const sizes = {};
    for (const word of found) if (Object.hasOwn(table, word)) sizes[word] = (sizes[word] || 0) + table[word][0];
    const norm = Math.sqrt(total(Object.values(sizes).map((size) => size * size)));
    return total(Object.entries(sizes).map(([word, size]) => size / norm * table[word][1]));
  }
  function split(text, delimiter) {
    text = text.trim();
    const entry = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^,"'\s][^,]*))\s*,?/g;
    const parts = delimiter === "[]" || /^\[[^]*\]$/.test(text)
      ? [...text.replace(/^[[\](){}]+|[[\](){}]+$/g, "").matchAll(entry)].map((found) => found[1] ?? found[2] ?? found[3])
      : delimiter ? text.split(delimiter) : [text];
    return parts.map((value) => value.trim()).filter(Boolean);
  }
  function above(edges, x) { // the number of edges that are at most x
    let low = 0, high = edges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (edges[middle] <= x) low = middle + 1; else high = middle;
    }
    return low;
  }
  function total(numbers) { return numbers.reduce((sum, x) => sum + x, 0); }
  function sigmoid(z) { return z > -700 ? 1 / (1 + Math.exp(-z)) : Math.exp(Math.max(z, -745)); }
  function probabilities(margins) {
    if (margins.length === 1) return [sigmoid(-margins[0]), sigmoid(margins[0])];
    const top = Math.max(...margins);
    const P = margins.map((z) => MODEL.multiclass === "softmax" ? Math.exp(Math.max(z - top, -745)) : sigmoid(z));
    return P.map((p) => p / total(P));
  }
  function calibrated(P) {
    const calibration = MODEL.calibration;
    if (calibration === null) return P;
    if ("temperature" in calibration) {
      P = P.map((p) => p ** (1 / calibration.temperature));
      return P.map((p) => p / total(P));
    }
    const { x, y } = calibration, k = above(x, P[1]), last = x.length - 1;
    const q = k === 0 || k > last ? y[Math.min(k, last)]
      : y[k - 1] + (y[k] - y[k - 1]) * (P[1] - x[k - 1]) / (x[k] - x[k - 1]);
    return [1 - q, q];
  }
}
