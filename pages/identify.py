"""Identify: find every face of a photo and say who it is, or that it is nobody known, with the evidence."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from facessl.dataset import FaceDataset
from facessl.images import read_image
from facessl.recognition import FaceAnswer
from facessl.run import Run
from pages._shared.backend import studio
from pages._shared.widgets import empty_state, face_grid, page_title, pick_run, shown_errors
from pages._shared.words import count, percent, plain

if TYPE_CHECKING:
    from facessl.gallery import Answer, Gallery


@dataclass(frozen=True)
class Asked:
    """A photo to identify, and who is on it where the page drew it itself."""

    image: np.ndarray  # (H, W, 3) uint8
    person: str = ""
    stranger: bool = False  # whether the model never met the person


_RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_SHOWN_WIDTH = 1280  # a photo is sent to the browser no wider than this
_WAYS = {"upload": "Upload a photo", "camera": "Take a photo", "sample": "Try a sample"}


def main() -> None:
    page_title(
        "Identify", "Who is on a photo? Each face gets a name, or *unknown* where nobody known is enough like it."
    )
    models = [run for run in studio().models() if (run.path / "gallery.npz").exists()]
    run = pick_run(models, "Model", key="identify-run")
    if run is None:
        empty_state(
            "No model knows anybody yet. Pre-train or fine-tune one on a set with named people.",
            page="pages/finetune.py", link="Open Fine-tune",
        )  # fmt: skip
        return
    with shown_errors():
        dataset = studio().dataset(run.config["recipe"]["dataset"])
        left, right = st.columns([2, 3], gap="large")
        with left:
            asked = choose_photo(run, dataset)
        with right:
            rate = rate_slider(run)
            if asked is None:
                return
            with st.spinner("Looking for faces."):
                answers = studio().identify(run.id, asked.image, rate)
            show_answers(dataset, answers)
        with left:
            show_photo(asked, answers)


# -- what is asked -----------------------------------------------------------------------------------------------


def rate_slider(run: Run) -> float:
    """Let the false-accept rate be chosen, and say which threshold follows and what it rests on."""
    known = studio().gallery(run.id)
    rate: float = st.select_slider(
        "Strangers taken for somebody known, about", _RATES, value=0.01, key="identify-rate", persist_state="session",
        format_func=lambda share: f"{share * 100:g} %", help="The false-accept rate. Lower says *unknown* more often.",
    )  # fmt: skip
    threshold, impostors = known.threshold(rate), len(known.impostors)
    text = (
        f"{count(len(known.people), 'person is', 'people are')} known. The threshold is a similarity of "
        f"**{threshold:.3f}**; it follows from {count(impostors, 'impostor')} of the `val` split."
    )
    let_in = known.accepted(rate)
    if not let_in:
        text += f" They are too few to measure {rate * 100:g} %, so it lies just above the most similar one."
    else:
        text += f" It lets {let_in} of them through ({percent(let_in / impostors)})."
    st.caption(text)
    with st.expander("What the threshold rests on", icon=":material/rule:"):
        threshold_evidence(run, known, threshold)
    return rate


def threshold_evidence(run: Run, known: "Gallery", threshold: float) -> None:
    """Show how similar impostors and the right people score, and how known people fared on test photos."""
    from facessl import figures

    st.plotly_chart(
        figures.impostor_histogram(known.impostors, known.genuine, threshold), key="identify-histogram",
        config={"displayModeBar": False}, alt="Similarities of strangers and of the right person, with the threshold",
    )  # fmt: skip
    st.caption("An impostor is a `val` face compared with everybody but its own person: what a stranger would score.")
    measured = (run.result() or {}).get("identification", {})
    known_people, strangers = measured.get("known", {}), measured.get("strangers", {})
    if known_people.get("photos"):
        st.caption(
            f"Measured at 1 % on {count(known_people['photos'], measured.get('split', 'test') + ' photo')} of known "
            f"people: "
            f"{percent(known_people['right'])} named rightly, {percent(known_people['wrong'])} taken for somebody "
            f"else, {percent(known_people['unknown'])} called unknown."
        )
    if strangers.get("photos"):
        st.caption(
            f"On {count(strangers['photos'], 'photo')} of strangers: {percent(strangers['unknown'])} called unknown."
        )


def choose_photo(run: Run, dataset: FaceDataset) -> Asked | None:
    """Return the photo that was uploaded, taken or drawn, or None as long as there is none."""
    ways = [way for way in _WAYS if way != "sample" or dataset.info["recipe"]["source"] == "synthetic"]
    way: str = st.segmented_control(
        "Photo", ways, default=ways[-1] if "sample" in ways else "upload", required=True, key="identify-way",
        format_func=_WAYS.__getitem__, persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    if way == "sample":
        return sample(run)
    # The camera is only asked for once somebody wants it: drawing its widget switches it on.
    given = st.camera_input("Camera") if way == "camera" else st.file_uploader(
        "A photo with one face or several", key="identify-upload", help="JPEG, PNG, WEBP, AVIF, BMP, TIFF or GIF.",
        type=["jpg", "jpeg", "png", "webp", "avif", "bmp", "tif", "tiff", "gif"],
    )  # fmt: skip
    if way == "camera" and given is None:
        st.caption("The camera works over https or on this machine itself; elsewhere, upload a photo.")
    return None if given is None else Asked(read_image(given.getvalue()))


def sample(run: Run) -> Asked | None:
    """Draw a new photo of somebody known, or of a stranger; the model was trained on neither."""
    with st.container(horizontal=True):
        known = st.button("Somebody known", icon=":material/person:", key="identify-known")
        stranger = st.button("A stranger", icon=":material/person_off:", key="identify-stranger")
    if known or stranger:
        _, seed = st.session_state.get("identify-sample", (False, -1))
        st.session_state["identify-sample"] = (stranger, seed + 1)
    if "identify-sample" not in st.session_state:
        st.caption("A new photo, which no model has seen: of somebody in this set, or of somebody left out of it.")
        return None
    is_stranger, seed = st.session_state["identify-sample"]
    drawn = studio().sample(run.id, stranger=is_stranger, seed=seed)
    return Asked(*drawn, stranger=is_stranger) if drawn else None


# -- what is answered --------------------------------------------------------------------------------------------


def show_photo(asked: Asked, answers: list[FaceAnswer]) -> None:
    """Show the photo with its faces numbered and, of a drawn one, whether the answer is right."""
    st.image(with_boxes(asked.image, answers), width="stretch", output_format="JPEG", alt="The photo, its faces framed")
    if asked.person and len(answers) == 1:
        verdict, colour, sentence = judged(asked, answers[0].answer.person)
        st.markdown(f":{colour}-badge[{verdict}] {sentence}")
    elif asked.person:
        st.markdown(f"Really: **{plain(asked.person)}**.")


def judged(asked: Asked, person: str | None) -> tuple[str, str, str]:
    """Return whether the answer is right in a word, the word's colour, and what it should have been."""
    name = f"Really: **{plain(asked.person)}**"
    if asked.stranger and person is None:
        return "Right", "green", f"{name}, whom this model never met, so *unknown* is the answer."
    if asked.stranger:
        return "Wrong", "red", f"{name}, whom this model never met, so nobody should have been named."
    if person is None:
        return "Not recognised", "orange", f"{name}, who is known, but not alike enough at this threshold."
    return ("Right", "green", f"{name}.") if person == asked.person else ("Wrong", "red", f"{name}.")


def show_answers(dataset: FaceDataset, answers: list[FaceAnswer]) -> None:
    """Show who each face is and why, in the numbers of the photo."""
    if not answers:
        no_face()
    for number, answer in enumerate(answers, start=1):
        with st.container(border=True):
            show_answer(dataset, number, answer)


def no_face() -> None:
    st.info("No face was found on this photo.", icon=":material/face_retouching_off:")
    st.markdown(
        "A face is found best when it looks towards the camera, is not covered, is well lit and at least "
        "60 pixels wide. Turn a photo that lies on its side, or cut it closer to the face."
    )


def show_answer(dataset: FaceDataset, number: int, answered: FaceAnswer) -> None:
    """Say who one face is, how sure that is, and which known photos say so."""
    from facessl import figures

    found, answer = answered.found, answered.answer
    with st.container(horizontal=True, vertical_alignment="center"):
        st.image(found.crop, width=96, output_format="JPEG", alt=f"Face {number}")
        with st.container(width="stretch", gap="xxsmall"):
            st.markdown(f"### {number} · {plain(answer.person) if answer.person else 'Unknown'}")
            st.markdown(reason(answer))
    if answer.candidates:
        st.plotly_chart(
            figures.similarity_bars(answer.candidates, answer.threshold), key=f"identify-bars-{number}",
            config={"displayModeBar": False}, alt="Similarity of the three likeliest people, and the threshold",
        )  # fmt: skip
    if answer.nearest:
        st.caption("The nearest known photos")
        face_grid(
            [np.asarray(dataset.faces[face]) for face, _, _ in answer.nearest],
            [f"{name} {similarity:.2f}" for _, name, similarity in answer.nearest], width=112,
        )  # fmt: skip
    if found.opinion:
        opinion = ", ".join(f"{plain(name)} {percent(share, 0)}" for name, share in found.opinion)
        st.caption(f"The classifier, which cannot say unknown, would answer: {opinion}.")


def reason(answer: "Answer") -> str:
    """Return the answer's figures in a sentence."""
    if not answer.candidates:
        return "Nobody is known yet."
    # Two figures that differ must not look the same.
    digits = 3 if f"{answer.similarity:.3f}" != f"{answer.threshold:.3f}" else 5
    similarity, threshold = f"{answer.similarity:.{digits}f}", f"{answer.threshold:.{digits}f}"
    if answer.person:
        return f"Similarity **{similarity}**, above the threshold of {threshold}."
    nearest = plain(answer.candidates[0][0])
    return f"The nearest is {nearest} with **{similarity}**, below the threshold of {threshold}, so nobody is named."


def with_boxes(image: np.ndarray, answers: list[FaceAnswer]) -> np.ndarray:
    """Return the photo, no wider than a screen, with a numbered frame around each face."""
    import cv2

    scale = min(1.0, _SHOWN_WIDTH / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    drawn = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image.copy()
    line = max(2, round(max(drawn.shape[:2]) / 300))
    for number, answered in enumerate(answers, start=1):
        x, y, width, height = (round(float(v) * scale) for v in answered.found.face.box)
        colour = (64, 190, 130) if answered.answer.person else (240, 160, 60)
        cv2.rectangle(drawn, (x, y), (x + width, y + height), colour, line, cv2.LINE_AA)
        label = str(number)
        (w, h), base = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, line / 3, line)
        top = max(0, y - h - base - line)
        cv2.rectangle(drawn, (x, top), (x + w + 2 * line, top + h + base + line), colour, -1)
        cv2.putText(drawn, label, (x + line, top + h + line), cv2.FONT_HERSHEY_SIMPLEX, line / 3, (20, 20, 20), line,
                    cv2.LINE_AA)  # fmt: skip
    return drawn


if __name__ == "__main__":
    main()
