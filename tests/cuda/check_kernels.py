#!/usr/bin/env python3
"""Checks the memory accesses of the compiled CUDA kernels: no kernel spills registers or uses local memory, no
global memory instruction uses a shared memory address, and memory-bound kernels read and write 16 bytes per
instruction.

    check_kernels.py LIBRARY [--ptxas PROGRAM]

LIBRARY holds uncompressed PTX (nvcc --no-compress). It is assembled again with `ptxas -v`, which reports spills;
loads and stores are counted in the PTX. If cuobjdump is installed, 128-bit accesses of the machine code are counted
too. Exit status: 0 if all checks passed, 1 if a check failed, 77 if there is nothing to check.
"""
import argparse, collections, concurrent.futures, os, pathlib, re, shutil, subprocess, sys, tempfile

# The memory-bound kernels, with the minimum number of 16-byte loads and stores of each. For templates this
# means the variant for aligned data. A byte image is read four pixels at a time (4 bytes), which counts as
# one access.
HOT = [
    ("unary_kernel", 1, 1), ("unary_backward_kernel", 2, 1), ("binary_kernel", 2, 1), ("axpby_kernel", 2, 1),
    ("fill_kernel", 0, 1), ("activation_backward_kernel<true>", 2, 1),
    ("activation_backward_kernel<false>", 2, 1), ("activation_bias_backward_kernel<4, true>", 2, 1),
    ("bias_activation_kernel<true>", 1, 1),
    ("bias_activation_kernel<false>", 1, 2), ("posterior_kernel<true>", 3, 1), ("gate_kernel<true>", 2, 1), ("gate_backward_kernel<true>", 3, 2),
    ("posterior_backward_kernel<true>", 3, 2), ("optimizer_kernel", 4, 3), ("average_kernel", 2, 1), ("gather_kernel<unsigned char, true>", 1, 1),
    ("gather_kernel<float, true>", 1, 1), ("random_kernel<true>", 0, 1), ("sum_kernel", 1, 0), ("sum_rows_kernel<4>", 1, 0), ("clip_kernel", 1, 0),
]
# The kernel of a memory-bound likelihood loads each parameter and the target, and stores the slope of each parameter.
LIKELIHOODS = pathlib.Path(__file__).resolve().parents[2] / "kernels/math/likelihood.h"
MEMORY_BOUND = LIKELIHOODS.read_text().partition("#define GPUVAE_COSTLY_LIKELIHOODS")[0]
for formula, parameters in re.findall(r"X\(\w+, (\w+), (\d+)\)", MEMORY_BOUND):
    HOT.append((f"likelihood_kernel<gpuvae::math::{formula}, true>", int(parameters) + 1, int(parameters)))
    if formula != "BernoulliOfProbability":  # no operation computes its log density
        HOT.append((f"log_density_kernel<gpuvae::math::{formula}, true>", int(parameters) + 1, 0))
        HOT.append((f"log_density_backward_kernel<gpuvae::math::{formula}, true>", int(parameters) + 1, int(parameters)))
VECTOR = {"load": re.compile(r"\bld\.global[.\w:]*\.v4\b"), "store": re.compile(r"\bst\.global[.\w]*\.v4\b")}


def modules(library):
    """Returns the newest architecture in a file, and its PTX texts."""
    data = open(library, "rb").read()
    texts, at = [], data.find(b".version ")
    while at >= 0:
        end = data.find(b"\0", at)
        text = data[at:end].decode("latin-1")
        target = re.search(r"^\.target sm_(\d+)", text, re.M)
        if target:
            texts.append((int(target.group(1)), text))
        at = data.find(b".version ", end)
    newest = max((t for t, _ in texts), default=0)
    return newest, [text for target, text in texts if target == newest]


def demangled(names):
    if not shutil.which("c++filt"):
        sys.exit("check_kernels: expected c++filt (binutils), found none")
    out = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    plain = [re.sub(r"gpuvae::kernels::|\(anonymous namespace\)::|^void ", "", line) for line in out.splitlines()]
    return dict(zip(names, plain))


def short(name):
    """Returns the name without its parameters: "bce_kernel<(BceKind)1>"."""
    depth = 0
    for i, c in enumerate(name):
        depth += (c == "<") - (c == ">")
        if c == "(" and depth == 0:
            return name[:i]
    return name


def assemble(ptxas, architecture, text):
    """Assembles a PTX text. Returns the number of spilled bytes of each kernel, by mangled name."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kernel.ptx")
        with open(path, "w", encoding="latin-1") as file:
            file.write(text)
        done = subprocess.run([ptxas, "-v", f"-arch=sm_{architecture}", path, "-o", os.path.join(folder, "kernel.cubin")],
                              capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"check_kernels: {ptxas} failed: {done.stderr.strip()}")
    found = re.findall(r"Compiling entry function '(\w+)'.*?(\d+) bytes spill stores, (\d+) bytes spill loads",
                       done.stderr + done.stdout, re.S)
    return {name: int(stores) + int(loads) for name, stores, loads in found}


def kernels_of(texts):
    """Returns the bodies of the kernels by mangled name, each up to its closing brace."""
    bodies = {}
    for text in texts:
        for entry in re.finditer(r"\.entry (\w+)\(", text):
            depth, end = 0, text.index("{", entry.end())
            for brace in re.finditer(r"[{}]", text[end:]):
                depth += 1 if brace.group() == "{" else -1
                if depth == 0:
                    bodies[entry.group(1)] = text[entry.start():end + brace.end()]
                    break
    return bodies


GENERIC_SHARED = re.compile(r"\bcvta\.shared\.\w+\s+(%\w+)")
ADDRESS_STEP = re.compile(r"\b(?:mov|add|sub|mad|selp|max|min|or|and|cvt|cvta\.to)\.[\w.]+\s+(%rd\d+),([^;]+);")
GLOBAL_ACCESS = re.compile(r"\b(?:ld|st|red|atom)\.(?:\w+\.)*global[\w.]*[^\[;]*\[(%rd\d+)[^\]]*\]")


def shared_as_global(body):
    """Returns a kernel's accesses to global memory whose address is derived from a shared variable. Such an address is
    illegal on a device. The order of instructions is ignored, because PTX is almost in static single assignment
    form."""
    steps = [(to, re.findall(r"%rd\d+", sources)) for to, sources in ADDRESS_STEP.findall(body)]
    shared = set(GENERIC_SHARED.findall(body))
    while True:
        more = {to for to, sources in steps if to not in shared and any(s in shared for s in sources)}
        if not more:
            break
        shared |= more
    return [m.group(0).strip() for m in GLOBAL_ACCESS.finditer(body) if m.group(1) in shared]


def machine_code(library):
    """Returns {name: (128-bit loads, 128-bit stores)} from cuobjdump, the minimum over the architectures, or {}
    without cuobjdump."""
    if not shutil.which("cuobjdump"):
        return {}
    out = subprocess.run(["cuobjdump", "-sass", library], capture_output=True, text=True)
    if out.returncode != 0:
        sys.exit(f"check_kernels: cuobjdump failed: {out.stderr.strip()}")
    result = {}
    for part in re.split(r"^\s*Function : ", out.stdout, flags=re.M)[1:]:
        name = part.split(None, 1)[0]
        count = lambda pattern: len(re.findall(pattern, part))
        found = (count(r"\bLDG\.[\w.]*128"), count(r"\bSTG\.[\w.]*128"))
        before = result.get(name, found)
        result[name] = (min(before[0], found[0]), min(before[1], found[1]))
    return result


def check_hot(counts, what):
    """Prints the kernels with too few vector accesses and returns their number. `counts` is {short name: (loads,
    stores)}."""
    bad = 0
    for name, loads, stores in HOT:
        if name not in counts:
            print(f"FAIL {name}: expected a kernel of this name in the {what} (HOT in check_kernels.py), got none")
            bad += 1
        elif counts[name][0] < loads or counts[name][1] < stores:
            print(f"FAIL {name} ({what}): expected at least {loads} vector loads and {stores} stores, got {counts[name]}")
            bad += 1
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--ptxas", default=shutil.which("ptxas") or "/usr/local/cuda/bin/ptxas")
    options = parser.parse_args()
    architecture, texts = modules(options.library)
    if not texts:
        print(f"{options.library} holds no PTX: nothing to check")
        return 77
    bodies = kernels_of(texts)
    names = demangled(list(bodies))
    bad = 0

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        spills = collections.ChainMap(*pool.map(lambda text: assemble(options.ptxas, architecture, text), texts))
    for name in bodies:
        if name not in spills:
            print(f"FAIL {names[name]}: ptxas did not report its spills")
            bad += 1
        elif spills[name] > 0:
            print(f"FAIL {names[name]}: {spills[name]} bytes of spills")
            bad += 1

    for name, body in bodies.items():
        for access in shared_as_global(body):
            print(f"FAIL {names[name]}: a global memory instruction uses a shared memory address: {access}")
            bad += 1
    # Local memory resides in device memory, which is slow. Arrays with a variable index and the slow paths of sinf
    # and cosf use it.
    for name, body in bodies.items():
        if re.search(r"\.local\b", body):
            print(f"FAIL {names[name]}: uses local memory")
            bad += 1

    bad += check_hot({short(names[n]): tuple(len(VECTOR[k].findall(body)) for k in ("load", "store"))
                      for n, body in bodies.items()}, "PTX")
    code = machine_code(options.library)
    if code:
        # This kernel loads bytes 32 bits at a time, so it has no 128-bit loads.
        exempt = {"gather_kernel<unsigned char, true>"}
        counts = {short(names[n]): (99 if short(names[n]) in exempt else loads, stores)
                  for n, (loads, stores) in code.items() if n in names}
        bad += check_hot(counts, "machine code")
    print(f"{len(bodies)} kernels for sm_{architecture}: {sum(not s for s in spills.values())} without spills, "
          f"{len(HOT)} memory-bound kernels checked{', also in machine code' if code else ''}; {bad} failures")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
