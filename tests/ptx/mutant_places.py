"""Finds the kernels and instructions in a program's PTX, for tests/ptx/mutants.py."""
import collections, os, re, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cuda"))
from check_kernels import demangled, modules, short

# nvcc adds hashes of the path and of the source to the names in an anonymous namespace.
HASHED = re.compile(r"(?:_GLOBAL__N__|_INTERNAL_)[0-9a-f]{8}_\d+_(\w+?)_cu_[0-9a-f]{8}")
INSTRUCTION = re.compile(r"^(@!?%p\d+ )?([a-z][\w.:]*)(?:\s+(.*))?;$")
REGISTER_NUMBER = re.compile(r"(%(?:p|rs|r|rd|f|fd)|\$L__BB)\d+(?:_\d+)?")
MANGLED = re.compile(r"_Z\w*E\d+([A-Za-z_]\w*)")  # a variable within a function
LOCATION = re.compile(r"^\.loc\s+(\d+) (\d+) \d+(?:, function_name [^,]+, inlined_at (\d+) (\d+))?")


def split_operands(text):
    """Splits at the commas outside braces and brackets."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "{[(") - (c in "}])")
        if c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return parts + [text[start:].strip()] if text.strip() else []


class Instruction:
    def __init__(self, kernel, line, text, match, source):
        self.kernel, self.line, self.text, self.source = kernel, line, text, source
        self.index = len(kernel.instructions)
        self.guard, self.opcode = match.group(1) or "", match.group(2)
        self.operands = split_operands(match.group(3) or "")
        self.parts = self.opcode.split(".")
        self.type = self.parts[-1]

    @property
    def key(self):
        """Identifies the instruction in every build: the kernel, the text without register numbers, and its index
        among the kernel's instructions with this text. It contains no line number, which earlier instructions would
        change."""
        if self.kernel.keys is None:
            counts, self.kernel.keys = collections.Counter(), []
            for i in self.kernel.instructions:
                text = unnumbered(i.text)
                self.kernel.keys.append(f"{self.kernel.label}|{text}|{counts[text]}")
                counts[text] += 1
        return self.kernel.keys[self.index]

    def with_(self, opcode=None, operands=None, guard=None):
        """Returns the text of this instruction with some of its parts replaced."""
        operands = self.operands if operands is None else operands
        return ((self.guard if guard is None else guard) + (opcode or self.opcode)
                + (" " + ", ".join(operands) if operands else "") + ";")

    def with_operand(self, index, operand):
        return self.with_(operands=self.operands[:index] + [operand] + self.operands[index + 1:])


class Kernel:
    def __init__(self, name, label, lines, files):
        self.name, self.label, self.lines, self.files = name, label, lines, files
        self.instructions, self.by_head = [], collections.defaultdict(list)
        self.keys = None  # keys of the instructions, computed on first use
        self.writes = None  # register -> number of instructions that write it, computed on first use
        source = ""
        for number, line in enumerate(lines):
            if location := LOCATION.match(line):
                source = self.place(location) or source
            elif match := INSTRUCTION.match(line):
                i = Instruction(self, number, line, match, source)
                self.instructions.append(i)
                self.by_head[i.parts[0]].append(i)

    def place(self, location):
        """Returns file:line in the project's source. For code inlined from CUDA's headers, it is the calling line."""
        file, line, at_file, at_line = location.groups()
        for f, l in ((file, line), (at_file, at_line)):
            if f and "/kernels/" in self.files.get(f, "") and l != "0":
                return f"{os.path.basename(self.files[f])}:{l}"
        return ""

    @property
    def template(self):
        return self.label.split("<")[0]


def plain(text):
    """Returns the text without hashes, which is the same in every build."""
    return HASHED.sub(r"\1", text)


def short_text(text):
    """Shortens the mangled names of parameters and variables to their last part."""
    return re.sub(r"_Z\w*?(_param_\d+|[a-z]\w*E)\b", lambda m: m.group(1).strip("_"), plain(text))


def unnumbered(text):
    """Returns the text without the numbers of registers and labels and without mangled names, which change with the
    types of a kernel's parameters."""
    return REGISTER_NUMBER.sub(r"\1", MANGLED.sub(r"\1", short_text(text)))


def end_of_body(lines, start):
    depth = 0
    for n in range(start, len(lines)):
        depth += 0 if lines[n].startswith(".") else lines[n].count("{") - lines[n].count("}")
        if depth == 0 and "}" in lines[n]:
            return n + 1
    sys.exit(f"mutants: expected the end of a kernel, got the end of the text: {lines[start]}")


def kernels_of(library, target=90):
    """Returns the kernels of the PTX for `target`, in an order that does not depend on the build."""
    newest, texts = modules(library)
    if newest != target:
        sys.exit(f"mutants: expected PTX for sm_{target} in {library}, got sm_{newest}")
    found = []
    for text in texts:
        lines = text.split("\n")
        files = dict(re.findall(r'^\.file\s+(\d+) "([^"]*)"', text, re.M))
        starts = [n for n, line in enumerate(lines) if ".entry " in line]
        for start in starts:
            name = re.search(r"\.entry (\w+)\(", lines[start]).group(1)
            found.append((name, lines[start:end_of_body(lines, start)], files))
    labels = demangled([name for name, *_ in found])
    kernels = [Kernel(name, short(labels[name]), *rest) for name, *rest in found]
    return sorted(kernels, key=lambda k: plain(k.name))
