"""Runs a peer in a separate process: `child.py MODULE CONFIG`, with CONFIG as JSON.

MODULE has `setup(config) -> epoch` and `versions() -> dict`. `epoch()` trains one epoch over the whole set in a new
order, reads the loss back (which waits for the device) and returns its mean in nats per image. The process speaks
JSON, one object per line: {"ready": ...} after the first epoch, then, for each number N that it reads, the seconds
and losses of N epochs. The output of libraries goes to stderr.
"""
import importlib, json, os, sys, time


class Skip(Exception):
    """This machine cannot run the peer; the message says why."""


def text_of(error):
    """Returns the type of an exception and the first line of its message."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"[:300]


def seconds_of(epoch):
    start = time.perf_counter()
    loss = float(epoch())
    return time.perf_counter() - start, loss


def main():
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(**what):
        replies.write(json.dumps(what) + "\n")

    sys.modules["child"] = sys.modules["__main__"]  # the peers import this module and must get the same class Skip
    try:
        start = time.perf_counter()
        module = importlib.import_module(sys.argv[1])
        epoch = module.setup(json.loads(sys.argv[2]))
        setup = time.perf_counter() - start
        first, loss = seconds_of(epoch)
        say(setup_seconds=setup, first_epoch_seconds=first, loss=loss, versions=module.versions())
        for line in sys.stdin:
            epochs = [seconds_of(epoch) for _ in range(int(line))]
            say(seconds=[s for s, _ in epochs], losses=[l for _, l in epochs], notes=getattr(module, "notes", dict)())
    except (Skip, ModuleNotFoundError) as reason:
        say(skipped=str(reason))
    except Exception as error:  # an exception of any kind ends this peer only
        import traceback
        traceback.print_exc()
        say(failed=text_of(error))


if __name__ == "__main__":
    main()
