"""The 29 facial features of OpenFace, in the order that every stream, file and bundle of ours uses.

Gaze vectors are unit vectors, positions are millimetres, rotations radians, action-unit intensities
0 to 5 (Baltrusaitis et al. 2018, doi:10.1109/FG.2018.00019).
"""

FACE_FEATURES: tuple[str, ...] = (
    *("gaze_0_x", "gaze_0_y", "gaze_0_z", "gaze_1_x", "gaze_1_y", "gaze_1_z"),
    *("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"),
    *("AU01_r", "AU02_r", "AU04_r", "AU05_r", "AU06_r", "AU07_r", "AU09_r", "AU10_r", "AU12_r"),
    *("AU14_r", "AU15_r", "AU17_r", "AU20_r", "AU23_r", "AU25_r", "AU26_r", "AU45_r"),
)

FRAME_QUALITY: tuple[str, ...] = ("confidence", "success")
"""Two further channels of a face stream: the tracker's confidence in [0, 1] and success 0 or 1."""

EXTRACTOR = "processing.extractor"
"""Key under which a stream's description says what made the features."""

MARK = "rtaffect_extractor"
"""Column of a CSV file that says that we made it; OpenFace's files have none."""

MIN_CONFIDENCE = 0.8
"""Below this a frame is no measurement, whatever its numbers say."""
