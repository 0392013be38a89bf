"""The optimisers, what each needs of loss, rows and penalty, and which one stands in where that is not offered.

| optimizer        | search    | direction   | one step                                                      |
|------------------|-----------|-------------|---------------------------------------------------------------|
| gradient_descent | FixedStep | Gradient    | W - learning_rate * gradient                                  |
| nesterov         | FixedStep | Accelerated | W - learning_rate * (gradient + momentum * sum of gradients)  |
| newton           | Halving   | Newton      | W - size * curvature^-1 gradient                              |
| quasi_newton     | Halving   | QuasiNewton | W - size * (an estimate of curvature^-1) gradient             |

`fitting.minimize` runs them; `search` shows how to run any search around any direction by hand.
"""

from typing import Any, NamedTuple

from pipeline.logistic.fast_objective import LARGEST_FACTOR, FastObjective
from pipeline.logistic.first_order import Accelerated, AcceleratedProximalStep, Gradient, ProximalStep
from pipeline.logistic.newton import CoordinateNewton, Newton, SignedNewton
from pipeline.logistic.quasi_newton import QuasiNewton
from pipeline.logistic.search import FixedStep, Halving

NEEDS = {  # and how a message says it
    "gradient": "a loss with a gradient",
    "curvature": "a loss with a curvature",
    "bound": "a largest curvature of the loss to choose its learning rate by (or a learning rate)",
    "smooth": "a smooth penalty",
    "prox": "a penalty with a proximal step",
    "l1": "an l1 penalty",
    "signs": "a penalty with signs of weights",
    "few": f"at most {LARGEST_FACTOR:,} weights of a model",
    "separate": "columns that are models of their own",
}


class Solver(NamedTuple):
    name: str  # of the optimiser that it belongs to
    search: Any
    direction: Any
    needs: frozenset[str]  # keys of `NEEDS`

    @property
    def has_learning_rate(self) -> bool:
        return issubclass(self.search, FixedStep)


GRADIENT_DESCENT = Solver("gradient_descent", FixedStep, Gradient, frozenset({"gradient", "smooth"}))
NESTEROV = Solver("nesterov", FixedStep, Accelerated, frozenset({"gradient", "smooth"}))
PROXIMAL_GRADIENT = Solver("gradient_descent", ProximalStep, Gradient, frozenset({"gradient", "prox"}))
FISTA = Solver("nesterov", AcceleratedProximalStep, Gradient, frozenset({"gradient", "prox"}))
NEWTON = Solver("newton", Halving, Newton, frozenset({"gradient", "curvature", "smooth", "few"}))
COORDINATES = Solver("newton", Halving, CoordinateNewton, frozenset({"gradient", "curvature", "l1", "few", "separate"}))
SIGNED = Solver("newton", Halving, SignedNewton, frozenset({"gradient", "curvature", "signs", "few", "separate"}))
MANY_SIGNED = FISTA._replace(needs=FISTA.needs | {"signs"})
MANY_COORDINATES = FISTA._replace(needs=FISTA.needs | {"l1"})
QUASI_NEWTON = Solver("quasi_newton", Halving, QuasiNewton, frozenset({"gradient", "curvature", "smooth"}))

# The first one whose needs are met is used.
OPTIMIZERS: dict[str, tuple[Solver, ...]] = {
    "gradient_descent": (GRADIENT_DESCENT, PROXIMAL_GRADIENT),
    "nesterov": (NESTEROV, FISTA),
    "newton": (NEWTON, QUASI_NEWTON, COORDINATES, MANY_COORDINATES, SIGNED, MANY_SIGNED),
    "quasi_newton": (QUASI_NEWTON, COORDINATES, MANY_COORDINATES, SIGNED, MANY_SIGNED),
}


def offers(objective: FastObjective, has_rate: bool = False) -> set[str]:
    """What solvers may ask of this objective, as keys of `NEEDS`; `has_rate`: learning rates are set."""
    n_weights = objective.shape[0] * objective.n_coupled
    conditions = {
        "bound": has_rate or objective.loss.bound_of_model is not None,
        "few": n_weights <= LARGEST_FACTOR,
        "separate": objective.n_coupled == 1,
    }
    met = {name for name, is_met in conditions.items() if is_met}
    return {*objective.loss.offers, *objective.penalty.offers, *met}


def solver_for(optimizer: str, objective: FastObjective, has_rate: bool = False) -> Solver:
    """The optimiser, or what stands in for it. Raises ValueError with what the objective lacks where nothing does."""
    offered = offers(objective, has_rate)
    if (solver := _first(optimizer, offered)) is not None:
        return solver
    missing = _missing(OPTIMIZERS[optimizer][0], offered)
    others = [name for name in OPTIMIZERS if _first(name, offered)]
    raise ValueError(
        f"{optimizer} needs {' and '.join(NEEDS[need] for need in NEEDS if need in missing)}, which "
        f"{type(objective.loss).__name__} with {type(objective.penalty).__name__} does not have here. Choose "
        f"{' or '.join(others) or 'another loss or penalty'}."
    )


def _first(optimizer: str, offered: set[str]) -> Solver | None:
    return next((solver for solver in OPTIMIZERS[optimizer] if not _missing(solver, offered)), None)


def _missing(solver: Solver, offered: set[str]) -> set[str]:
    return {*solver.needs, *({"bound"} if solver.has_learning_rate else ())} - offered
