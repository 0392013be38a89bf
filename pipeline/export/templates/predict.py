from bisect import bisect_right
from datetime import date, datetime
from math import exp, isnan


def predict(row):
    """The decided class of a row (a dict of its cells by column), the probability of each class, and contributions.

    A cell that is None, NaN, empty, or not there is missing. Dates are ISO 8601 strings, dates or datetimes.
    Contributions are what each column adds to the log-odds, compared with the average training row: of two classes
    to those of MODEL["positive"], else to those of the decided class.
    """
    cells = {name: _cell(row.get(name), name, kind) for name, kind in MODEL["columns"].items()}
    sums = [[sum(_value(term, cells) for term in terms) for terms in group["terms"]] for group in MODEL["groups"]]
    margins = [start + sum(each[k] for each in sums) for k, start in enumerate(MODEL["intercept"])]
    classes, P = MODEL["classes"], _calibrated(_probabilities(margins))
    if MODEL["threshold"] is not None:
        place = classes.index(MODEL["positive"])
        decided = place if P[place] >= MODEL["threshold"] else 1 - place
    else:
        decided = int(margins[0] > 0) if len(classes) == 2 else margins.index(max(margins))
    column = 0 if len(margins) == 1 else decided
    contributions = {
        group["name"]: MODEL["sign"] * each[column] - group["average"][column]
        for group, each in zip(MODEL["groups"], sums)
    }
    return {"class": classes[decided], "probabilities": dict(zip(classes, P)), "contributions": contributions}


def _cell(value, name, kind):
    if value is None or value != value or (isinstance(value, str) and value.strip() in MODEL["missing"]):
        return None
    if kind == "number":
        return float(value)
    if kind == "date":
        if isinstance(value, str):
            return datetime.fromisoformat(value.strip())
        return value if isinstance(value, datetime) or not isinstance(value, date) else datetime(*value.timetuple()[:3])
    aliases = MODEL["aliases"][name]
    if isinstance(value, bool):
        return aliases.get(str(value).lower(), str(value).lower())
    if not isinstance(value, str):
        text = str(int(value)) if float(value).is_integer() else repr(value)
        return aliases.get("#" + text, text)
    return value.strip() if value.strip().lower() not in aliases else aliases[value.strip().lower()]


def _value(node, cells):
    kind, *parts = node
    if kind == "constant":
        return parts[0]
    if kind == "number":
        if cells[parts[0]] is None:
            raise ValueError(f"{parts[0]} is missing, which this model has no number for")
        return cells[parts[0]]
    if kind == "datepart":
        moment = cells[parts[0]]
        return float(moment.weekday() if parts[1] == "day_of_week" else getattr(moment, parts[1]))
    if kind == "missing":
        return _value(parts[1 if cells[parts[0]] is None else 2], cells)
    if kind == "straight":
        x, centre, scale, slope = parts
        return slope * ((_value(x, cells) - centre) / scale)
    if kind == "steps":
        x, edges, values = parts
        return values[bisect_right(edges, _value(x, cells))]
    if kind == "lookup":
        column, values, other = parts
        return values.get(cells[column], other)
    if kind == "grid":
        row, column, values = parts
        return values[int(_value(row, cells))][int(_value(column, cells))]
    raise ValueError(kind)


def _sigmoid(z):
    return 1 / (1 + exp(-z)) if z > -700 else exp(max(z, -745))


def _probabilities(margins):
    if len(margins) == 1:
        return [_sigmoid(-margins[0]), _sigmoid(margins[0])]
    top = max(margins)
    P = [exp(max(z - top, -745)) if MODEL["multiclass"] == "softmax" else _sigmoid(z) for z in margins]
    return [p / sum(P) for p in P]


def _calibrated(P):
    calibration = MODEL["calibration"]
    if calibration is None:
        return P
    if "temperature" in calibration:
        P = [p ** (1 / calibration["temperature"]) for p in P]
        return [p / sum(P) for p in P]
    x, y, p = calibration["x"], calibration["y"], P[1]
    k = bisect_right(x, p)
    if k in (0, len(x)):
        q = y[min(k, len(x) - 1)]
    else:
        q = y[k - 1] + (y[k] - y[k - 1]) * (p - x[k - 1]) / (x[k] - x[k - 1])
    return [1 - q, q]
