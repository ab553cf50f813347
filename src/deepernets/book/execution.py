"""Execute the book's pages into the cache of Jupyter Book: ``python -m deepernets.book.execution CACHE PAGE …``.

Jupyter Book executes one page after the other. This executes one for each core at a time, and the build then finds
their outputs. A page that fails is executed again by the build, which prints its error.
"""

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CELL_SECONDS = 900  # before a cell is interrupted


def execute_pages(folder: Path, pages: list[Path]) -> None:
    """Execute those pages of which the cache has no outputs.

    Args:
        folder: The cache.
        pages: MyST Markdown files with cells. Those with much code, which take longest, are started first.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.executors.basic import ExecutionWorkerLocalSerial, ProcessData

    cache = get_cache(folder)
    for page in sorted(pages, key=lambda page: -page.stat().st_size):
        cache.add_nb_to_project(str(page), read_data={"name": "myst_nb_md", "type": "plugin"})
    execute = ExecutionWorkerLocalSerial(logging.getLogger(__name__))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = [
            ProcessData(record.pk, record.uri, cache, CELL_SECONDS, False)
            for record in cache.list_unexecuted()
        ]
        list(pool.map(execute, waiting))


if __name__ == "__main__":
    cache_folder, *names = map(Path, sys.argv[1:])
    execute_pages(cache_folder, names)
