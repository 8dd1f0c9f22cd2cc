"""Trains networks on handwritten digits and leaves all that `stride export` needs of them.

    python examples/digits/train.py [NETWORK...] --out DIR [--epochs N] [--seed N]

The networks are trained beside one another, each by one process with one thread: the result depends
on the seed alone, and not on how many cores there are.
"""

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from pictures import LABELS, split_digits, write_companions
from recipe import Recipe, top1, train
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file

from measuring.cores import available_cores
from measuring.errors import CheckError, InputError, StrideError
from models import create, names

NETWORKS = ("fasternet_t0", "mobilenet_v2", "shufflenet_v2_x1_0")


@dataclass(frozen=True)
class Job:
    """One network to train, and where its checkpoint goes."""

    network: str
    directory: Path
    recipe: Recipe
    seed: int


@dataclass(frozen=True)
class Trained:
    """`accuracy` in [0, 1] over `pictures` that the training never saw."""

    job: Job
    path: Path
    accuracy: float
    pictures: int
    seconds: float


def main(arguments: list[str]) -> int:
    """The exit code; the checkpoints, and their accuracy on the screen."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    try:
        jobs = _jobs(options)
        options.out.mkdir(parents=True, exist_ok=True)
        write_companions(options.out, split_digits()[1])
        for done in _train_all(jobs, console):
            console.print(
                f"{done.job.network}: {done.accuracy:.1%} of {done.pictures} held-out pictures "
                f"right, trained in {done.seconds:.0f} s: {done.path}",
                soft_wrap=True,
            )
    except StrideError as error:
        console.print(f"error: {error}", soft_wrap=True, markup=False)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def train_network(job: Job, sender: Connection) -> None:
    """Train, measure on the held-out pictures, write the checkpoint.

    Sends what `Report` takes after each step, and Trained in the end.
    """
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    started = time.perf_counter()
    to_train, held_out = split_digits()
    network = create(job.network, num_classes=len(LABELS))
    train(
        network,
        to_train.pixels(),
        to_train.labels,
        recipe=job.recipe,
        generator=torch.Generator().manual_seed(job.seed),
        report=lambda *step: sender.send(step),
    )
    accuracy = top1(network, held_out.pixels(), held_out.labels)
    path = _save(job, network, accuracy)
    seconds = time.perf_counter() - started
    sender.send(Trained(job, path, accuracy, len(held_out.files), seconds))


def _save(job: Job, network: torch.nn.Module, accuracy: float) -> Path:
    """Whole or not at all. The facts in the header tell a later run what this file is; they are
    one entry, because several are written in any order and equal weights shall be equal files."""
    path = job.directory / f"{job.network}.safetensors"
    partial = path.with_suffix(".partial")
    state = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    facts = {
        "network": job.network,
        "epochs": job.recipe.epochs,
        "seed": job.seed,
        "held_out_top1": round(accuracy, 4),
    }
    save_file(state, partial, metadata={"training": json.dumps(facts)})
    return partial.replace(path)


def _train_all(jobs: list[Job], console: Console) -> list[Trained]:
    """As many processes at once as there are cores; a thread follows each of them."""
    with _progress(console) as bars, ThreadPoolExecutor(available_cores()) as followers:
        tasks = [bars.add_task(job.network, total=None, loss="") for job in jobs]
        return list(followers.map(_train_in_process, jobs, repeat(bars), tasks))


def _train_in_process(job: Job, bars: Progress, task: TaskID) -> Trained:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=train_network, args=(job, sender), daemon=True)
    process.start()
    sender.close()  # the other end is the process's alone: when it ends, so does what is received
    try:
        while not isinstance(message := receiver.recv(), Trained):
            step, steps, loss = message
            bars.update(task, completed=step, total=steps, loss=f"loss {loss:.2f}")
    except EOFError:
        process.join()
        raise CheckError(
            f"training {job.network} ended with exit code {process.exitcode}; "
            "what it printed above tells why"
        ) from None
    process.join()
    return message


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:20}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[loss]:9}"),
        TimeRemainingColumn(),
        console=console,
    )


def _jobs(options: argparse.Namespace) -> list[Job]:
    networks = tuple(dict.fromkeys(options.networks or NETWORKS))
    if unknown := [network for network in networks if network not in names()]:
        raise InputError(
            f"unknown network {', '.join(unknown)}: expected some of {', '.join(names())}"
        )
    if options.epochs < 1:
        raise InputError(f"--epochs is {options.epochs}, expected 1 or more")
    recipe = replace(Recipe(), epochs=options.epochs)
    return [Job(network, options.out, recipe, options.seed) for network in networks]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Train networks on scikit-learn's digits.")
    parser.add_argument(
        "networks", metavar="NETWORK", nargs="*", help=f"default: {' '.join(NETWORKS)}"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where files go")
    parser.add_argument("--epochs", type=int, default=Recipe().epochs, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
