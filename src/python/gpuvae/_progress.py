"""A progress bar for fit: tqdm's if it is installed, else a line of text."""

import sys


def wanted(verbose):
    """Whether to show a bar: ``verbose``, or for None whether stderr is a terminal or the caller a notebook."""
    if verbose is not None:
        return bool(verbose)
    return sys.stderr.isatty() or _in_notebook()


def _in_notebook():
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


class Line:
    """A line of text that replaces itself."""

    def __init__(self, epochs, rows):
        self.epochs, self.rows, self.width = epochs, rows, 0

    def update(self, epoch, rows, loss):
        """Shows how much of an epoch is done, and its mean loss so far."""
        text = f"epoch {epoch}/{self.epochs} {100 * rows // self.rows:3d} %  loss {loss:.4g}"
        print("\r" + text.ljust(self.width), end="", file=sys.stderr, flush=True)
        self.width = len(text)

    def close(self):
        """Ends the line."""
        if self.width:
            print(file=sys.stderr)


class Bar:
    """A bar of tqdm over all rows of all epochs."""

    def __init__(self, tqdm, epochs, rows):
        self.rows, self.epochs = rows, epochs
        self.bar = tqdm(total=epochs * rows, unit="row", unit_scale=True)

    def update(self, epoch, rows, loss):
        """Shows how much of an epoch is done, and its mean loss so far."""
        self.bar.set_description(f"epoch {epoch}/{self.epochs}", refresh=False)
        self.bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
        self.bar.update((epoch - 1) * self.rows + rows - self.bar.n)

    def close(self):
        """Ends the bar."""
        self.bar.close()


def progress(epochs, rows):
    """Returns a bar for a run of ``epochs`` passes over ``rows`` rows."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return Line(epochs, rows)
    return Bar(tqdm, epochs, rows)
