"""How much is measured: all of it on a GPU, and the same steps in seconds as a rehearsal."""

from dataclasses import dataclass

from inference.manifest import Precision

DEFAULTS = ("fasternet_t0", "mobilenet_v2", "shufflenet_v2_x1_0")
REFERENCES = ("resnet50", "efficientnet_b0", "regnet_x_400mf")
# For the claims about speed per FLOP: each against its opponent.
CONTENDERS = (
    *("efficientnet_b0", "regnet_x_400mf", "regnet_y_400mf", "resnet50"),
    *("efficientnet_b5", "regnet_x_8gf"),
)
_POWERS = tuple(2**exponent for exponent in range(11))


@dataclass(frozen=True)
class Scale:
    """`referenced`: precisions of the references. `batches`: of the default networks by
    precision; `few`: of the references and of ONNX Runtime; `compiled` and
    `profiled`: of what takes long to prepare. `size`: of all pictures, None for each network's own.
    `blocks`: interleaved ones for each point; `visit`: seconds of each way in one. `rotated`: bytes
    of pictures that are taken in turn, more than any cache holds. `copied`, `product`: bytes and
    side of the largest copy and matrix product. `burn`: seconds of each power reading. `requested`:
    pictures of a request over HTTP, the one in the middle of JPEGs, too; `connections`: clients,
    fewer for larger requests; `senders`: processes that send; `loaded`: seconds of a load;
    `frontends`: processes for HTTP."""

    networks: tuple[str, ...] = DEFAULTS
    references: tuple[str, ...] = REFERENCES
    contenders: tuple[str, ...] = CONTENDERS
    precisions: tuple[Precision, ...] = ("fp16", "fp32", "bf16")
    referenced: tuple[Precision, ...] = ("fp16",)
    batches: tuple[tuple[Precision, tuple[int, ...]], ...] = (
        ("fp16", _POWERS),
        ("fp32", (1, 8, 32, 256)),
        ("bf16", (1, 32, 256)),
    )
    few: tuple[int, ...] = (1, 32, 256)
    compiled: tuple[int, ...] = (1, 32, 256)
    profiled: tuple[int, ...] = (1, 8, 32, 256)
    size: int | None = None
    blocks: int = 7
    visit: float = 0.01
    rotated: int = 1 << 27
    copied: int = 1 << 32
    product: int = 8192
    burn: float = 1.0
    requested: tuple[int, ...] = (1, 8, 32, 128)
    connections: int = 64
    senders: int = 4
    loaded: float = 2.0
    frontends: int = 4

    def batches_of(self, network: str, precision: Precision) -> tuple[int, ...]:
        """Of one network; the references get a few."""
        if network not in self.networks:
            return self.few
        return dict(self.batches).get(precision, self.few)


FULL = Scale()
REHEARSAL = Scale(
    networks=("shufflenet_v2_x0_5",),
    references=("resnet18",),
    contenders=("mobilenet_v3_small", "shufflenet_v2_x0_5"),
    precisions=("fp32",),
    referenced=("fp32",),
    batches=(("fp32", (1, 2)),),
    few=(1,),
    compiled=(),
    profiled=(1, 2),
    size=32,
    blocks=3,
    visit=0.001,
    rotated=1 << 16,
    copied=1 << 22,
    product=128,
    burn=0.05,
    requested=(2,),
    connections=4,
    senders=1,
    loaded=0.5,
    frontends=1,
)
