#!/usr/bin/env python3
"""Changes one instruction of a kernel's PTX at a time and shows which of the changes the tests find.

    mutants.py PROGRAM [--list] [--only OPERATOR] [--retry] [--write tests/ptx/mutants.md]

PROGRAM is gpuvae_ptx_tests. A fixed seed draws the mutations. A new or changed kernel or instruction may displace a
few mutations from the list and changes no others. For each mutation, the script runs the tests that execute the
mutated instruction, in the modes of mutant_run.py, until one fails. Results are kept in --folder under the hash of the
list, so that an interrupted run can continue. --write writes the table. The reasons why mutations survive (last column
of the table of survivors) are written by hand and kept.
"""
import argparse, collections, concurrent.futures, hashlib, itertools, json, os, random, re, sys, time

from mutant_operators import OPERATORS
import mutant_arithmetic  # registers its operators when imported
from mutant_places import kernels_of, short_text, unnumbered
from mutant_report import read_reasons, write_report
from mutant_run import MODES, PATHS, Tests

SEED, COUNT = 1, 10
# These operators change when threads see each other's writes, so they are tried in additional modes.
ORDERING = ("missing-barrier", "missing-warp-barrier", "missing-fence", "missing-wait", "early-trigger", "wrong-atomic")
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def test_pattern():
    """Returns the filter of the test ptx.backend."""
    with open(os.path.join(ROOT, "tests", "ptx", "CMakeLists.txt")) as file:
        return re.search(r"set\(GPUVAE_PTX_FILTER\s+(\S+)\)", file.read()).group(1)


class Mutation:
    def __init__(self, operator, instruction, new, old=None):
        self.operator, self.instruction, self.new, self.old = operator, instruction, new, old
        self.id = digest(operator, instruction.key, unnumbered(old or ""), unnumbered(new))[:8]

    def __str__(self):
        i = self.instruction
        return (f"{self.id} {self.operator}: {i.kernel.label} {i.source}: {short_text(i.text)} -> "
                f"{short_text(self.new) or 'nothing'}")


def digest(*parts):
    return hashlib.sha1("|".join(map(str, parts)).encode()).hexdigest()


def by_turns(groups, count, *seed):
    """Merges named iterators. Each iterator has `count` turns, in an order that depends only on the seed and the names,
    so the content of one iterator does not change the order of the others."""
    turns = sorted((digest(*seed, name, turn), name) for name in groups for turn in range(count))
    iterators = {name: iter(group) for name, group in groups.items()}
    return (item for _, name in turns for item in itertools.islice(iterators[name], 1))


def draw(kernels, name, count=COUNT, seed=SEED):
    """Draws `count` mutations of one operator, or all if there are fewer. Templates take turns, then the kernels of a
    template, so that large kernels do not dominate. Within a kernel the order is by hash."""
    heads, function = OPERATORS[name]

    def mutations(kernel):
        places = [i for head in heads for i in kernel.by_head[head]] if heads else kernel.instructions
        for i in sorted(places, key=lambda i: digest(seed, name, i.key)):
            if (new := function(i, random.Random(digest(seed, name, i.key)))) is not None:
                yield Mutation(name, i, new)

    templates = collections.defaultdict(dict)
    for kernel in kernels:
        templates[kernel.template][kernel.label] = mutations(kernel)
    merged = {template: by_turns(of, count, seed, name) for template, of in templates.items()}
    return list(itertools.islice(by_turns(merged, count, seed, name), count))


# The places at which the fused step once stored to shared memory with an instruction for global memory:
# kernel, file, and text of the line.
SHARED_STORES = (("fused_forward_kernel", "fused_forward.cuh", "codes[row"),
                 ("fused_forward_kernel", "fused_forward.cu", "to_posterior) memory"),
                 ("fused_backward_kernel", "fused_backward.cu", "to_z) memory"))


def shared_stores(kernels):
    """Returns one mutation per entry of SHARED_STORES, in the first kernel of its template that contains the line."""
    found = []
    for template, file, words in SHARED_STORES:
        with open(os.path.join(ROOT, "kernels", "cuda", "fused_step", file)) as source:
            places = {f"{file}:{n}" for n, line in enumerate(source, 1) if words in line}
        i = next((i for k in kernels if k.template == template for i in k.by_head["st"]
                  if i.parts[1] == "shared" and i.source in places), None)
        if i is None:
            sys.exit(f"mutants: expected a store to shared memory from '{words}' of {file} in {template}, found none")
        base, offset = re.match(r"\[([^+]+)\+?(.*)\]", i.operands[0]).groups()
        generic = i.with_(opcode=".".join(["st", "global"] + i.parts[2:]),
                          operands=[f"[%generic+{offset or 0}]"] + i.operands[1:])
        wide = "mov.u64" if base.startswith("%rd") else "cvt.u64.u32"
        found.append(Mutation("shared-store-as-global", i, f"{{ .reg .b64 %generic; {wide} %generic, {base}; "
                                                            f"cvta.shared.u64 %generic, %generic; {generic} }}"))
    return found


def draw_all(program, only=None):
    # One kernel is never launched (the host only reads its attributes), and others belong to a test.
    kernels = [k for k in kernels_of(program) if k.label != "probe_kernel" and "fused_product_kernels" not in k.name]
    drawn = [m for name in OPERATORS if only in (None, name) for m in draw(kernels, name)]
    return drawn + (shared_stores(kernels) if only in (None, "shared-store-as-global") else [])


class Results:
    """The results by mutation id. They are stored in a file whose name is a hash of the list of mutations."""

    def __init__(self, folder, mutations):
        digest = hashlib.sha1(" ".join(m.id for m in mutations).encode()).hexdigest()[:12]
        self.path = os.path.join(folder, f"results-{digest}.json")
        self.of = {}
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.of = json.load(file)

    def add(self, mutation, result):
        self.of[mutation.id] = result
        with open(self.path + ".new", "w") as file:
            json.dump(self.of, file, indent=1)
        os.replace(self.path + ".new", self.path)


def run(options, mutations):
    folder = os.path.abspath(options.folder)
    os.makedirs(folder, exist_ok=True)
    results = Results(folder, mutations)
    left = [m for m in mutations if m.id not in results.of or (options.retry and not results.of[m.id]["found"])]
    if left:
        tests = Tests(os.path.abspath(options.program), test_pattern(), folder)
        if failing := sorted({t for run in tests.passes.values() for t in run.failing}):
            print(f"mutants: tests that fail without a mutation are left out: {' '.join(failing)}", flush=True)
        began = time.time()
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            runs = {pool.submit(tests.find, m, list(MODES if m.operator in ORDERING else PATHS)): m
                    for m in left}
            for done in concurrent.futures.as_completed(runs):
                if error := done.exception():
                    pool.shutdown(cancel_futures=True)
                    sys.exit(f"mutants: {runs[done]}: {error}")
                results.add(runs[done], done.result())
                result = results.of[runs[done].id]
                print(f"{time.time() - began:6.0f} s  {result['found'] or 'SURVIVES'}  {runs[done]}", flush=True)
    return results.of


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", help="gpuvae_ptx_tests")
    parser.add_argument("--list", action="store_true", help="print the mutations instead of running them")
    parser.add_argument("--only", metavar="OPERATOR", help="run the mutations of one operator only")
    parser.add_argument("--retry", action="store_true", help="rerun the mutations that no test detected")
    parser.add_argument("--write", metavar="FILE", help="write the table to this Markdown file")
    parser.add_argument("--folder", default="build/mutants", help="folder of the results (default: build/mutants)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="parallel processes (default: all processors)")
    options = parser.parse_args()
    mutations = draw_all(options.program, options.only)
    if options.list:
        print("\n".join(map(str, mutations)))
        return 0
    results = run(options, mutations)
    reasons = read_reasons(options.write) if options.write else {}
    share = write_report(options.write, mutations, results, reasons)
    return 0 if share >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
