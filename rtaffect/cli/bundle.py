"""``rtaffect bundle``: what a model is, and whether its files are what it says."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rtaffect.bundle import Bundle
    from rtaffect.core.spec import ModalitySpec

app = typer.Typer(
    no_args_is_help=True,
    help="Look into model bundles: what they want, what they answer, how well they do.",
)

Which = Annotated[str, typer.Argument(help="Name of a shipped bundle, or path of a folder.")]


@app.command()
def show(
    bundle: Annotated[
        str | None, typer.Argument(help="Name of a shipped bundle, or path of a folder.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The manifest as it is, for programs.")
    ] = False,
) -> None:
    """Show what a model wants and answers; without a name, list those that ship.

    Example: rtaffect bundle show prior-dfcn-eeg
    """
    from rtaffect.bundle import find_bundle, load_bundle, shipped_bundles

    if bundle is None:
        for name, path in shipped_bundles().items():
            typer.echo(f"{name:24} {load_bundle(path).manifest.title}")
        return
    loaded = load_bundle(find_bundle(bundle))
    if as_json:
        typer.echo(loaded.manifest.model_dump_json(indent=2))
    else:
        _describe(loaded)


@app.command()
def verify(bundle: Which) -> None:
    """Check every file of a model against its manifest, and load it.

    Example: rtaffect bundle verify runs/my-model
    """
    from rtaffect.bundle import find_bundle, load_bundle
    from rtaffect.decode.session import GraphRunner

    loaded = load_bundle(find_bundle(bundle))
    for role, graph in loaded.manifest.graphs.by_role.items():
        content = loaded.read_graph(graph)
        GraphRunner(content, name=graph.file, provider="cpu")
        typer.echo(
            f"{role:8} {graph.file}  {len(content) / 1024:.0f} KiB  sha256 {graph.sha256[:16]}  ok"
        )
    typer.echo(f"{loaded.manifest.name} is whole (digest {loaded.digest[:16]}).")


def _describe(bundle: "Bundle") -> None:
    from rich.console import Console
    from rich.table import Table

    from rtaffect.core.spec import GRID

    manifest, console = bundle.manifest, Console(highlight=False)
    console.print(manifest.title, style="bold", markup=False)
    if manifest.simulated:
        console.print(
            "Trained on simulated participants: it says nothing about people.", style="yellow"
        )
    if manifest.training.leaky:
        console.print(
            "LEAKY: test data took part in its making; its numbers are not to be believed.",
            style="bold red",
        )
    console.print(manifest.description, markup=False)
    windows, slices = manifest.windows, manifest.slices
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_row("folder", str(bundle.path))
    table.add_row("digest", bundle.digest)
    table.add_row("licence", manifest.licence)
    table.add_row(
        "looks back",
        f"{slices.t_min} to {slices.t_max} windows of {windows.window_s:g} s, "
        + (
            f"every {windows.hop_s:g} s"
            if windows.closes == GRID
            else f"at each frame of {windows.closes} (about every {windows.hop_s:g} s)"
        ),
    )
    if windows.lag_s > 0:
        table.add_row("speaks of", f"{windows.lag_s:g} s before: blood flow is slow")
    for modality, spec in windows.modalities.items():
        table.add_row(modality, _wants(spec))
    if manifest.rest is not None:
        need = "needed" if manifest.rest.required else "may be missing"
        table.add_row(
            "baseline", f"{manifest.rest.min_windows} clean windows at rest or more, {need}"
        )
    for name, target in manifest.targets.items():
        table.add_row(name, f"{', '.join(target.classes)} (skill {target.skill:.2f})")
        for metric, measured in manifest.training.metrics.get(name, {}).items():
            interval = (
                f"  [{measured.ci_low:.2f}, {measured.ci_high:.2f}]"
                if measured.ci_low is not None and measured.ci_high is not None
                else ""
            )
            table.add_row("", f"{metric} {measured.value:.3f}{interval}")
    table.add_row("made by", manifest.training.command)
    console.print(table)


def _wants(spec: "ModalitySpec") -> str:
    from rtaffect.cli.choosing import listed
    from rtaffect.core.spec import RoiSpec, SignalSpec, VolumeSpec

    need = "may be missing" if spec.optional else "needed"
    if isinstance(spec, VolumeSpec):
        shape = " x ".join(map(str, spec.shape))
        return f"volumes on a grid of {shape} voxels at {spec.sfreq:g} Hz, {need}"
    unit = f" in {spec.unit}" if spec.unit else ""
    names = listed(spec.ch_names)
    kind = "regions" if isinstance(spec, RoiSpec) else "channels"
    bands = ""
    if isinstance(spec, SignalSpec) and spec.bands_hz:
        edges = (f"{name} {low:g}-{high:g}" for name, (low, high) in spec.bands_hz.items())
        bands = f", filtered into {', '.join(edges)} Hz"
    return f"{len(spec.ch_names)} {kind}{unit} at {spec.sfreq:g} Hz{bands}, {need}: {names}"
