"""The tables and signatures of the doubles against the real packages, where those can be imported:
tensorrt needs no GPU for that, cuda-bindings neither."""

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.doubles import tensorrt_double, tensorrt_runtime_double
from tests.doubles.cuda_double import CudaDouble
from tests.doubles.install import install_doubles
from tests.doubles.tensorrt_api import COMMON, ENUMS, ONLY_IN_10, ONLY_IN_11
from tests.doubles.tensorrt_documented import Documented


def _modelled() -> Iterator[tuple[str, str, Any]]:
    """(class, function, function) of all that the TensorRT double does itself."""
    for module in (tensorrt_double, tensorrt_runtime_double):
        for kind in vars(module).values():
            if inspect.isclass(kind) and issubclass(kind, Documented):
                for name, function in vars(kind).items():
                    if inspect.isfunction(function) and not name.startswith("_"):
                        yield kind.__name__, name, function


def _parameters(text: str) -> list[str]:
    """Names from `f(self: A, name: B, other: C = x) -> D`, all but self."""
    return re.findall(r"[(,]\s*(\w+)(?=[:,)=])", text.partition("->")[0].replace("\n", " "))[1:]


def test_double_models_only_what_the_tables_have() -> None:
    tables = [f"{COMMON[kind]} " for kind, _, _ in _modelled()]
    for table, (kind, name, _) in zip(tables, _modelled(), strict=True):
        assert name in table.split(), f"{kind}.{name}"


def test_double_refuses_what_its_version_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    ten, eleven = (install_doubles(monkeypatch, major).trt for major in (10, 11))
    log = ten.ILogger()

    assert ten.BuilderFlag.FP16 == 0
    with pytest.raises(AttributeError, match="FP16"):
        _ = eleven.BuilderFlag.FP16
    ten.Builder(log).create_builder_config().int8_calibrator = None
    with pytest.raises(AttributeError, match=r"11\.4\.0\.106: IBuilderConfig has no int8_calibr"):
        eleven.Builder(log).create_builder_config().int8_calibrator = None
    with pytest.raises(AttributeError, match="Builder has no build_cuda_engine"):
        ten.Builder(log).build_cuda_engine(None)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        ten.Builder(log).create_network(strongly_typed=True)


def test_tables_are_those_of_the_installed_tensorrt() -> None:
    trt = pytest.importorskip("tensorrt", reason="tensorrt is not installed")
    major = int(trt.__version__.partition(".")[0])
    own = {10: ONLY_IN_10, 11: ONLY_IN_11}[major]
    for kind, names in COMMON.items():
        missing = {*f"{names} {own.get(kind, '')}".split()} - set(dir(getattr(trt, kind)))
        assert not missing, f"{kind} of {trt.__version__} has no {missing}"
    for name, members in ENUMS.items():
        real = {key: int(value) for key, value in getattr(trt, name).__members__.items()}
        assert members[major].items() <= real.items(), name


def test_signatures_are_those_of_the_installed_tensorrt() -> None:
    trt: ModuleType = pytest.importorskip("tensorrt", reason="tensorrt is not installed")
    for kind, name, function in _modelled():
        documented = getattr(trt, kind).__dict__[name].__doc__ or ""
        own = [key for key in inspect.signature(function).parameters if key != "self"]
        overloads = [_parameters(line) for line in documented.split("\n") if f"{name}(self" in line]
        assert any(own == full[: len(own)] for full in overloads), f"{kind}.{name}: {overloads}"


def test_signatures_are_those_of_the_installed_cuda_bindings() -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    for name, function in vars(CudaDouble).items():
        if not name.startswith("cuda") or not inspect.isfunction(function):
            continue
        first = (getattr(runtime, name).__doc__ or "").partition("\n")[0]
        inside = first[first.index("(") + 1 : first.rindex(")")]
        # `size_t count` or `kind: cudaMemcpyKind`
        documented = [part.partition(":")[0].split()[-1] for part in inside.split(",") if part]
        assert documented == list(inspect.signature(function).parameters)[1:], name
