"""Many classes, on a data set of their own: one binary problem a class, all fitted at once as columns of one matrix.

Nothing here is new: the functions of `load`, `split`, `train` and `evaluate` take any number of classes, and this stage
calls them on its own section of the configuration.
"""

from pipeline import config, outputs
from pipeline.stages import evaluate, load, run, split, told, train


def main() -> None:
    params = config.read("one_vs_rest")
    with told() as said:
        rows = split.split(load.load(params.data), params.split, params.data)
    training = train.train(rows.train, params.train)
    split.write(rows, said, outputs.ONE_VS_REST)
    train.write(training, rows.train, outputs.ONE_VS_REST)
    start, trained = (evaluate.evaluate(fitted, rows.test) for fitted in training)
    evaluate.write(start, trained, outputs.ONE_VS_REST)
    print(trained.report)


if __name__ == "__main__":
    run(main)
