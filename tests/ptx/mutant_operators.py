"""Mutation operators for PTX: memory, synchronisation and control are here, the others in mutant_arithmetic.py.

An operator is a function (instruction, random) -> new text, or None if it does not apply.
"""
import hashlib, re

from mutant_places import unnumbered

OPERATORS = {}  # name -> (first parts of the opcodes that the operator may change, or none for all; function)
INTEGERS = ("s16", "u16", "s32", "u32", "s64", "u64", "b16", "b32", "b64")
IMMEDIATE = re.compile(r"^-?\d+$")
REGISTER = re.compile(r"^%(p|rs|r|rd|f|fd)\d+$")
ADDRESS = re.compile(r"^\[([^+\]]+)(?:\+(-?\d+))?\]$")


def operator(*heads):
    def register(function):
        OPERATORS[function.__name__.replace("_", "-")] = (heads, function)
        return function
    return register


def elements(operand):
    return [e.strip() for e in operand.strip("{}").split(",")]


def swapped(i, index, a, b):
    """Exchanges two elements of a vector operand."""
    parts = elements(i.operands[index])
    parts[a], parts[b] = parts[b], parts[a]
    return i.with_operand(index, "{" + ", ".join(parts) + "}")


def replaced_part(i, old, new):
    return i.with_(opcode=".".join(new if p == old else p for p in i.parts))


def one_of(texts, random):
    """Chooses the text with the smallest hash, so the choice changes only if this text is removed or a text with a
    smaller hash is added."""
    salt = random.random()
    return min(sorted(texts), key=lambda t: hashlib.sha1(f"{salt} {unnumbered(t)}".encode()).hexdigest())


# ---- memory ----

def accesses_data(i):
    return i.parts[1] in ("global", "shared", "local")


def vector_width(i):
    return next((int(p[1]) for p in i.parts if re.fullmatch(r"v[24]", p)), 1)


def access_bytes(i):
    return vector_width(i) * int(re.sub(r"\D", "", i.type)) // 8


def at_offset(i, delta):
    index = 0 if i.parts[0] == "st" else 1
    base, offset = ADDRESS.match(i.operands[index]).groups()
    return i.with_operand(index, f"[{base}+{int(offset or 0) + delta}]")


@operator("ld", "st")
def wrong_space(i, random):
    """A global access uses an instruction for shared memory, or the reverse."""
    if i.parts[1] not in ("global", "shared"):
        return None
    kept = [p for p in i.parts if p not in ("nc", "cg", "wb")]
    other = {"global": "shared", "shared": "global"}[i.parts[1]]
    return i.with_(opcode=".".join(other if p == i.parts[1] else p for p in kept))


@operator("ld", "st")
def misaligned(i, random):
    """An address is 1, 2 or 4 bytes too high, where the access needs a larger alignment."""
    if not accesses_data(i) or access_bytes(i) == 1:
        return None
    return at_offset(i, random.choice([d for d in (1, 2, 4) if d < access_bytes(i)]))


@operator("ld", "st")
def neighbouring_address(i, random):
    """The access goes to the element or vector before or after the right one."""
    return at_offset(i, random.choice((-1, 1)) * access_bytes(i)) if accesses_data(i) else None


@operator("st")
def dropped_store(i, random):
    """A store is missing."""
    return ""


@operator("ld", "st")
def wrong_vector(i, random):
    """Half of a vector is not accessed, or two of its elements are exchanged."""
    width = vector_width(i)
    if width == 1 or not accesses_data(i):
        return None
    index = 1 if i.parts[0] == "st" else 0
    if random.random() < 0.5:
        return swapped(i, index, *random.sample(range(width), 2))
    kept = elements(i.operands[index])[:width // 2]
    parts = [f"v{width // 2}" if p == f"v{width}" else p for p in i.parts]
    operands = list(i.operands)
    operands[index] = "{" + ", ".join(kept) + "}" if width > 2 else kept[0]
    return i.with_(opcode=".".join(p for p in parts if p != "v1"), operands=operands)


@operator("ld")
def wrong_parameter(i, random):
    """A field of a parameter is replaced by another one of the same type that the kernel reads."""
    if i.parts[1] != "param" or vector_width(i) > 1:
        return None
    others = {o.operands[1] for o in i.kernel.by_head["ld"] if o.opcode == i.opcode} - {i.operands[1]}
    return i.with_operand(1, one_of(others, random)) if others else None


# ---- synchronisation ----

@operator("bar")
def missing_barrier(i, random):
    """__syncthreads is missing."""
    return "" if i.opcode == "bar.sync" else None


@operator("bar")
def missing_warp_barrier(i, random):
    """__syncwarp is missing."""
    return "" if i.opcode == "bar.warp.sync" else None


@operator("membar", "fence")
def missing_fence(i, random):
    """__threadfence is missing."""
    return ""


@operator("griddepcontrol")
def missing_wait(i, random):
    """A kernel does not wait for its predecessor."""
    return "" if i.opcode == "griddepcontrol.wait" else None


@operator("griddepcontrol")
def early_trigger(i, random):
    """A dependent kernel may start before this one has waited for its own predecessor."""
    if i.opcode != "griddepcontrol.wait":
        return None
    return "griddepcontrol.launch_dependents; " + i.text


@operator("atom")
def wrong_atomic(i, random):
    """atom.inc wraps one count too late or too early, or is replaced by a load and a store."""
    if "inc" not in i.parts:
        return None
    old, address, bound = i.operands
    load_and_store = (f"{{ .reg .b32 %next; .reg .pred %wraps; ld.global.u32 {old}, {address}; "
                      f"setp.ge.u32 %wraps, {old}, {bound}; add.u32 %next, {old}, 1; "
                      f"selp.b32 %next, 0, %next, %wraps; st.global.u32 {address}, %next; }}")
    wrapping = [f"{{ .reg .b32 %bound; add.s32 %bound, {bound}, {delta}; " + i.with_operand(2, "%bound") + " }"
                for delta in (-1, 1)]
    return random.choice([load_and_store] + wrapping)


@operator("shfl")
def wrong_lane(i, random):
    """A shuffle takes its value from the lane itself, or from a lane twice as far away."""
    itself = i.with_(opcode="mov.b32", operands=[i.operands[0].split("|")[0], i.operands[1]])
    farther = f"{{ .reg .b32 %distance; shl.b32 %distance, {i.operands[2]}, 1; " + i.with_operand(2, "%distance") + " }"
    return random.choice([itself, farther])


# ---- control ----

@operator()
def negated_guard(i, random):
    """@p instead of @!p, or the reverse."""
    if not i.guard:
        return None
    return i.with_(guard=i.guard.replace("@!", "@") if "!" in i.guard else i.guard.replace("@", "@!"))


@operator()
def missing_guard(i, random):
    """A branch is always or never taken."""
    return random.choice(["", i.with_(guard="")]) if i.guard else None


@operator("setp")
def off_by_one_compare(i, random):
    """< instead of <=, > instead of >=, or the reverse, on integers."""
    swaps = {"lt": "le", "le": "lt", "gt": "ge", "ge": "gt"}
    return replaced_part(i, i.parts[1], swaps[i.parts[1]]) if i.parts[1] in swaps and i.type in INTEGERS else None


@operator("setp")
def wrong_compare(i, random):
    """A comparison is replaced by its opposite."""
    opposites = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq",
                 "ltu": "geu", "gtu": "leu", "leu": "gtu", "geu": "ltu", "neu": "eq", "num": "nan"}
    return replaced_part(i, i.parts[1], opposites[i.parts[1]]) if i.parts[1] in opposites else None


@operator("and", "or", "xor")
def wrong_predicate(i, random):
    """Two conditions are joined by `or` instead of `and`, or the reverse."""
    swaps = {"and": "or", "or": "and", "xor": "or"}
    return replaced_part(i, i.parts[0], swaps[i.parts[0]]) if i.type == "pred" else None


@operator("selp")
def swapped_select(i, random):
    """The two values of a selection are exchanged."""
    d, a, b, p = i.operands
    return i.with_(operands=[d, b, a, p])


@operator("mov")
def wrong_thread(i, random):
    """Another special register is read: %ctaid.x instead of %tid.x, %nctaid.x instead of %ntid.x, and so on."""
    if not re.fullmatch(r"%(n?tid|n?ctaid)\.[xyz]", i.operands[1]):
        return None
    others = {"%tid.x", "%tid.y", "%ctaid.x", "%ctaid.y", "%ntid.x", "%nctaid.x"} - {i.operands[1]}
    return i.with_operand(1, random.choice(sorted(others)))
