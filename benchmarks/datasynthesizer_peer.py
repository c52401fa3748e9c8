"""DataSynthesizer's PrivBayes on the table of `benchmarks.synthesis`; run by its own Python.

Everything is DataSynthesizer's code as released, in its differentially private mode ("correlated
attributes"): it builds a Bayesian network by the exponential mechanism and adds Laplace noise. It
takes every column's domain from the data, which ours never does. Reads the tasks as JSON from
standard input, writes the seconds of each.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

from DataSynthesizer.DataDescriber import DataDescriber
from DataSynthesizer.DataGenerator import DataGenerator


def synthesise(source: str, out: str, *, epsilon: float, parents: int, seed: int) -> float:
    """Writes as many synthetic rows as there are; returns the seconds it took.

    Args:
        source: CSV; every column is categorical.
        out: CSV to write.
        epsilon: Of pure differential privacy; neighbours differ in one row.
        parents: Most parents of a column in the network; 1 makes a tree, as ours is.
        seed: Of everything that it draws.
    """
    with Path(source).open(encoding="utf-8") as file:
        lines = list(csv.reader(file))
    names, rows = lines[0], len(lines) - 1
    start = time.perf_counter()
    describer = DataDescriber(category_threshold=1000)
    describer.describe_dataset_in_correlated_attribute_mode(
        source, epsilon=epsilon, k=parents, seed=seed,
        attribute_to_is_categorical=dict.fromkeys(names, True),
        attribute_to_is_candidate_key=dict.fromkeys(names, False),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        description = str(Path(folder) / "description.json")
        describer.save_dataset_description_to_file(description)
        generator = DataGenerator()
        generator.generate_dataset_in_correlated_attribute_mode(rows, description, seed=seed)
        generator.save_synthetic_data(out)
    return time.perf_counter() - start


def main() -> None:
    """Does what standard input asks for."""
    warnings.simplefilter("ignore")
    tasks = json.load(sys.stdin)
    # It tells on standard output what it does.
    with Path(os.devnull).open("w") as nothing, contextlib.redirect_stdout(nothing):
        seconds = [synthesise(**task) for task in tasks]
    json.dump(seconds, sys.stdout)


if __name__ == "__main__":
    main()
