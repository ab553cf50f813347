"""`deepernets bench`: compare the speed of training on this machine with that of a plain loop."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from deepernets.cli.options import Flag
from deepernets.cli.terminal import align, terminal_width, wrap

if TYPE_CHECKING:
    from deepernets.benchmark.run import Benchmark

app = App()


@app.command
def bench(  # noqa: PLR0913, one parameter per option
    networks: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    /,
    *,
    batch_size: int = 128,
    steps: int = 8,
    rounds: int = 3,
    precision: Literal["auto", "bf16", "fp32"] = "auto",
    device: str = "auto",
    every_step: Flag = False,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    chart: Path | None = None,
) -> None:
    """Compare the speed of our training loop with that of a plain one; both are timed in turns.

    Args:
        networks: Networks that take images of 3 × 32 × 32; without any, four that the reports trained.
        batch_size: Images per step.
        steps: Steps of a turn that are timed.
        rounds: Turns of each variant.
        precision: Precision of our loop; auto takes bf16 where the hardware has units for it.
        device: What to train on, such as cpu, cuda, cuda:1 or mps; auto takes a GPU if there is one.
        every_step: Time the variants between the plain loop and ours as well, each of which adds one change, and,
            if there is a C++ compiler, ours compiled.
        json_file: File for the figures.
        chart: File for a figure of them, as PNG.
    """
    from deepernets.benchmark import run, variants
    from deepernets.files import require_writable, write_text
    from deepernets.progress import tqdm
    from deepernets.training import distributed

    for file, option in ((json_file, "--json"), (chart, "--chart")):
        if file:
            require_writable(file, option)
    distributed.use_device(device)
    size = variants.Size(batch_size, steps, rounds)
    names = networks or run.NETWORKS
    measured = variants.available_variants() if every_step else variants.DEFAULT_VARIANTS
    with tqdm(total=len(names) * len(measured) * size.rounds, unit="turn") as bar:
        benchmark = run.run(names, size, precision, measured, bar.update)
    _print(benchmark)
    if json_file:
        write_text(json_file, json.dumps(benchmark.as_dict(), indent=1, ensure_ascii=False) + "\n")
        print(json_file)
    if chart:
        from deepernets.plots import performance, save

        spent = {
            f"{row.network}, {row.way}": {phase: ms / 1000 for phase, ms in row.milliseconds.items()}
            for row in benchmark.measurements
        }
        print(save(performance.phase_times(spent), chart))


def _print(benchmark: "Benchmark") -> None:
    from deepernets.papers.datasets import DATASETS
    from deepernets.recipes import get_recipe
    from deepernets.training.timing import PHASES

    peaks = ", ".join(
        f"{peak / 1e9:,.0f} ({name})" for name, peak in benchmark.multiply_adds_per_second.items()
    )
    print(wrap(f"{benchmark.machine}, {benchmark.date}, batches of {benchmark.size.batch_size}"))
    print(wrap(f"multiplying matrices, it reaches in billions of multiply-adds per second: {peaks}"))
    times, speeds = [["ms per image", "", "", *PHASES, "all"]], [["", "", "", "images/s", "MB", "of peak"]]
    for row in benchmark.measurements:
        variant = [row.network, row.way, row.precision]
        spent = [*(row.milliseconds[phase] for phase in PHASES), sum(row.milliseconds.values())]
        times.append([*variant, *(f"{time:.3f}" for time in spent)])
        others = [f"{row.images_per_second:,.0f}", f"{row.peak_memory:,.0f}", f"{row.share_of_peak:.1%}"]
        speeds.append([*variant, *others])
    for rows in (times, speeds):
        print(f"\n{align(rows, left=3, width=terminal_width())}")
    print()
    for network in dict.fromkeys(row.network for row in benchmark.measurements):
        print(f"{network}: ours is {benchmark.ratio(network):.2f} times as fast as the plain loop")
    report = get_recipe("report-a/vgg-16/as-reported")
    for row in benchmark.measurements:
        if row.network == report.model and row.way == "ours":
            images = report.epochs * DATASETS[report.data].train_images
            minutes = images / row.images_per_second / 60
            print(f"\nOn this machine report A's VGG-16 takes about {minutes:.0f} minutes.")
