"""The JSON bodies of /v1, as the OpenAPI document describes them."""

from pydantic import BaseModel, Field


class PredictionAnswer(BaseModel):
    """One class, with the softmax probability the model gives it."""

    label: str
    index: int
    probability: float


class ClassifyAnswer(BaseModel):
    """The k most probable classes, best first; `timings` in seconds by stage."""

    model: str = Field(examples=["shufflenet_v2_x1_0-onnx-fp32"])
    trained: bool = Field(description="False: random weights, the labels mean nothing.")
    predictions: list[PredictionAnswer]
    timings: dict[str, float] = Field(
        examples=[{"receive": 0.0002, "decode": 0.0011, "resize": 0.0009, "inference": 0.003}]
    )


class FailedAnswer(BaseModel):
    """One model of a comparison that could not answer."""

    model: str
    error: str


class CompareAnswer(BaseModel):
    """One entry per model, in the order asked for."""

    results: list[ClassifyAnswer | FailedAnswer]


class ErrorAnswer(BaseModel):
    """Every error of the service."""

    error: str = Field(
        description="What happened, what was received, what was expected, what to do."
    )
