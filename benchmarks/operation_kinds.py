"""What an operation of a runtime is, and how much arithmetic it does."""

from math import prod

from benchmarks.layer_times import OperationTime, Shape

CONVOLUTIONS = ("pointwise", "depthwise", "grouped", "partial", "regular")
KINDS = (*CONVOLUTIONS, "linear", "pool", "element-wise", "data movement", "other")

_OPERATIONS = {
    "linear": "Gemm MatMul FullyConnected",
    "pool": "ReduceMean Reduce GlobalAveragePool MaxPool AveragePool Pooling",
    "element-wise": "Add Sub Mul Div Sum Multiply MulAdd Eltwise Math Subgraph Cast Convert Clip "
    "Relu Gelu QuickGelu Sigmoid HardSigmoid HardSwish",
    "data movement": "Reorder ReorderInput ReorderOutput Transpose Split VariadicSplit Concat "
    "Concatenation Slice StridedSlice Gather Pad Reshape Flatten Squeeze Unsqueeze Identity "
    "ShuffleChannels",
}
_KINDS = {word: kind for kind, words in _OPERATIONS.items() for word in words.split()}


def kind(operation: OperationTime, partial: frozenset[Shape] = frozenset()) -> str:
    """One of KINDS; `partial`: shapes of the weights of the network's partial convolutions."""
    weights = operation.weights
    if not weights or "Conv" not in operation.operation:
        return _KINDS.get(operation.operation, "other")
    channels = operation.inputs[0][1]
    if weights[1] != channels:
        return "depthwise" if weights[1] == 1 else "grouped"
    if weights in partial:
        return "partial"
    return "pointwise" if prod(weights[2:]) == 1 else "regular"


def macs(operation: OperationTime) -> int:
    """Multiply-accumulates of a convolution or matrix product, 0 of anything else."""
    if operation.weights and "Conv" in operation.operation:
        return prod(operation.output) * prod(operation.weights[1:])
    if _KINDS.get(operation.operation) == "linear":
        return prod(operation.output) * operation.inputs[0][-1]
    return 0
