"""The mean of the weights of runs that began with the same ones and saw their windows in another order.

    python mean.py --out work/mean.pt work/run1/student.pt work/run2/student.pt
"""
import argparse

import torch


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--out", required=True)
    a.add_argument("runs", nargs="+")
    a = a.parse_args()
    runs = [torch.load(path, map_location="cpu") for path in a.runs]
    assert all(run["layers"] == runs[0]["layers"] and run["shape"] == runs[0]["shape"] for run in runs), "these are not runs of one model"
    models = [run["model"] for run in runs]
    mean = {name: torch.stack([model[name].float() for model in models]).mean(0) for name in models[0]}
    torch.save({**runs[0], "model": mean}, a.out)


if __name__ == "__main__":
    main()
