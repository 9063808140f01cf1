"""Writes the table of mutations. The reasons why some survive are written by hand and kept."""
import collections, os, re

from mutant_operators import OPERATORS
from mutant_places import short_text

KINDS = ("check", "values", "hang", "crash")
EQUIVALENT = "Equivalent:"
SURVIVOR = re.compile(r"^\| `([0-9a-f]{8})` \|.*\| ([^|]*) \|$")

HEAD = """# Mutations of the kernels

`make mutants` changes one instruction of one kernel's PTX (sm_90) at a time and runs the tests that run this kernel on
the emulated device until one fails. Mutations of synchronisation run in the modes {modes}; others run in
the first two, which take different paths through the kernels. A fixed seed draws {count} places per operator, or all
places if there are fewer. Three stores to shared memory are always included: an earlier version of the kernels stored
there with an instruction for global memory. `tests/ptx/mutants.py` writes this table; the reasons in the last section
are written by hand.

**The tests detect {found} of the {changing} mutations that change behaviour: {share:.1%}.** {run} of the {drawn} drawn
mutations were run. {equivalent} of them change nothing that a test could observe; the reason for each is given below.

"Checks" counts the mutations that a check of the executor detected (state space, bounds, alignment, initialisation,
race, barrier), "values" those that an expectation of a test detected, "hang" those that exceeded the time limit, and
"crash" those that ended the process.

"""


def read_reasons(path):
    """Returns the hand-written reasons by mutation."""
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return {m.group(1): m.group(2) for m in map(SURVIVOR.match, file.read().splitlines()) if m}


def cell(text):
    return text.replace("|", "&#124;")


def first_sentence(name):
    if name not in OPERATORS:
        return "A store to shared memory uses an instruction for global memory, at three places where this bug once was."
    return cell(OPERATORS[name][1].__doc__.strip().split("\n")[0])


def operator_rows(mutations, results):
    rows = ["| operator | what it does | drawn | checks | values | hang | crash | survive |",
            "|---|---|--:|--:|--:|--:|--:|--:|"]
    drawn = collections.Counter(m.operator for m in mutations)
    found = collections.Counter((m.operator, results[m.id]["found"]) for m in mutations if m.id in results)
    names = list(OPERATORS) + [n for n in drawn if n not in OPERATORS]
    for name in names:
        counts = [found[name, kind] for kind in (*KINDS, None)]
        rows.append(f"| {name} | {first_sentence(name)} | {drawn[name]} | " + " | ".join(map(str, counts)) + " |")
    total = [sum(found[n, kind] for n in names) for kind in (*KINDS, None)]
    rows.append(f"| all | | {len(mutations)} | " + " | ".join(map(str, total)) + " |")
    return rows


def survivor_rows(survivors, results, reasons):
    rows = ["| id | operator | place | change | reason |", "|---|---|---|---|---|"]
    for m in survivors:
        i = m.instruction
        reason = reasons.get(m.id) or ("Not explained." if results[m.id]["reached"] else "No test reaches this place.")
        change = f"`{cell(short_text(m.old or i.text))}` → " + (f"`{cell(short_text(m.new))}`" if m.new else "nothing")
        rows.append(f"| `{m.id}` | {m.operator} | {cell(i.kernel.label)}, {i.source} | {change} | {reason} |")
    return rows


def write_report(path, mutations, results, reasons):
    """Writes the report and returns the share of the behaviour-changing mutations that were found."""
    survivors = [m for m in mutations if m.id in results and not results[m.id]["found"]]
    equivalent = sum(reasons.get(m.id, "").startswith(EQUIVALENT) for m in survivors)
    changing = sum(m.id in results for m in mutations) - equivalent
    found = changing + equivalent - len(survivors)
    share = found / max(changing, 1)
    if path:
        from mutant_run import MODES
        from mutants import COUNT
        head = HEAD.format(modes=", ".join(f"`{m}`" for m in MODES), count=COUNT, found=found, changing=changing,
                           share=share, run=changing + equivalent, drawn=len(mutations), equivalent=equivalent)
        lines = operator_rows(mutations, results) + ["", "## Survivors", ""]
        lines += survivor_rows(survivors, results, reasons)
        with open(path, "w") as file:
            file.write(head + "\n".join(lines) + "\n")
    print(f"mutants: the tests detect {found} of {changing} mutations that change behaviour ({share:.1%}); "
          f"{equivalent} do not change it")
    return share
