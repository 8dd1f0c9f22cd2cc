"""The words behind a recommendation: why this one, and what to keep in mind."""

from collections.abc import Sequence

from benchmarks.recommend_choices import Accuracy, Choice, LeftOut
from benchmarks.recommend_requirements import Assessed, Requirements
from measuring.percentiles import least_count


def why(
    chosen: Assessed | None,
    held: float | None,
    assessed: Sequence[Assessed],
    asked: Requirements,
) -> tuple[str, ...]:
    """Whole sentences, the most important first; what is out of reach where nothing is chosen."""
    feasible = [it for it in assessed if it.feasible]
    count = f"{len(feasible)} of {len(assessed)} measured options meet {asked.words}."
    if not assessed:
        return ()
    if chosen is None or held is None:
        return (count, *_best_in_each(assessed, asked))
    prediction = chosen.prediction
    lines = [
        f"p{asked.percentile:g} is predicted at {prediction.seconds * 1e3:.1f} ms of "
        f"{asked.slo * 1e3:g} ms, with {prediction.utilisation:.0%} of its capacity in use.",
        f"It holds {held:.0f} requests/s within the SLO, {held / asked.rate:.1f} times what is "
        "asked.",
        count,
        _rank(chosen, feasible, asked),
    ]
    return (*lines, *_more_accurate(chosen, assessed))


def accuracy_words(found: Accuracy | None) -> str:
    """`69.4 % (published)`, `97.5 % (measured)`, `not known`."""
    return "not known" if found is None else f"{found.top1 * 100:.1f} % ({found.origin})"


def caveats(
    found: Sequence[Choice],
    asked: Requirements,
    left_out: Sequence[LeftOut],
    *,
    invalid: bool,
) -> tuple[str, ...]:
    """What a reader should know before trusting the choice."""
    around = (
        f"{asked.around * 1e3:.1f} ms per request are added for decoding and HTTP, but not the "
        "cores that those take from the engines."
        if asked.around
        else "Decoding and HTTP are not in it; on few cores they may cost as much again."
    )
    lines = [
        "Latencies at a rate are predicted: a seeded simulation of the service's queue with the "
        f"measured calls, arrivals by chance (Poisson), no bursts. {around}",
        *_accuracy_caveats(found),
        *_sample_caveats(found, asked),
    ]
    stamped = [it for it in left_out if it.reason.startswith("INVALID")]
    if stamped:
        lines.append(f"Records marked INVALID are not used: {len(stamped)} (--invalid uses them).")
    used = sum(bool(choice.reasons) for choice in found)
    if invalid and used:
        lines.append(f"Options that rest on records marked INVALID, as asked: {used}.")
    return tuple(lines)


def _rank(chosen: Assessed, feasible: Sequence[Assessed], asked: Requirements) -> str:
    accuracy = accuracy_words(chosen.choice.accuracy)
    known = [it.choice.accuracy.top1 for it in feasible if it.choice.accuracy is not None]
    if chosen.choice.accuracy is None:
        standing = "no accuracy is known among them"
    elif chosen.choice.accuracy.top1 >= max(known):
        standing = f"its top-1 of {accuracy} is the highest among them"
    elif asked.prefer == "accuracy":
        standing = (
            f"its top-1 of {accuracy} is within chance of the highest, {max(known) * 100:.1f} %"
        )
    else:
        standing = f"its top-1 is {accuracy}, the highest is {max(known) * 100:.1f} %"
    if asked.prefer == "accuracy":
        return f"Accuracy first: {standing}; of those as accurate it holds the highest rate."
    return f"Speed first: none of them holds a higher rate beyond noise; {standing}."


def _more_accurate(chosen: Assessed, assessed: Sequence[Assessed]) -> list[str]:
    """The most accurate one that is out, and what stands against its best option."""
    least = chosen.choice.accuracy.top1 if chosen.choice.accuracy else 0.0
    better = [
        it
        for it in assessed
        if not it.feasible and it.choice.accuracy is not None and it.choice.accuracy.top1 > least
    ]
    if not better:
        return []
    networks = {it.choice.network for it in better}
    closest = [
        min((it for it in better if it.choice.network == name), key=lambda it: it.distance)
        for name in networks - {it.choice.network for it in assessed if it.feasible}
    ]
    closest.sort(key=lambda it: (it.distance, it.choice.way))
    return [
        f"More accurate but out: {it.choice.network} ({accuracy_words(it.choice.accuracy)}), at "
        f"best {it.choice.name}: {'; '.join(short.words for short in it.shortfalls)}."
        for it in closest[:2]
    ]


def _best_in_each(assessed: Sequence[Assessed], asked: Requirements) -> list[str]:
    """The soonest, the most and the most accurate that there is."""
    soonest = min(assessed, key=lambda it: (it.prediction.seconds, it.choice.way))
    most = max(assessed, key=lambda it: it.choice.throughput.estimate)
    lines = [
        f"The lowest p{asked.percentile:g} at that rate is {soonest.prediction.seconds * 1e3:.1f} "
        f"ms: {soonest.choice.name}.",
        f"The most images/s are {most.choice.throughput.estimate:.0f}: {most.choice.name}.",
    ]
    known = [it.choice for it in assessed if it.choice.accuracy is not None]
    if known:
        best = max(known, key=lambda it: it.accuracy.top1 if it.accuracy else 0.0)
        lines.append(f"The highest top-1 is {accuracy_words(best.accuracy)}: {best.network}.")
    return lines


def _accuracy_caveats(found: Sequence[Choice]) -> list[str]:
    lines = []
    origins = {choice.accuracy.origin for choice in found if choice.accuracy is not None}
    if "published" in origins:
        lines.append(
            "Accuracies marked published are those of the published checkpoint in fp32 on "
            "ImageNet, not measured here; other precisions may lose some. Measure your own: "
            "stride bench --images DIR."
        )
    if len(origins) > 1:
        lines.append(
            "Measured and published accuracies are of different pictures and do not compare."
        )
    untrained = sorted({choice.network for choice in found if not choice.trained})
    if untrained:
        lines.append(
            f"Untrained weights were timed for {', '.join(untrained)}: as fast as trained ones of "
            "the same shape, but their answers mean nothing."
        )
    unknown = sorted({choice.artifact for choice in found if choice.accuracy is None})
    if unknown:
        lines.append(
            f"No accuracy is known of {', '.join(unknown)}; they count as less accurate than all "
            "others and never meet a floor."
        )
    return lines


def _sample_caveats(found: Sequence[Choice], asked: Requirements) -> list[str]:
    needed = least_count(asked.percentile)
    fewest = min(
        (min(it.count for it in choice.calls.values()) for choice in found), default=needed
    )
    if fewest >= needed:
        return []
    return [
        f"A p{asked.percentile:g} takes {needed:,} calls to claim, some options have {fewest:,}: "
        "their slowest calls may not have been seen. Measure longer: stride bench without --quick."
    ]
