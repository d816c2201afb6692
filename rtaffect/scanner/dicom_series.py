"""DICOM files as they come make volumes of one series after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rtaffect.config.scanner_inputs import DicomSettings
from rtaffect.scanner.acquired import Acquired, Refused, RunEnd, Volume
from rtaffect.scanner.dicom import read_image
from rtaffect.scanner.dicom_image import DicomImage, Slice, Stack
from rtaffect.scanner.dicom_slices import SliceGatherer
from rtaffect.scanner.dicom_times import SeriesTimes
from rtaffect.scanner.folder import State
from rtaffect.scanner.notes import Notes

MOCO = "MOCO"
PHASE = "P"  # of a complex image, in the third word of ImageType or later


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DicomFile:
    """A file and when it came."""

    image: DicomImage
    t_arrival: float
    state: State = State.WHOLE


@dataclass(slots=True)
class _Series:
    rank: int  # in which order series began
    times: SeriesTimes = field(default_factory=SeriesTimes)
    gatherer: SliceGatherer = field(default_factory=SliceGatherer)
    echoes: set[int] = field(default_factory=set)


class DicomReader:
    """Reads DICOM files, see `rtaffect.scanner.folder.FileReader`.

    A series is a run, and the next one ends it. What the scanner sends twice, before and after its
    own motion correction, are two series at the same time: the settings say which is taken.

    Nothing is read that is about a person, and names of files, which may be, are not shown.

    Parameters
    ----------
    settings : DicomSettings
        Which series and which echo to take.
    """

    def __init__(self, settings: DicomSettings) -> None:
        import pydicom  # noqa: F401 - takes its time, and the first volume has none

        self._settings = settings
        self._notes = Notes()
        self._series: dict[str, _Series] = {}
        self._open = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, what is missing, what the files left unclear."""
        return self._notes.texts

    def shown(self, path: Path) -> str:
        """Return what may be shown of a file: scanners put the person's name into its name."""
        return f"A file {path.suffix or 'without a suffix'}"

    def forget(self, path: Path) -> None:
        """Know nothing of single files."""

    def read(self, path: Path, t_arrival: float) -> DicomFile:
        """Return what a file holds; see `FileReader.read`."""
        image = read_image(path, n_slices=self._settings.n_slices)
        return DicomFile(image=image, t_arrival=t_arrival)

    def gather(self, files: Sequence[DicomFile]) -> list[Acquired]:
        """Return the volumes that these files complete; see `FileReader.gather`."""
        taken = [file for file in files if self._is_wanted(file.image)]
        for file in taken:
            name = file.image.series.name
            self._series.setdefault(name, _Series(rank=len(self._series)))
        taken.sort(key=lambda f: (self._series[f.image.series.name].rank, f.image.instance))
        return [item for file in taken for item in self._acquired(file)]

    def _is_wanted(self, image: DicomImage) -> bool:
        series, chosen = image.series, self._settings.series
        left_out = ""
        if PHASE in series.kinds[2:]:
            left_out = "holds phases, not magnitudes"
        elif chosen == "original" and MOCO in series.kinds:
            left_out = "is the scanner's own motion correction of another"
        elif chosen == "moco" and MOCO not in series.kinds:
            left_out = "is not motion corrected"
        elif self._settings.echo is not None and image.echo != self._settings.echo:
            return False
        if left_out:
            self._notes.say(f"Series {series.name} {left_out}: left out (series: {chosen}).")
        return not left_out

    def _acquired(self, file: DicomFile) -> list[Acquired]:
        image = file.image
        name, series = image.series.name, self._series[image.series.name]
        series.echoes.add(image.echo)
        if len(series.echoes) > 1:
            echoes = ", ".join(map(str, sorted(series.echoes)))
            return [_refused(file, f"has the echoes {echoes}, and one must be chosen: set echo.")]
        arrived = self._turn_to(name, file.t_arrival)
        if self._open != name:
            reason = (
                f"is over since series {self._open} began. Where the scanner sends each volume "
                "twice, set series: original or moco, or export one of the two."
            )
            return [_refused(file, reason)]
        for remark in image.remarks:
            self._notes.say(f"Series {name} {remark}")
        if isinstance(image.content, Slice):
            stacks, problems = series.gatherer.add(image.instance, image.content, image.tr_s)
            arrived += [_refused(file, f"is damaged. {problem}") for problem in problems]
            return arrived + [self._volume(file, stack, stack.number) for stack in stacks]
        for stack in image.content:
            number = image.instance if self._settings.echo is None else image.acquisition
            index = stack.number if len(image.content) > 1 else number - 1
            if index < 0:
                arrived.append(_refused(file, "has a volume without a number (0020,0013)."))
            else:
                arrived.append(self._volume(file, stack, index))
        return arrived

    def _turn_to(self, name: str, t_arrival: float) -> list[Acquired]:
        """Open a series that began after the open one; return the end of that."""
        ended: list[Acquired] = []
        if not self._open or self._settings.series == "all":
            is_new = not self._open
        else:
            is_new = self._series[name].rank > self._series[self._open].rank
            ended = [RunEnd(run=self._open, t_arrival=t_arrival)] if is_new else []
        if is_new or self._settings.series == "all":
            self._open = name
        return ended

    def _volume(self, file: DicomFile, stack: Stack, index: int) -> Volume:
        name, tr_s = file.image.series.name, file.image.tr_s
        start_s, remark = self._series[name].times.start_of(index, stack.t_start_s, tr_s)
        if remark:
            self._notes.say(f"Series {name} {remark}")
        return Volume(
            data=stack.data,
            affine=stack.affine,
            index=index,
            run=name,
            tr_s=tr_s,
            t_acq=start_s + stack.to_middle_s,
            t_arrival=file.t_arrival,
        )


def _refused(file: DicomFile, reason: str) -> Refused:
    return Refused(reason=f"Series {file.image.series.name} {reason}", t_arrival=file.t_arrival)
