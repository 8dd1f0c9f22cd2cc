"""What is compared: the engines alone, our service and a plain one, under the same questions."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving_load import Load, Post, drive
from benchmarks.serving_processes import Server, Worker, stride
from measuring.photographs import encoded, photograph
from measuring.pictures import varied_pictures

INSTANCES = 2
RAW = {"Inference-Header-Content-Length": "0"}
"""Makes a body of /v2 the tensor itself, and the answer, too."""


@dataclass(frozen=True, eq=False)
class Visit:
    """One way under load for a while. `cpu`: processor seconds of the server, all its processes;
    `generator_cpu`: of what drove it, 0 where nothing did."""

    requests: int
    seconds: float
    latencies: NDArray[np.float64]
    cpu: float
    generator_cpu: float
    failures: int


Drive = Callable[[str, int, float], Visit]
"""Kind of body, connections, seconds."""


@dataclass(frozen=True)
class Bodies:
    """A picture as clients send it, by kind; and where it lies for processes of ours."""

    jpeg: bytes
    tensor: bytes

    def of(self, kind: str) -> bytes:
        return self.jpeg if kind == "jpeg" else self.tensor


def bodies(size: int = 224) -> Bodies:
    """A photograph of 500 x 375 pixels in 37 KB, and (size, size, 3) pixels."""
    web = photograph("sklearn/datasets/images/china.jpg").resize((500, 375))
    return Bodies(encoded(web, quality=74), varied_pictures(1, size, seed=0).tobytes())


def limit(stack: ExitStack, artifact: Path, runtime: str, pictures: Bodies, folder: Path) -> Drive:
    """The engines of `artifact` without a service."""
    worker = stack.enter_context(
        Worker("benchmarks.serving_limit", str(artifact), runtime, str(INSTANCES))
    )
    for kind in ("jpeg", "tensor"):
        (folder / kind).write_bytes(pictures.of(kind))

    def run(kind: str, connections: int, seconds: float) -> Visit:  # noqa: ARG001
        picture = str(folder / kind)
        found = worker.ask({"picture": picture, "kind": kind, "seconds": seconds})
        latencies = np.array(found["latencies"], np.float64)
        return Visit(found["requests"], found["seconds"], latencies, found["cpu"], 0.0, 0)

    return run


def served(
    stack: ExitStack, artifact: Path, runtime: str, pictures: Bodies, *, as_limit: bool = True
) -> Drive:
    """`stride serve` with this artifact alone: one picture after another in as many instances as
    the engines alone have, or as the service chooses itself."""
    option = f"m={artifact.name}:runtime={runtime}"
    if as_limit:
        option += f",instances={INSTANCES},threads=1,max_batch=1"
    server = stack.enter_context(Server(serve_command(artifact, option), ready="/readyz"))
    posts = {
        "jpeg": Post(server.url, "/v1/classify?model=m", pictures.jpeg),
        "tensor": Post(server.url, "/v2/models/m/infer", pictures.tensor, RAW),
    }
    return driven(server, posts)


def serve_command(artifact: Path, option: str, *more: str) -> list[str]:
    """The command line of a service of one model."""
    repository = str(artifact.parent)
    return [
        *(stride(), "serve", "--repository", repository, "--model", option, "--port", "0", *more)
    ]


def plain(stack: ExitStack, artifact: Path, pictures: Bodies) -> Drive:
    """The plain FastAPI service, a process for each instance."""
    command = ["benchmarks.baseline_service", str(artifact), "--processes", str(INSTANCES)]
    server = stack.enter_context(Server(python(*command), ready="/readyz"))
    posts = {
        "jpeg": Post(server.url, "/classify", pictures.jpeg),
        "tensor": Post(server.url, "/infer", pictures.tensor),
    }
    return driven(server, posts)


def python(module: str, *arguments: str) -> list[str]:
    """The command line of one of our modules, in this environment."""
    return [str(Path(stride()).with_name("python")), "-m", module, *arguments]


def driven(server: Server, posts: dict[str, Post]) -> Drive:
    """Sends the server one of these bodies over and over."""

    def run(kind: str, connections: int, seconds: float) -> Visit:
        return visit(server, posts[kind], connections=connections, seconds=seconds)

    return run


def visit(
    server: Server,
    post: Post,
    *,
    connections: int,
    seconds: float,
    cores: tuple[int, ...] | None = None,
) -> Visit:
    """Drive it, and read what it took."""
    before = server.cpu()
    load: Load = drive(post, connections=connections, seconds=seconds, cores=cores)
    return Visit(
        load.requests,
        load.seconds,
        load.latencies,
        cpu=server.cpu() - before,
        generator_cpu=load.cpu,
        failures=load.failures,
    )
