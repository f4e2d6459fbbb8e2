"""What S1 says in words: does transfer beat SimCLR, why 20 %, what of their loss, and what could not be helped."""

from collections.abc import Mapping

from facessl.studies import _plain
from facessl.studies import _published as published
from facessl.studies import _why as why
from facessl.studies._cells import accuracy, curve, finished, percent, reached, said, who_wins
from facessl.studies._s1_report import OURS, more_people_than
from facessl.studying import Done


def sentences(done: Mapping[str, Done], left_out: Mapping[str, str]) -> list[str]:
    """Return the answer in words: does transfer beat SimCLR, why 20 %, what of their loss."""
    beside = _plain.beside({name: {0: done[key]} for key, name in OURS.items() if key in done})
    return [*_survives(done, left_out), *why.sentence(done), *beside, *_as_published(done), *_loss(done)]


def _survives(done: Mapping[str, Done], left_out: Mapping[str, str]) -> list[str]:
    """Return whether "transfer beats SimCLR" survives; that cannot be said without ImageNet weights."""
    if finished(done, "imagenet-tuned", "simclr-tuned"):
        return [
            _verdict(
                done, "imagenet-tuned", "simclr-tuned", "both fine-tuned, from a linear layer fitted on the embedding"
            )
        ]
    if finished(done, "nothing-embedding", "simclr-tuned"):
        known = "cannot be said here without ImageNet weights"
        if "imagenet-tuned" not in left_out:  # they are here, or were never looked for
            known = "is not known yet: what begins with ImageNet weights is not done"
        return [
            f"Whether transfer beats SimCLR {known}. What S1 called transfer was a network from nothing: "
            + _verdict(
                done,
                "nothing-embedding",
                "simclr-tuned",
                f"“{OURS['nothing-embedding']}” and “{OURS['simclr-tuned']}”, both begun as a linear layer fitted on "
                "the embedding, then all layers trained with names",
            )
        ]
    return []


def _verdict(done: Mapping[str, Done], rival: str, simclr: str, how: str) -> str:
    rivals, ours = reached(done[rival]), reached(done[simclr])
    assert rivals is not None and ours is not None
    name = "“Transfer beats SimCLR”" if rival == "imagenet-tuned" else "“It beats SimCLR”"
    p, real = who_wins(done[rival], done[simclr])
    ahead = rivals["share"] > ours["share"]
    verdict = ("survives" if ahead else "does not survive") if real else "is not decided"
    why_not = "" if real else ": the difference can be chance"
    return (
        f"{name} {verdict} on this set: {said(rivals)} against {said(ours)} of {ours['photos']:,} test photos "
        f"({how}; one seed, McNemar p = {p:.2g}{why_not})."
    )


def _as_published(done: Mapping[str, Done]) -> list[str]:
    if not finished(done, "notebook", "notebook-classifier"):
        return []
    simclr, classifier = (
        said(accuracy(found["epochs"][-1]["top1"], found["photos"], found["split"], ""))
        for found in (done[key].result for key in ("notebook", "notebook-classifier"))
    )
    rest = done["notebook"].result["argmax"]
    return [
        f"Done as S1 did it, this set gives SimCLR {simclr} (the same network as the {percent(rest)} above, "
        "judged as S1 judged it: with batch norm as while training, and as the mean over batches) and the classifier "
        f"{classifier}; S1 printed {published.SIMCLR_TOP1[-1]} % and {published.CLASSIFIER_TOP1[-1]} %. The "
        "two were not asked the same question: one learnt from names, the other's axes were never told of any."
    ]


def _loss(done: Mapping[str, Done]) -> list[str]:
    if "notebook" not in done or not done["notebook"].result["epochs"]:
        return []
    last = done["notebook"].result["epochs"][-1]
    return [
        f"The loss that S1 printed is that of an epoch's last batch, which held {published.LAST_BATCH} pictures "
        f"(knowing nothing costs ln {published.LAST_BATCH} = 2.48 there, and ln 64 = 4.16 in a full one). Here the "
        f"last batch of {last['last_batch']} gives {last['last_loss']:.3f}, the mean over all is {last['loss']:.3f}."
    ]


def caveats(done: Mapping[str, Done]) -> list[str]:
    """Return what was otherwise than in S1 and could not be helped."""
    from facessl.studies._crops import FROM_FACES, FROM_PHOTOS, TOO_FEW  # with OpenCV, which a form must not wait for

    found = []
    if "notebook" in done:
        result = done["notebook"].result
        if result["start"] == "nothing":
            found.append("S1's SimCLR began with ImageNet weights; they are not here, so as they did it began from "
                         "nothing as well.")  # fmt: skip
        if result["crops"] == FROM_PHOTOS:
            found.append(f"As they did it looked at {result['photos_seen']:,} photos and kept each of the "
                         f"{result['faces_seen']:,} boxes that Haar found in them, also what is no face.")  # fmt: skip
        if result["crops"] == TOO_FEW:
            found.append("In the photos of this set S1's own Haar detection finds too few faces to split, so the grey "
                         "crops of as they did it are the set's own, aligned ones.")  # fmt: skip
        if result["crops"] == FROM_FACES:
            found.append("The photos that this set was made of cannot be read any more, so the grey crops of as they "
                         "did it are the set's own, aligned ones.")  # fmt: skip
    if "simclr-tuned" in done and more_people_than(3, done) and not curve(done["simclr-tuned"], "val_top3")[0]:
        found.append("The fine-tuning is of an earlier version, which measured top-1 alone after each epoch; its top-3 "
                     "and top-5 are those at the end, on test.")  # fmt: skip
    return found
