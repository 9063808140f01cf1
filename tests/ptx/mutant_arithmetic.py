"""Mutations of arithmetic, registers, constants, conversions and tensor-core products."""
import re, struct

from mutant_operators import IMMEDIATE, INTEGERS, REGISTER, elements, operator, replaced_part, swapped

FLOAT = re.compile(r"^0(f[0-9A-F]{8}|d[0-9A-F]{16})$")


# ---- integers ----

@operator("add", "sub", "mad", "setp", "mov", "min", "max", "selp")
def off_by_one(i, random):
    """An integer constant is one too large or too small."""
    places = [n for n, o in enumerate(i.operands) if n > 0 and IMMEDIATE.match(o)]
    if i.type not in INTEGERS or not places:
        return None
    place = random.choice(places)
    return i.with_operand(place, str(int(i.operands[place]) + random.choice((-1, 1))))


@operator("shl", "shr")
def wrong_shift(i, random):
    """A shift is one bit too many or too few."""
    if not IMMEDIATE.match(i.operands[2]):
        return None
    return i.with_operand(2, str(int(i.operands[2]) + random.choice((-1, 1))))


@operator("mul", "mad")
def wrong_stride(i, random):
    """A constant factor is twice as large, 4 too large or 1 too small."""
    if i.type not in INTEGERS or not IMMEDIATE.match(i.operands[2]):
        return None
    factor = int(i.operands[2])
    return i.with_operand(2, str(random.choice((factor * 2, factor + 4, factor - 1))))


@operator("and", "or", "xor")
def wrong_mask(i, random):
    """A constant mask has a different lowest bit, or is shifted by one bit."""
    if i.type == "pred" or not IMMEDIATE.match(i.operands[2]):
        return None
    mask = int(i.operands[2])
    return i.with_operand(2, str(random.choice((mask >> 1, mask ^ 1)) if mask > 0 else mask ^ 1))


@operator("setp", "shr", "div", "rem", "min", "max", "mul", "cvt")
def wrong_signedness(i, random):
    """Signed instead of unsigned, or the reverse, where the two differ for negative or large numbers."""
    other = {"s": "u", "u": "s"}
    if i.type not in INTEGERS or i.type[0] == "b":
        return None
    if i.parts[0] == "cvt":
        wider = i.parts[-2][1:] == "64" or i.parts[-2][0] == "f"
        if not wider:
            return None
        to = i.parts[-2] if i.parts[-2][0] == "f" else other[i.parts[-2][0]] + i.parts[-2][1:]
        return i.with_(opcode=".".join(i.parts[:-2] + [to, other[i.type[0]] + i.type[1:]]))
    if i.parts[0] == "setp" and i.parts[1] in ("eq", "ne") or i.parts[0] == "mul" and "wide" not in i.parts:
        return None
    return replaced_part(i, i.type, other[i.type[0]] + i.type[1:])


# ---- floating point ----

@operator("add", "sub", "neg", "fma")
def wrong_sign(i, random):
    """A sum instead of a difference, a missing negation, or a product with the wrong sign."""
    if i.parts[0] in ("add", "sub"):
        return replaced_part(i, i.parts[0], {"add": "sub", "sub": "add"}[i.parts[0]])
    if i.parts[0] == "neg":
        return i.with_(opcode="mov." + {"s32": "u32", "s64": "u64"}.get(i.type, i.type))
    if not REGISTER.match(i.operands[1]):
        return None
    return f"{{ .reg .{i.type} %minus; neg.{i.type} %minus, {i.operands[1]}; " + i.with_operand(1, "%minus") + " }"


def changed_float(text, random):
    kind, integer, digits = {"f": ("f", "I", 8), "d": ("d", "Q", 16)}[text[1]]
    value = struct.unpack(kind, struct.pack(integer, int(text[2:], 16)))[0]
    if value == 0:
        value = 1.0
    elif abs(value) == float("inf"):
        value = -value
    else:
        value *= random.choice((-1, 0.5, 1.125))
    return text[:2] + "%0*X" % (digits, struct.unpack(integer, struct.pack(kind, value))[0])


@operator("mov", "add", "sub", "mul", "fma", "div", "selp", "setp", "min", "max")
def wrong_constant(i, random):
    """A floating-point constant has the wrong sign or size, or is 1 instead of 0."""
    places = [n for n, o in enumerate(i.operands) if n > 0 and FLOAT.match(o)]
    if not places:
        return None
    place = random.choice(places)
    return i.with_operand(place, changed_float(i.operands[place], random))


@operator("max", "min", "abs", "ex2", "rcp", "sqrt")
def wrong_function(i, random):
    """The minimum instead of the maximum, a missing absolute value, a root instead of an exponential, ..."""
    others = {"max": "min", "min": "max"}
    if i.parts[0] in others:
        return replaced_part(i, i.parts[0], others[i.parts[0]])
    if i.type not in ("f32", "f64"):
        return None
    return i.with_(opcode=("mov." if i.parts[0] in ("abs", "sqrt") else "sqrt.rn.") + i.type)


@operator("cvt")
def wrong_rounding(i, random):
    """Rounding towards zero instead of to the nearest integer, or the reverse; TF32 or saturation is missing."""
    for old, new in (("rni", "rzi"), ("rzi", "rni")):
        if old in i.parts:
            return replaced_part(i, old, new)
    if "sat" in i.parts:
        return i.with_(opcode="mov.f32")
    return i.with_(opcode="mov.b32") if "tf32" in i.parts else None


@operator("sub", "div", "rem")
def swapped_operands(i, random):
    """The operands of a difference or a quotient are exchanged."""
    return i.with_(operands=[i.operands[0], i.operands[2], i.operands[1]])


# ---- registers ----

def written_again(i):
    """Returns whether other instructions write this instruction's destination too, as for a variable of a loop or
    branch."""
    if i.kernel.writes is None:
        i.kernel.writes = {}
        for o in i.kernel.instructions:
            if o.operands and o.parts[0] not in ("st", "bra", "bar"):
                for register in elements(o.operands[0].split("|")[0]):
                    i.kernel.writes[register] = i.kernel.writes.get(register, 0) + 1
    return i.kernel.writes[i.operands[0]] > 1


@operator("mov")
def uninitialised_accumulator(i, random):
    """A floating-point variable is not initialised to 0."""
    return "" if re.fullmatch("0[fd]0+", i.operands[1]) and written_again(i) else None


@operator("mov")
def missing_copy(i, random):
    """A variable of a loop or a branch keeps its old value."""
    return "" if all(map(REGISTER.match, i.operands)) and written_again(i) else None


def recent_registers(i, count=12):
    """Returns the registers that the preceding instructions wrote, most recent first, up to the last label."""
    found = {}
    for o in reversed(i.kernel.instructions[max(0, i.index - count):i.index]):
        if any(line.endswith(":") for line in i.kernel.lines[o.line:i.line]):
            break
        if o.operands and o.parts[0] not in ("st", "bra", "bar"):
            found.update((r, None) for r in elements(o.operands[0]) if REGISTER.match(r))
    return [r for r in found if r not in i.operands]


@operator()
def wrong_operand(i, random):
    """An operand is replaced by another register of the same kind that was written shortly before."""
    if i.parts[0] in ("ld", "mov", "cvta", "bra", "ret", "shfl", "mma") or len(i.operands) < 2:
        return None
    known = recent_registers(i)
    places = []
    for n, o in enumerate(i.operands[1:], 1):
        kind = REGISTER.match(o)
        others = [r for r in known if kind and REGISTER.match(r).group(1) == kind.group(1)]
        places += [(n, others)] if others else []
    if not places:
        return None
    place, others = random.choice(places)
    return i.with_operand(place, random.choice(others))


# ---- tensor cores ----

@operator("mma")
def swapped_fragment(i, random):
    """Two registers of a fragment of A or B are exchanged."""
    index = random.choice((1, 2))
    return swapped(i, index, *random.sample(range(len(elements(i.operands[index]))), 2))


@operator("mma")
def swapped_accumulator(i, random):
    """Two registers of the accumulator are exchanged where it is read."""
    return swapped(i, 3, *random.sample(range(4), 2))


@operator("mma")
def missing_product(i, random):
    """One mma is missing."""
    return ""
