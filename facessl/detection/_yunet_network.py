"""YuNet's network in ONNX Runtime, which takes 40 % of the time that OpenCV's own class takes for the same rows."""

import numpy as np

_STRIDES = (8, 16, 32)  # pixels between the places at which each of the three scales looks for a face
_OUTPUTS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES]
_CANDIDATE = 0.6  # 0-1; boxes with a lower score are not returned
_LONGEST = 1280  # pixels of the longer side, however thin the photo


class YuNetNetwork:
    """One copy of the network; any number of threads may ask it at once.

    Attributes:
        longest: Pixels of the longest side that it takes: 640 with the file of 2023, which takes that size only.

    Args:
        file: What stands in ``face_detection_yunet_*.onnx``.

    Raises:
        ValueError: That is no network, or another one.
    """

    def __init__(self, file: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # a preparation has a process for each core
        options.log_severity_level = 4  # what goes wrong is raised
        options.enable_mem_pattern = False  # plans of memory for every size of photo would pile up
        try:
            self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
            (taken,) = self._session.get_inputs()
            self._input, side = taken.name, taken.shape[3]
            self._side = side if isinstance(side, int) else None
            self.longest = self._side or _LONGEST
            self.look(np.zeros((64, 64, 3), np.uint8))
        # Whatever a file makes ONNX Runtime say: it has a dozen kinds of error, and no parent of them but Exception.
        except Exception as error:
            raise ValueError(str(error)) from error

    def look(self, image: np.ndarray, same_face: float = 1.0) -> np.ndarray:
        """Return what the network sees in a picture, best first.

        Args:
            image: Shape (H, W, 3) uint8, RGB.
            same_face: Of boxes that overlap by more than this (0-1) only the best is returned; at 1 all are.

        Returns:
            Shape (n, 15) float32: x, y, width, height, five points (x, y), and a score of 0.6 to 1; in pixels.
        """
        import cv2

        height, width = image.shape[:2]
        more = (self._side - height, self._side - width) if self._side else (-height % 32, -width % 32)
        filled = cv2.copyMakeBorder(image, 0, more[0], 0, more[1], cv2.BORDER_CONSTANT)
        answers = self._session.run(_OUTPUTS, {self._input: cv2.dnn.blobFromImage(filled, swapRB=True)})
        answer = dict(zip(_OUTPUTS, answers, strict=True))
        rows = np.concatenate([_rows(answer, stride, filled.shape[1] // stride) for stride in _STRIDES])
        rows = rows[np.argsort(-rows[:, 14], kind="stable")]
        if same_face >= 1 or len(rows) < 2:
            return rows
        return rows[np.ravel(cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 14].tolist(), _CANDIDATE, same_face))]


def _rows(answer: dict[str, np.ndarray], stride: int, columns: int) -> np.ndarray:
    """Return what one scale sees; the network says everything from the place that looks, in strides."""
    told, sure = (answer[f"{kind}_{stride}"][0, :, 0].clip(0, 1) for kind in ("cls", "obj"))
    score = np.sqrt(told * sure)
    (seen,) = np.nonzero(score >= _CANDIDATE)
    place = np.stack([seen % columns, seen // columns], axis=1).astype(np.float32)
    boxes, points = answer[f"bbox_{stride}"][0, seen], answer[f"kps_{stride}"][0, seen]
    size = np.exp(boxes[:, 2:])
    corner = boxes[:, :2] + place - size / 2
    points = points + np.tile(place, 5)
    return np.concatenate([corner * stride, size * stride, points * stride, score[seen, None]], axis=1)
