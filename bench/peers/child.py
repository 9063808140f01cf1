"""A peer in its own process: `child.py MODULE CONFIG`, with CONFIG as JSON.

MODULE has `setup(config) -> epoch`; `epoch()` trains one epoch over the whole set in a new order, reads the loss back
(which waits for the device) and returns its mean, nats an image; and `versions() -> dict`. Speaks JSON, one object a
line: {"ready": ...} after the first epoch, then for each number N read, the seconds and losses of N epochs. Whatever
libraries print goes to stderr.
"""
import importlib, json, os, sys, time


class Skip(Exception):
    """This machine cannot run the peer; the message says why."""


def seconds_of(epoch):
    start = time.perf_counter()
    loss = float(epoch())
    return time.perf_counter() - start, loss


def main():
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(**what):
        replies.write(json.dumps(what) + "\n")

    sys.modules["child"] = sys.modules["__main__"]  # one Skip, also for the peers that import it
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
    except Exception as error:  # whatever a peer throws ends that peer alone
        import traceback
        traceback.print_exc()
        say(failed=f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:300])


if __name__ == "__main__":
    main()
