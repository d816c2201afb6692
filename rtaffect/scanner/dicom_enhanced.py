"""Enhanced images: frames that are slices, each described in a sequence of its own."""

import math

import numpy as np

from rtaffect.core.errors import ScannerError
from rtaffect.scanner import dicom_tags as tags
from rtaffect.scanner.dicom_geometry import affine_of, directions, order_of
from rtaffect.scanner.dicom_image import Stack, to_middle
from rtaffect.scanner.dicom_tags import DicomTags
from rtaffect.scanner.dicom_voxels import frames_of, values_of


def stacks_of(found: DicomTags, tr_s: float) -> tuple[Stack, ...]:
    """Return the volumes of a file whose frames are slices, each with its own description."""
    rows, columns = found.whole(tags.ROWS, default=0), found.whole(tags.COLUMNS, default=0)
    groups = list(found.items(tags.FRAME_GROUPS))
    n_frames = found.whole(tags.NUMBER_OF_FRAMES, default=0)
    if not groups or len(groups) != n_frames:
        msg = f"Each of {n_frames} frames must be described; {len(groups)} are."
        raise ScannerError(msg)
    shared = list(found.items(tags.SHARED_GROUPS))

    def of(frame: int, group: int, tag: int) -> tuple[float, ...]:
        for level in (groups[frame], *shared):
            for item in level.items(group):
                if numbers := item.numbers(tag):
                    return numbers
        return ()

    volumes: dict[int, list[int]] = {}
    for i in range(n_frames):
        index = of(i, tags.FRAME_CONTENT, tags.TEMPORAL_INDEX)
        volumes.setdefault(int(index[0]) if index else 1, []).append(i)
    n_planes = len(next(iter(volumes.values())))
    if any(len(frames) != n_planes for frames in volumes.values()):
        msg = (
            f"All volumes of a file must have the same number of slices, as the first: {n_planes}."
        )
        raise ScannerError(msg)
    planes = frames_of(found, (columns, rows, n_planes), n_volumes=len(volumes))
    stacks: list[Stack] = []
    for number in sorted(volumes):
        frames = volumes[number]
        orientation = of(frames[0], tags.PLANE_ORIENTATION, tags.ORIENTATION)
        positions = np.array([of(i, tags.PLANE_POSITION, tags.POSITION) for i in frames])
        order, step = order_of(positions.reshape(len(frames), 3), orientation)
        frames = [frames[i] for i in order]
        if len(frames) == 1:
            gap = of(frames[0], tags.PIXEL_MEASURES, tags.SLICE_THICKNESS) or (math.nan,)
            step = np.cross(*directions(orientation)) * gap[0]
        slopes = [of(i, tags.PIXEL_VALUES, tags.RESCALE_SLOPE) or (1.0,) for i in frames]
        inters = [of(i, tags.PIXEL_VALUES, tags.RESCALE_INTERCEPT) or (0.0,) for i in frames]
        times = [
            item.seconds(tags.FRAME_TIME)
            for i in frames
            for item in groups[i].items(tags.FRAME_CONTENT)
        ]
        times = [time for time in times if time >= 0]
        start_s = min(times, default=found.seconds(tags.ACQUISITION_DATE_TIME))
        stacks.append(
            Stack(
                data=values_of(
                    planes[frames].transpose(2, 1, 0),
                    np.array([slope[0] for slope in slopes]),
                    np.array([inter[0] for inter in inters]),
                ),
                affine=affine_of(
                    orientation,
                    of(frames[0], tags.PIXEL_MEASURES, tags.PIXEL_SPACING),
                    tuple(positions[order[0]]),
                    step,
                ),
                number=number - min(volumes),
                t_start_s=start_s,
                to_middle_s=to_middle([time - start_s for time in times], tr_s),
            )
        )
    return tuple(stacks)
