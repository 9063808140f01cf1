"""Mutations of PTX: operators, each of which finds its places and changes one of them.

An operator is a function (instruction, random) -> new text, or None where it does not apply. Whether it applies must not
depend on `random`.
"""
import re, struct

OPERATORS = {}
INTEGERS = ("s16", "u16", "s32", "u32", "s64", "u64", "b16", "b32", "b64")
IMMEDIATE = re.compile(r"^-?\d+$")
FLOAT = re.compile(r"^0f[0-9A-F]{8}$")
DOUBLE = re.compile(r"^0d[0-9A-F]{16}$")
REGISTER = re.compile(r"^%(p|rs|r|rd|f|fd)\d+$")
ADDRESS = re.compile(r"^\[([^+\]]+)(?:\+(-?\d+))?\]$")


def operator(function):
    OPERATORS[function.__name__.replace("_", "-")] = function
    return function


# ---- helpers ----

def memory_operand(i):
    """Index of the operand in brackets, and its base and offset; None for other instructions."""
    if i.parts[0] not in ("ld", "st", "atom"):
        return None
    index = 0 if i.parts[0] == "st" else 1
    match = ADDRESS.match(i.operands[index])
    return (index, match.group(1), int(match.group(2) or 0)) if match else None


def at_offset(i, delta):
    index, base, offset = memory_operand(i)
    return i.with_operand(index, f"[{base}+{offset + delta}]")


def element_bytes(i):
    return int(re.sub(r"\D", "", i.type)) // 8


def vector_width(i):
    return next((int(p[1]) for p in i.parts if re.fullmatch(r"v[24]", p)), 1)


def in_data(i):
    return i.parts[0] in ("ld", "st") and i.parts[1] in ("global", "shared", "local")


def immediates(i, first=1):
    return [n for n, o in enumerate(i.operands) if n >= first and IMMEDIATE.match(o)]


def elements(operand):
    return [e.strip() for e in operand.strip("{}").split(",")]


def swapped(i, index, a, b):
    """Two elements of a vector operand exchanged."""
    parts = elements(i.operands[index])
    parts[a], parts[b] = parts[b], parts[a]
    return i.with_operand(index, "{" + ", ".join(parts) + "}")


def replaced_part(i, old, new):
    return i.with_(opcode=".".join(new if p == old else p for p in i.parts))


# ---- memory ----

@operator
def wrong_space(i, random):
    if not in_data(i) or i.parts[1] == "local":
        return None
    plain = [p for p in i.parts if p not in ("nc", "cg", "wb")]
    other = {"global": "shared", "shared": "global"}[i.parts[1]]
    return i.with_(opcode=".".join(other if p == i.parts[1] else p for p in plain))


@operator
def misaligned(i, random):
    if not in_data(i) or memory_operand(i) is None or vector_width(i) * element_bytes(i) == 1:
        return None
    return at_offset(i, random.choice([d for d in (1, 2, 4) if d < vector_width(i) * element_bytes(i)]))


@operator
def neighbouring_address(i, random):
    if not in_data(i) or memory_operand(i) is None:
        return None
    return at_offset(i, random.choice((-1, 1)) * vector_width(i) * element_bytes(i))


@operator
def dropped_store(i, random):
    return "" if i.parts[0] == "st" else None


@operator
def load_of_zero(i, random):
    if i.parts[0] != "ld" or i.parts[1] == "param" or vector_width(i) > 1:
        return None
    zero = {"f32": "0f00000000", "f64": "0d0000000000000000"}.get(i.type, "0")
    kind = {"f32": "f32", "f64": "f64"}.get(i.type) or {"%rs": "u16", "%r": "u32", "%rd": "u64"}[
        re.match(r"%[a-z]+", i.operands[0]).group(0)]
    return i.with_(opcode="mov." + kind, operands=[i.operands[0], zero])


@operator
def narrower_vector(i, random):
    """The last half of a vector is neither loaded nor stored."""
    if i.parts[0] not in ("ld", "st") or vector_width(i) == 1 or i.parts[1] == "param":
        return None
    width = vector_width(i) // 2
    index = 1 if i.parts[0] == "st" else 0
    kept = elements(i.operands[index])[:width]
    part = {1: None, 2: "v2"}[width]
    opcode = ".".join(p for p in (part if re.fullmatch("v[24]", p) else p for p in i.parts) if p)
    operands = list(i.operands)
    operands[index] = "{" + ", ".join(kept) + "}" if width > 1 else kept[0]
    return i.with_(opcode=opcode, operands=operands)


@operator
def swapped_vector(i, random):
    if i.parts[0] not in ("ld", "st") or vector_width(i) == 1:
        return None
    a, b = random.sample(range(vector_width(i)), 2)
    return swapped(i, 1 if i.parts[0] == "st" else 0, a, b)


@operator
def wrong_parameter(i, random):
    """A field of a parameter replaced by the field of the same type that the kernel reads next to it."""
    if i.parts[:2] != ["ld", "param"] or vector_width(i) > 1:
        return None
    own = i.operands[1]
    others = sorted({o.operands[1] for o in i.kernel.instructions if o.opcode == i.opcode and o.operands[1] != own})
    return i.with_operand(1, random.choice(others)) if others else None


# ---- synchronisation ----

@operator
def missing_barrier(i, random):
    return "" if i.opcode == "bar.sync" else None


@operator
def missing_warp_barrier(i, random):
    return "" if i.opcode == "bar.warp.sync" else None


@operator
def missing_fence(i, random):
    return "" if i.parts[0] in ("membar", "fence") else None


@operator
def missing_wait(i, random):
    return "" if i.opcode == "griddepcontrol.wait" else None


@operator
def early_trigger(i, random):
    """The next kernel may start before this one has waited for its own predecessor."""
    if i is not i.kernel.instructions[0]:
        return None
    triggers = any(o.opcode == "griddepcontrol.launch_dependents" for o in i.kernel.instructions)
    return "griddepcontrol.launch_dependents; " + i.text if triggers else None


@operator
def wrong_atomic(i, random):
    """atom.inc wraps one too late or too early, or is a load and a store."""
    if not i.opcode.startswith("atom.") or "inc" not in i.parts:
        return None
    old, address, bound = i.operands
    load_and_store = (f"{{ .reg .b32 %next; .reg .pred %wraps; ld.global.u32 {old}, {address}; "
                      f"setp.ge.u32 %wraps, {old}, {bound}; add.u32 %next, {old}, 1; "
                      f"selp.b32 %next, 0, %next, %wraps; st.global.u32 {address}, %next; }}")
    shifted = "{{ .reg .b32 %bound; add.s32 %bound, {}, {}; " + i.with_operand(2, "%bound") + " }}"
    return random.choice([load_and_store, shifted.format(bound, 1), shifted.format(bound, -1)])


@operator
def wrong_lane(i, random):
    if i.parts[0] != "shfl" or not IMMEDIATE.match(i.operands[2]):
        return None
    distance = int(i.operands[2])
    return i.with_operand(2, str(random.choice([d for d in (0, 1, 2, 4, 8, 16, 31) if d != distance])))


@operator
def missing_shuffle(i, random):
    if i.parts[0] != "shfl":
        return None
    return i.with_(opcode="mov.b32", operands=[i.operands[0].split("|")[0], i.operands[1]])


# ---- control ----

@operator
def negated_guard(i, random):
    if not i.guard:
        return None
    return i.with_(guard=i.guard.replace("@!", "@") if "!" in i.guard else i.guard.replace("@", "@!"))


@operator
def missing_guard(i, random):
    return i.with_(guard="") if i.guard else None


@operator
def missing_branch(i, random):
    return "" if i.opcode == "bra" and i.guard else None


@operator
def off_by_one_compare(i, random):
    """< for <=, and its like, on integers."""
    swaps = {"lt": "le", "le": "lt", "gt": "ge", "ge": "gt"}
    if i.parts[0] != "setp" or i.parts[1] not in swaps or i.type not in INTEGERS:
        return None
    return replaced_part(i, i.parts[1], swaps[i.parts[1]])


@operator
def wrong_compare(i, random):
    swaps = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq",
             "ltu": "geu", "gtu": "leu", "leu": "gtu", "geu": "ltu", "neu": "eq", "num": "nan"}
    if i.parts[0] != "setp" or i.parts[1] not in swaps:
        return None
    return replaced_part(i, i.parts[1], swaps[i.parts[1]])


@operator
def wrong_predicate(i, random):
    swaps = {"and": "or", "or": "and", "xor": "or"}
    return replaced_part(i, i.parts[0], swaps[i.parts[0]]) if i.type == "pred" and i.parts[0] in swaps else None


@operator
def swapped_select(i, random):
    if i.parts[0] != "selp":
        return None
    d, a, b, p = i.operands
    return i.with_(operands=[d, b, a, p])


@operator
def wrong_thread(i, random):
    """Another of the special registers: %tid.x for %laneid, %ntid.x for %nctaid.x, and so on."""
    if i.parts[0] != "mov" or not re.fullmatch(r"%(n?tid|n?ctaid)\.[xyz]", i.operands[1]):
        return None
    own = i.operands[1]
    others = [r for r in ("%tid.x", "%tid.y", "%ctaid.x", "%ctaid.y", "%ntid.x", "%nctaid.x") if r != own]
    return i.with_operand(1, random.choice(others))


# ---- arithmetic ----

@operator
def off_by_one(i, random):
    """An integer constant one too large or too small."""
    if i.type not in INTEGERS or i.parts[0] not in ("add", "sub", "mad", "setp", "mov", "min", "max", "selp"):
        return None
    places = immediates(i)
    if not places:
        return None
    place = random.choice(places)
    return i.with_operand(place, str(int(i.operands[place]) + random.choice((-1, 1))))


@operator
def wrong_shift(i, random):
    if i.parts[0] not in ("shl", "shr") or not IMMEDIATE.match(i.operands[2]) or int(i.operands[2]) < 1:
        return None
    return i.with_operand(2, str(int(i.operands[2]) + random.choice((-1, 1))))


@operator
def wrong_stride(i, random):
    if i.parts[0] not in ("mul", "mad") or i.type not in INTEGERS or not IMMEDIATE.match(i.operands[2]):
        return None
    factor = int(i.operands[2])
    return i.with_operand(2, str(random.choice((factor * 2, factor + 4, factor - 1))))


@operator
def wrong_mask(i, random):
    if i.parts[0] not in ("and", "or", "xor") or i.type == "pred" or not IMMEDIATE.match(i.operands[2]):
        return None
    value = int(i.operands[2])
    return i.with_operand(2, str(random.choice((value >> 1, value ^ 1, value * 2 & 0x7fffffff))
                                 if value > 0 else value ^ 1))


@operator
def wrong_sign(i, random):
    if i.parts[0] in ("add", "sub") and "wide" not in i.parts:
        return replaced_part(i, i.parts[0], {"add": "sub", "sub": "add"}[i.parts[0]])
    if i.parts[0] == "neg":
        return i.with_(opcode="mov." + {"s32": "u32", "s64": "u64"}.get(i.type, i.type))
    if i.opcode in ("fma.rn.f32", "fma.rn.f64") and REGISTER.match(i.operands[3]):
        return (f"{{ .reg .{i.type} %minus; neg.{i.type} %minus, {i.operands[3]}; "
                + i.with_operand(3, "%minus") + " }")
    return None


def changed_float(bits, width, random):
    kind, integer = {32: ("f", "I"), 64: ("d", "Q")}[width]
    value = struct.unpack(kind, struct.pack(integer, int(bits, 16)))[0]
    if value == 0:
        value = 1.0
    elif value in (float("inf"), float("-inf")):
        value = -value
    else:
        value *= random.choice((-1, 0.5, 2, 1.125))
    return "%0*X" % (width // 4, struct.unpack(integer, struct.pack(kind, value))[0])


@operator
def wrong_constant(i, random):
    """A floating-point constant with another sign or size; 1 for 0."""
    places = [n for n, o in enumerate(i.operands) if n > 0 and (FLOAT.match(o) or DOUBLE.match(o))]
    if not places:
        return None
    place = random.choice(places)
    text = i.operands[place]
    width = 32 if text.startswith("0f") else 64
    return i.with_operand(place, text[:2] + changed_float(text[2:], width, random))


@operator
def uninitialised_accumulator(i, random):
    """A floating-point register is not set to 0 before a loop adds to it."""
    zero = i.opcode in ("mov.f32", "mov.f64") and re.fullmatch("0[fd]0+", i.operands[1])
    return "" if zero and written_again(i) else None


def written_again(i):
    """Whether a later instruction writes the register of this `mov` too: it is a variable of a loop or a branch."""
    written = i.kernel.__dict__.setdefault("written", {})
    if not written:
        for o in i.kernel.instructions:
            for register in elements(o.operands[0]) if o.operands and o.parts[0] not in ("st", "bra") else []:
                written[register.split("|")[0]] = written.get(register.split("|")[0], 0) + 1
    return written[i.operands[0]] > 1


@operator
def missing_copy(i, random):
    """A variable of a loop or a branch keeps its old value."""
    copies = i.parts[0] == "mov" and REGISTER.match(i.operands[0]) and REGISTER.match(i.operands[1])
    return "" if copies and written_again(i) else None


@operator
def wrong_operand(i, random):
    """A register replaced by another one of its kind that was set just before."""
    if i.parts[0] in ("ld", "mov", "cvta", "bra", "ret", "shfl", "mma") or len(i.operands) < 2:
        return None
    known = recent_registers(i)
    places = []
    for n, o in enumerate(i.operands[1:], 1):
        kind = REGISTER.match(o)
        others = [r for r in known if kind and REGISTER.match(r).group(1) == kind.group(1) and r not in i.operands]
        places += [(n, others)] if others else []
    if not places:
        return None
    place, others = random.choice(places)
    return i.with_operand(place, random.choice(others))


def recent_registers(i, count=12):
    """What the instructions right before this one have set, without going back over a label."""
    index = i.kernel.__dict__.setdefault("indices", {o.line: n for n, o in enumerate(i.kernel.instructions)})[i.line]
    found = []
    for o in reversed(i.kernel.instructions[max(0, index - count):index]):
        if any(line.endswith(":") for line in i.kernel.lines[o.line:i.line]):
            break
        if o.operands and o.parts[0] not in ("st", "bra", "bar"):
            found += [r for r in elements(o.operands[0]) if REGISTER.match(r)]
    return sorted(set(found))


@operator
def swapped_operands(i, random):
    """The operands of what does not commute."""
    if i.parts[0] not in ("sub", "div", "rem") or i.operands[1] == i.operands[2]:
        return None
    return i.with_(operands=[i.operands[0], i.operands[2], i.operands[1]])


@operator
def wrong_extreme(i, random):
    if i.parts[0] not in ("min", "max"):
        return None
    return replaced_part(i, i.parts[0], {"min": "max", "max": "min"}[i.parts[0]])


@operator
def missing_absolute(i, random):
    return i.with_(opcode="mov." + i.type) if i.parts[0] == "abs" else None


@operator
def wrong_function(i, random):
    """Another function of one argument: 2^x for 1/x, x for the root of x."""
    if i.parts[0] not in ("ex2", "rcp", "sqrt") or i.type != "f32":
        return None
    return i.with_(opcode="mov.f32" if i.parts[0] == "sqrt" else "sqrt.rn.f32")


# ---- conversions and rounding ----

@operator
def wrong_rounding(i, random):
    """Towards zero for the nearest integer, and the reverse; TF32 and saturation left out."""
    if i.parts[0] != "cvt":
        return None
    if "rni" in i.parts or "rzi" in i.parts:
        old = "rni" if "rni" in i.parts else "rzi"
        return replaced_part(i, old, {"rni": "rzi", "rzi": "rni"}[old])
    if "sat" in i.parts:
        return i.with_(opcode="mov.f32")
    return i.with_(opcode="mov.b32") if "tf32" in i.parts else None


@operator
def wrong_conversion(i, random):
    """Signed for unsigned and the reverse."""
    if i.parts[0] != "cvt" or len(i.parts) < 3 or i.parts[-1] not in ("s32", "u32", "s64", "u64", "u16", "s16"):
        return None
    wider = i.parts[-2][1:] == "64" or i.parts[-2][0] == "f"
    if not wider:
        return None
    other = {"s": "u", "u": "s"}
    parts = list(i.parts)
    parts[-1] = other[parts[-1][0]] + parts[-1][1:]
    if parts[-2][0] in other:
        parts[-2] = other[parts[-2][0]] + parts[-2][1:]
    return i.with_(opcode=".".join(parts))


@operator
def wrong_signedness(i, random):
    """Shifts, products, divisions and comparisons of the other signedness."""
    ordered = i.parts[0] == "setp" and i.parts[1] in ("lt", "le", "gt", "ge")
    if not (ordered or i.parts[0] in ("shr", "div", "rem", "min", "max") or i.opcode.startswith("mul.wide")):
        return None
    if i.type not in INTEGERS or i.type[0] == "b":
        return None
    return replaced_part(i, i.type, {"s": "u", "u": "s"}[i.type[0]] + i.type[1:])


# ---- tensor cores ----

@operator
def swapped_a(i, random):
    return swapped(i, 1, *random.sample(range(4), 2)) if i.parts[0] == "mma" else None


@operator
def swapped_b(i, random):
    return swapped(i, 2, 0, 1) if i.parts[0] == "mma" else None


@operator
def swapped_accumulator(i, random):
    return swapped(i, 3, *random.sample(range(4), 2)) if i.parts[0] == "mma" else None


@operator
def missing_product(i, random):
    return "" if i.parts[0] == "mma" else None
