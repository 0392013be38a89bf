"""Print the results of the last run: the random start beside the trained model, and what to try next."""

from pipeline import config, outputs

NEXT = """
Try next, with the environment on (source .venv/bin/activate):
  make ui                                  browse the runs in MLflow
  dvc exp run -S train.lambda=0.1          change a parameter and run what it affects
  dvc exp run -S data=wine                 another data set
  dvc exp show                             compare the experiments
  dvc plots show                           their curves, overlaid"""


def main() -> None:
    print()
    data = {outputs.main_result(): config.read("data"), outputs.one_vs_rest(): config.read("one_vs_rest").data}
    for result, source in data.items():
        scored = outputs.load_json(result.metrics)
        print(f"{source.title:<28}{'random weights':>16}{'trained':>12}")
        for name, value in scored["test"].items():
            print(f"  {name:<26}{scored['baseline'][name]:>16.4f}{value:>12.4f}")
    print(NEXT)
