"""The answers of an ONNX model as it was given: what its artifact is held to.

Pictures are normalised here in numpy, apart from the prelude that the artifact has. Nobody can
compute the model in float64, so what float32 costs it is estimated: by computing it in other
orders, and with every weight moved to a neighbouring float32 number.
"""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import numpy_helper

from exporters.onnx_file import first_line
from exporters.onnx_ports import ClassOutput, PictureInput
from inference.engine import Pixels
from measuring.errors import InputError
from measuring.input_spec import InputSpec

_BATCH = 8
_FATAL_ONLY = 4
_MOVES = 3


@dataclass(frozen=True)
class OnnxOriginal:
    """A model as given, where pixels go in and logits come out, and what `spec` does to pixels."""

    model: onnx.ModelProto
    port: PictureInput
    output: ClassOutput
    spec: InputSpec

    def logits(self, pixels: Pixels) -> NDArray[np.float64]:
        """(N, classes): float32 answers in the order of the graph, nothing fused or folded.

        Raises InputError where the model does not run.
        """
        return self._run(self._session(self.model, fused=False), self._images(pixels, np.float64))

    def rounded(self, pixels: Pixels) -> tuple[NDArray[np.float64], ...]:
        """The same answers with other roundings: fused; after normalisation in float32; with
        weights that differ in their last bit."""
        images = self._images(pixels, np.float64)
        plain = self._session(self.model, fused=False)
        answers = [
            self._run(self._session(self.model, fused=True), images),
            self._run(plain, self._images(pixels, np.float32)),
        ]
        for seed in range(_MOVES):
            moved = self._session(_moved(self.model, seed), fused=False)
            answers.append(self._run(moved, images))
        return tuple(answers)

    def _images(self, pixels: Pixels, dtype: type[np.floating]) -> NDArray[np.generic]:
        images: NDArray[np.generic] = pixels
        if not self.port.is_uint8:
            mean, std = np.array(self.spec.mean, dtype), np.array(self.spec.std, dtype)
            images = ((pixels.astype(dtype) / dtype(255) - mean) / std).astype(np.float32)
        if self.port.layout == "NCHW":
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        return images

    def _session(self, model: onnx.ModelProto, *, fused: bool) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.log_severity_level = _FATAL_ONLY
        levels = ort.GraphOptimizationLevel
        level = levels.ORT_ENABLE_ALL if fused else levels.ORT_DISABLE_ALL
        options.graph_optimization_level = level
        asked = onnx.ModelProto()
        asked.CopyFrom(model)
        if self.output.name not in {port.name for port in asked.graph.output}:
            asked.graph.output.add().name = self.output.name
        try:
            return ort.InferenceSession(
                asked.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no other base class.
            raise InputError(
                f"ONNX Runtime does not open the model: {first_line(error)}"
            ) from error

    def _run(
        self, session: ort.InferenceSession, images: NDArray[np.generic]
    ) -> NDArray[np.float64]:
        """In batches of the size that the model was made for, the last one filled up."""
        step = self.port.batch or _BATCH
        parts = []
        for start in range(0, len(images), step):
            part = images[start : start + step]
            if self.port.batch is not None and len(part) < step:
                part = np.concatenate([part, np.repeat(part[-1:], step - len(part), axis=0)])
            try:
                (answer,) = session.run([self.output.name], {self.port.name: part})
            except Exception as error:  # ONNX Runtime's errors share no other base class.
                raise InputError(
                    f"the model does not run on {len(part)} pictures of {self.spec.size} x "
                    f"{self.spec.size}: {first_line(error)}; is that the model's size? "
                    "--input-spec says another"
                ) from error
            parts.append(answer.reshape(len(part), -1))
        return np.concatenate(parts)[: len(images)].astype(np.float64)


def _moved(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """A copy in which each float32 weight is the number above or below it, at random."""
    generator = np.random.default_rng(seed)
    moved = onnx.ModelProto()
    moved.CopyFrom(model)
    for tensor in moved.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2:
            continue  # scales and exponents of a formula are no weights
        values = numpy_helper.to_array(tensor)
        up = generator.random(values.shape) < 0.5
        limits = np.where(up, np.inf, -np.inf).astype(np.float32)
        changed = numpy_helper.from_array(np.nextafter(values, limits), tensor.name)
        tensor.CopyFrom(changed)
    return moved
