"""What `stride export` is asked for. What is wrong with it is found here, before anything is
downloaded or built."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from measuring.errors import InputError

if TYPE_CHECKING:
    from exporters.plan_options import HardwareLevel, PlanOptions
    from inference.manifest import Format, Precision
    from measuring.input_spec import InputSpec


@dataclass(frozen=True)
class Order:
    """The options as given, and the input spec that was read from its file.

    `check` has to be asked before it is carried out.
    """

    networks: tuple[str, ...]
    weights: str
    formats: "tuple[Format, ...]"
    precisions: "tuple[Precision, ...]"
    name: str | None
    labels: Path | None
    input_spec: "InputSpec | None"
    repository: Path
    calibration: Path | None = None
    max_batch: int | None = None
    version_compatible: bool = False
    hardware_compatible: "HardwareLevel | None" = None
    device: str | None = None

    def artifact_name(self, network: str) -> str:
        """The name given, else the network's."""
        return network if self.name is None else self.name

    def plan_options(self) -> "PlanOptions":
        """How a TensorRT plan is built; raises InputError for a batch that no plan takes."""
        from exporters.plan_options import BatchProfile, PlanOptions, batches_up_to

        return PlanOptions(
            batch=BatchProfile() if self.max_batch is None else batches_up_to(self.max_batch),
            version_compatible=self.version_compatible,
            hardware=self.hardware_compatible or "none",
        )

    def check(self) -> None:
        """Raises InputError for a word that is wrong and for words that contradict each other."""
        from exporters.formats import recipes_for
        from inference.artifact import artifact_id
        from models import names, sketch

        if self.name is not None and len(self.networks) > 1:
            raise InputError(
                f"--name {self.name} is for one network, received {len(self.networks)}; "
                "export them one by one"
            )
        for network in set(self.networks) - set(names()):
            sketch(network)  # raises, with the names
        for format_ in self.formats:
            for precision in self.precisions:
                recipes_for(format_, precision)
                artifact_id(self.artifact_name(self.networks[0]), format_, precision)
        _check_labels(self.labels, self.weights)
        _check_calibration(self.calibration, self.precisions)
        self._check_plan()
        if self.device is not None and "aoti" not in self.formats:
            raise InputError(
                f"--device {self.device}: for AOTInductor packages, received --format "
                f"{','.join(self.formats)}; add aoti, or leave it out"
            )
        _check_writable(self.repository)

    def _check_plan(self) -> None:
        given = {
            "--max-batch": self.max_batch is not None,
            "--version-compatible": self.version_compatible,
            "--hardware-compatible": self.hardware_compatible is not None,
        }
        from exporters.plan_options import MOST_PICTURES

        named = [option for option, is_given in given.items() if is_given]
        if named and "tensorrt" not in self.formats:
            raise InputError(
                f"{' and '.join(named)}: for TensorRT plans, received --format "
                f"{','.join(self.formats)}; add tensorrt, or leave it out"
            )
        if self.max_batch is not None and self.max_batch > MOST_PICTURES:
            raise InputError(
                f"--max-batch {self.max_batch}: a TensorRT plan takes at most {MOST_PICTURES} "
                f"pictures at once; expected 1 to {MOST_PICTURES}"
            )


def _check_labels(labels: Path | None, weights: str) -> None:
    """Their number, too, where it is known before the weights are read."""
    from models.labels import read_labels
    from models.load import IMAGENET_CLASSES, PRETRAINED, UNTRAINED

    if labels is not None:
        read_labels(
            labels, classes=IMAGENET_CLASSES if weights in (PRETRAINED, UNTRAINED) else None
        )


def _check_calibration(folder: Path | None, precisions: "tuple[Precision, ...]") -> None:
    from exporters.calibration_pictures import picture_files

    if folder is None:
        return
    if not folder.is_dir():
        raise InputError(
            f"--calibration {folder} is no folder, expected one with pictures like those that "
            "will be classified"
        )
    if "int8" not in precisions:
        raise InputError(
            f"--calibration {folder} is for int8, received --precision {','.join(precisions)}; "
            "add int8, or leave it out"
        )
    picture_files(folder)


def _check_writable(repository: Path) -> None:
    """The folder, or what it would be made in. Nothing is made yet."""
    try:
        folder = next(
            path for path in (repository, *repository.absolute().parents) if path.exists()
        )
        reason = "" if folder.is_dir() else f"{folder} is a file"
    except OSError as error:
        folder, reason = repository, f"{error.strerror}"
    if not reason and not os.access(folder, os.W_OK | os.X_OK):
        reason = f"{folder}: Permission denied"
    if reason:
        raise InputError(
            f"repository {repository} cannot be written ({reason}), expected a directory of yours; "
            "choose another with --repository"
        )
